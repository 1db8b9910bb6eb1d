//! What a request may look like, and what it may not.

use super::*;

const LIMITS: Limits = Limits {
    bytes: 400,
    fields: 8,
};

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn block(fields: Pairs<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for part in [name, value] {
            hpack::integer(&mut out, 0, 7, part.len());
            out.extend_from_slice(part.as_bytes());
        }
    }
    out
}

fn read(fields: Pairs<'_>) -> Verdict<Asked> {
    head(&mut Decoder::new(), &block(fields), LIMITS).unwrap()
}

const M: (&str, &str) = (":method", "GET");
const S: (&str, &str) = (":scheme", "https");
const P: (&str, &str) = (":path", "/a");
const A: (&str, &str) = (":authority", "a.test");
const CONNECT: (&str, &str) = (":method", "CONNECT");
const PROTOCOL: (&str, &str) = (":protocol", "websocket");

const fn with(name: &'static str, value: &'static str) -> [(&'static str, &'static str); 5] {
    [M, S, P, A, (name, value)]
}

/// Each breaks a rule.
const MALFORMED: &[Pairs<'static>] = &[
    // RFC 9113 §8.3: pseudo fields once, known, in front; §8.3.1: all that are needed.
    &[],
    &[S, P, A],
    &[M, P, A],
    &[M, S, A],
    &[M, M, S, P],
    &[M, S, S, P],
    &[M, S, P, P],
    &[M, S, P, A, A],
    &[M, S, ("x", "y"), P],
    &[M, S, P, (":status", "200")],
    &[M, S, P, (":unknown", "x")],
    &[M, S, P, ("", "x")],
    &[(":Method", "GET"), S, P],
    // Their values.
    &[(":method", ""), S, P],
    &[(":method", "G T"), S, P],
    &[M, (":scheme", ""), P],
    &[M, (":scheme", "1a"), P],
    &[M, (":scheme", "a b"), P],
    &[M, S, (":path", "")],
    &[M, S, (":path", "a")],
    &[M, S, (":path", "*")],
    &[M, S, (":path", "*a")],
    &[M, S, (":path", "/a b")],
    &[M, S, (":path", "/\r\nx: y")],
    &[M, S, (":path", "/\0")],
    &[M, S, (":path", "http://a.test/")],
    &[M, S, P, (":authority", "")],
    &[M, S, P, (":authority", "user@a.test")],
    &[M, S, P, (":authority", "a.test/b")],
    &[M, S, P, (":authority", "a test")],
    &[M, S, P, (":authority", "a\r\nb")],
    // §8.5, and RFC 8441 §4.
    &[CONNECT],
    &[CONNECT, S, A],
    &[CONNECT, P, A],
    &[CONNECT, S, P, A],
    &[CONNECT, PROTOCOL, A],
    &[CONNECT, PROTOCOL, S, P],
    &[CONNECT, PROTOCOL, PROTOCOL, S, P, A],
    &[CONNECT, (":protocol", "a b"), S, P, A],
    &[M, PROTOCOL, S, P, A],
    // §8.2.1: names and values.
    &with("Upper", "x"),
    &with("sp ace", "x"),
    &with("co:lon", "x"),
    &with("", "x"),
    &with("x", " x"),
    &with("x", "x "),
    &with("x", "\tx"),
    &with("x", "a\nb"),
    &with("x", "a\rb"),
    &with("x", "a\0b"),
    &with("cookie", "a\nb"),
    // §8.2.2: connection-specific ones.
    &with("connection", "close"),
    &with("keep-alive", "1"),
    &with("proxy-connection", "x"),
    &with("transfer-encoding", "chunked"),
    &with("upgrade", "h2c"),
    &with("te", "gzip"),
    &with("te", "trailers, gzip"),
    // §8.1.1.
    &with("content-length", ""),
    &with("content-length", "+1"),
    &with("content-length", "1a"),
    &with("content-length", "1, 1"),
    &with("content-length", "18446744073709551616"),
    &[M, S, P, ("content-length", "1"), ("content-length", "1")],
];

