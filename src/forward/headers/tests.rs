//! Tables of fields, before and after.

use proptest::prelude::*;

use super::*;

/// A field.
type Line = (&'static str, &'static str);

fn of(lines: &[Line]) -> Fields {
    lines.iter().copied().collect()
}

fn lines(fields: &Fields) -> Vec<(String, String)> {
    let text = |text: &[u8]| String::from_utf8(text.to_vec()).unwrap();
    let line = |(name, value): (&[u8], &[u8])| (text(name).to_ascii_lowercase(), text(value));
    fields.iter().map(line).collect()
}

fn asked(before: &[Line], trusted: bool, version: Version) -> Fields {
    let mut fields = of(before);
    to_shop(
        &mut fields,
        &Asker {
            addr: "192.0.2.7".parse().unwrap(),
            trusted,
            scheme: Scheme::Http,
            host: b"Shop.example:8080",
            version,
        },
    );
    fields
}

fn without_forwarded(mut fields: Fields) -> Vec<(String, String)> {
    for name in [FOR, HOST, PROTO] {
        fields.remove(name);
    }
    lines(&fields)
}

fn text<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.text(name)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn fields_of_one_connection_end_here() {
    let table: &[(&[Line], &[Line])] = &[
        (&[("connection", "close"), ("a", "1")], &[("a", "1")]),
        (
            &[
                ("connection", "x-hop, keep-alive"),
                ("x-hop", "1"),
                ("keep-alive", "timeout=5"),
            ],
            &[],
        ),
        (
            &[
                ("connection", "host, content-length,Cookie"),
                ("connection", "Transfer-Encoding"),
                ("host", "a"),
                ("content-length", "3"),
                ("cookie", "a=b"),
            ],
            &[("host", "a"), ("content-length", "3"), ("cookie", "a=b")],
        ),
        (&[("Proxy-Connection", "keep-alive")], &[]),
        (&[("expect", "100-continue")], &[("expect", "100-continue")]),
        (&[("te", "gzip"), ("connection", "TE")], &[]),
        (
            &[("te", "gzip, Trailers"), ("connection", "TE")],
            &[("connection", "TE"), ("te", "trailers")],
        ),
        (&[("upgrade", "websocket")], &[]),
        (
            &[
                ("connection", "keep-alive, Upgrade"),
                ("upgrade", "websocket"),
            ],
            &[("connection", "Upgrade"), ("upgrade", "websocket")],
        ),
        (
            &[
                ("connection", "Upgrade, HTTP2-Settings"),
                ("upgrade", "h2c"),
                ("http2-settings", "AAMAAABkAAQAAP__"),
            ],
            &[],
        ),
        (
            &[("connection", "upgrade"), ("upgrade", "websocket, H2C")],
            &[],
        ),
        (
            &[
                ("connection", "upgrade"),
                ("upgrade", "websocket"),
                ("content-length", "2"),
            ],
            &[("content-length", "2")],
        ),
        (&[("http2-settings", "x")], &[]),
        (
            &[
                ("accept", "a"),
                ("cookie", "a=1"),
                ("accept", "b"),
                ("via", "1.0 x"),
            ],
            &[
                ("accept", "a"),
                ("accept", "b"),
                ("cookie", "a=1"),
                ("via", "1.0 x"),
            ],
        ),
    ];
    for (before, after) in table {
        let mut got = without_forwarded(asked(before, false, Version::HTTP_11));
        let mut want = lines(&of(after));
        got.sort();
        want.sort();
        assert_eq!(got, want, "{before:?}");
    }
}

#[test]
fn only_an_http_1_1_client_may_switch_or_expect() {
    let before = &[
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("expect", "100-continue"),
    ];
    let old = asked(before, false, Version::HTTP_10);
    assert_eq!(without_forwarded(old), []);
    let new = without_forwarded(asked(before, false, Version::HTTP_2));
    let want = ("expect".to_owned(), "100-continue".to_owned());
    assert_eq!(new, [want]);
}