#[test]
fn what_breaks_a_rule_is_malformed() {
    for fields in MALFORMED {
        let verdict = read(fields);
        assert!(
            matches!(verdict, Verdict::Malformed(_)),
            "{fields:?} {verdict:?}"
        );
    }
}

#[test]
fn what_breaks_none_is_a_request() {
    let cases: &[(Pairs<'_>, &str, Option<&str>)] = &[
        (&[M, S, P, A], "GET /a", Some("a.test")),
        (&[A, P, S, M], "GET /a", Some("a.test")),
        (&[M, S, P], "GET /a", None),
        (&[(":method", "get"), S, P], "get /a", None),
        (&[M, S, (":path", "/ä\"<>|?#")], "GET /ä\"<>|?#", None),
        (
            &[(":method", "OPTIONS"), S, (":path", "*")],
            "OPTIONS *",
            None,
        ),
        (&[CONNECT, A], "CONNECT a.test", Some("a.test")),
        (&[CONNECT, PROTOCOL, S, P, A], "CONNECT /a", Some("a.test")),
        (
            &[M, S, P, (":authority", "[::1]:80")],
            "GET /a",
            Some("[::1]:80"),
        ),
        (
            &[M, S, P, ("te", "trailers"), ("content-length", "007")],
            "GET /a",
            None,
        ),
        (&[M, S, P, ("x", ""), ("y", "ä \t ö")], "GET /a", None),
    ];
    for (fields, line, authority) in cases {
        let Verdict::Good(asked) = read(fields) else {
            panic!("{fields:?}");
        };
        let target = asked.head.target.as_str().unwrap();
        assert_eq!(format!("{} {target}", asked.head.method), *line);
        assert_eq!(
            asked.head.authority.as_deref(),
            authority.map(str::as_bytes)
        );
        let length = fields.iter().any(|(name, _)| *name == "content-length");
        assert_eq!(asked.length, length.then_some(7));
    }
}

#[test]
fn crumbs_are_one_cookie() {
    let fields = [
        M,
        S,
        P,
        ("cookie", "a=1"),
        ("x", "y"),
        ("cookie", "b=2"),
        ("cookie", ""),
    ];
    let Verdict::Good(asked) = read(&fields) else {
        panic!("it is a request");
    };
    let cookies: Vec<_> = asked.head.fields.get_all("cookie").collect();
    assert_eq!(cookies, [b"a=1; b=2; "]);
}

#[test]
fn trailers_are_fields_and_none_that_frame_or_route() {
    let read = |fields: Pairs<'_>| trailers(&mut Decoder::new(), &block(fields), LIMITS).unwrap();
    let Verdict::Good(fields) = read(&[("x-sum", "1"), ("x-more", "2")]) else {
        panic!("they are trailers");
    };
    assert_eq!((fields.get("x-sum"), fields.len()), (Some(&b"1"[..]), 2));
    for (name, value) in [
        P,
        (":status", "200"),
        ("content-length", "1"),
        ("connection", "x"),
        ("te", "trailers"),
        ("cookie", "a"),
        ("host", "a"),
        ("X", "y"),
        ("x", "\n"),
    ] {
        let verdict = read(&[("x-sum", "1"), (name, value)]);
        assert!(matches!(verdict, Verdict::Malformed(_)), "{name}");
    }
}

#[test]
fn what_is_too_large_is_so_before_anything_else() {
    let long = "v".repeat(400);
    for fields in [
        &[M, S, P, ("x", long.as_str())][..],
        &[("Upper", "x"), ("x", long.as_str())],
        &[M; 9],
        &[
            M,
            S,
            P,
            ("a", ""),
            ("b", ""),
            ("c", ""),
            ("d", ""),
            ("e", ""),
            ("f", ""),
        ],
    ] {
        assert!(matches!(read(fields), Verdict::Large), "{fields:?}");
    }
    // By indices: a byte each.
    let mut decoder = Decoder::new();
    let mut bomb = vec![0x40, 1, b'x'];
    hpack::integer(&mut bomb, 0, 7, 4000);
    bomb.extend(vec![b'v'; 4000]);
    bomb.extend(vec![0x80 | 62; 16_000]);
    assert!(matches!(
        head(&mut decoder, &bomb, LIMITS),
        Ok(Verdict::Large)
    ));
}