#[test]
fn a_stranger_is_not_believed_and_a_trusted_proxy_is() {
    let before = &[
        ("x-forwarded-for", "203.0.113.9"),
        ("X-Forwarded-For", "198.51.100.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "front.example"),
        ("x-forwarded-port", "443"),
        ("forwarded", "for=203.0.113.9"),
        ("x_forwarded_for", "203.0.113.9"),
    ];
    let mut stranger = lines(&asked(before, false, Version::HTTP_11));
    stranger.sort();
    let want = [
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-host", "Shop.example:8080"),
        ("x-forwarded-proto", "http"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(stranger, want);

    let trusted = asked(before, true, Version::HTTP_11);
    let chain = "203.0.113.9, 198.51.100.1, 192.0.2.7";
    assert_eq!(text(&trusted, FOR), Some(chain));
    assert_eq!(trusted.get_all(FOR).count(), 1);
    assert_eq!(text(&trusted, PROTO), Some("https"));
    assert_eq!(text(&trusted, HOST), Some("front.example"));
    assert_eq!(text(&trusted, "x-forwarded-port"), Some("443"));
    assert_eq!(text(&trusted, "forwarded"), Some("for=203.0.113.9"));
    assert!(!trusted.contains("x_forwarded_for"));
}

#[test]
fn a_connection_that_names_what_we_set_changes_nothing() {
    let got = asked(
        &[("connection", "x-forwarded-for, x-forwarded-proto")],
        true,
        Version::HTTP_11,
    );
    assert_eq!(text(&got, FOR), Some("192.0.2.7"));
    assert_eq!(text(&got, PROTO), Some("http"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_response_keeps_one_length_and_no_coding() {
    type Case = (&'static [Line], &'static [Line], Coding, Length);
    let table: &[Case] = &[
        (
            &[("content-length", "5"), ("transfer-encoding", "Chunked")],
            &[],
            Coding::Chunked,
            Length::Known(5),
        ),
        (
            &[
                ("transfer-encoding", "chunked"),
                ("transfer-encoding", "chunked"),
            ],
            &[],
            Coding::Other,
            Length::None,
        ),
        (
            &[("transfer-encoding", "gzip, chunked")],
            &[],
            Coding::Other,
            Length::None,
        ),
        (
            &[("content-length", "5, 5")],
            &[("content-length", "5")],
            Coding::None,
            Length::Known(5),
        ),
        (
            &[("content-length", "05")],
            &[("content-length", "05")],
            Coding::None,
            Length::Known(5),
        ),
        (
            &[("content-length", "5"), ("a", ""), ("Content-Length", "5")],
            &[("content-length", "5"), ("a", "")],
            Coding::None,
            Length::Known(5),
        ),
        (
            &[("content-length", "5"), ("content-length", "6")],
            &[],
            Coding::None,
            Length::Invalid,
        ),
        (
            &[("content-length", "+5")],
            &[],
            Coding::None,
            Length::Invalid,
        ),
        (
            &[("content-length", "5,")],
            &[],
            Coding::None,
            Length::Invalid,
        ),
        (
            &[("content-length", "")],
            &[],
            Coding::None,
            Length::Invalid,
        ),
        (
            &[("content-length", "18446744073709551616")],
            &[],
            Coding::None,
            Length::Invalid,
        ),
        (
            &[("upgrade", "h2"), ("connection", "upgrade")],
            &[],
            Coding::None,
            Length::None,
        ),
    ];
    for (before, after, coding, length) in table {
        let mut got = of(before);
        let told = from_shop(&mut got, false);
        assert_eq!(lines(&got), lines(&of(after)), "{before:?}");
        assert_eq!((told.coding, told.length), (*coding, *length), "{before:?}");
    }
}

#[test]
fn a_shop_says_how_long_it_keeps_a_connection() {
    for (value, want) in [
        ("timeout=5", Some(5)),
        ("max=100, Timeout = 15", Some(15)),
        ("timeout=-1", None),
        ("timeout", None),
        ("timeout=99999999999", None),
    ] {
        let mut fields = of(&[("keep-alive", value)]);
        let told = from_shop(&mut fields, false);
        assert_eq!(told.kept, want.map(Duration::from_secs), "{value}");
        assert!(fields.is_empty());
    }
    let mut fields = of(&[("connection", "x-hop , CLOSE"), ("x-hop", "1")]);
    assert!(from_shop(&mut fields, false).close);
    assert!(fields.is_empty());
}

#[test]
fn an_answer_to_an_upgrade_keeps_it() {
    let mut fields = of(&[("connection", "upgrade"), ("upgrade", "websocket")]);
    from_shop(&mut fields, true);
    assert_eq!(text(&fields, "connection"), Some("Upgrade"));
    assert_eq!(text(&fields, "upgrade"), Some("websocket"));
}

#[test]
fn what_frames_or_routes_does_not_come_behind_a_body() {
    for name in [
        "Content-Length",
        "transfer-encoding",
        "Host",
        "TE",
        "connection",
        "keep-alive",
        "X_Forwarded-For",
        "authorization",
        "Cookie",
    ] {
        assert!(!may_trail(name.as_bytes()), "{name}");
    }
    assert!(may_trail(b"x-sum"));
    assert!(may_trail(b"grpc-status"));
}

proptest! {
    #[test]
    fn addresses_are_written_as_the_standard_library_does(octets: [u8; 4], groups: [u16; 8]) {
        for addr in [IpAddr::from(octets), IpAddr::from(groups)] {
            let mut out = Vec::new();
            write_address(addr, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), addr.to_string());
        }
    }
}
