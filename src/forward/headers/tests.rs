//! Tables of fields, before and after.

use http::header::UPGRADE;

use super::*;

/// A field.
type Line = (&'static str, &'static str);

fn map(lines: &[Line]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn lines(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

fn asked(before: &[Line], trusted: bool) -> HeaderMap {
    let mut headers = map(before);
    let host = HeaderValue::from_static("Shop.example:8080");
    to_shop(
        &mut headers,
        &Asker {
            addr: "192.0.2.7".parse().unwrap(),
            trusted,
            scheme: Scheme::Http,
            host: &host,
            version: Version::HTTP_11,
        },
    );
    headers
}

fn without_forwarded(mut headers: HeaderMap) -> Vec<(String, String)> {
    for name in [FOR, HOST, PROTO] {
        headers.remove(name);
    }
    lines(&headers)
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
        (&[("proxy-connection", "keep-alive")], &[]),
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
        let mut got = without_forwarded(asked(before, false));
        let mut want = lines(&map(after));
        got.sort();
        want.sort();
        assert_eq!(got, want, "{before:?}");
    }
}

#[test]
fn a_stranger_is_not_believed_and_a_trusted_proxy_is() {
    let before = &[
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "front.example"),
        ("x-forwarded-port", "443"),
        ("forwarded", "for=203.0.113.9"),
        ("x_forwarded_for", "203.0.113.9"),
    ];
    let mut stranger = lines(&asked(before, false));
    stranger.sort();
    let want = [
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-host", "Shop.example:8080"),
        ("x-forwarded-proto", "http"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(stranger, want);

    let trusted = asked(before, true);
    assert_eq!(trusted[FOR], "203.0.113.9, 198.51.100.1, 192.0.2.7");
    assert_eq!(trusted[PROTO], "https");
    assert_eq!(trusted[HOST], "front.example");
    assert_eq!(trusted["x-forwarded-port"], "443");
    assert_eq!(trusted["forwarded"], "for=203.0.113.9");
    assert!(!trusted.contains_key("x_forwarded_for"));
}

#[test]
fn a_connection_that_names_what_we_set_changes_nothing() {
    let got = asked(
        &[("connection", "x-forwarded-for, x-forwarded-proto")],
        true,
    );
    assert_eq!(got[FOR], "192.0.2.7");
    assert_eq!(got[PROTO], "http");
}

#[test]
fn a_response_keeps_one_framing() {
    let table: &[(&[Line], &[Line])] = &[
        (
            &[("content-length", "5"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "chunked")],
        ),
        (&[("content-length", "5, 5")], &[("content-length", "5")]),
        (&[("content-length", "05")], &[("content-length", "05")]),
        (
            &[("content-length", "5"), ("content-length", "5")],
            &[("content-length", "5")],
        ),
        (&[("content-length", "5"), ("content-length", "6")], &[]),
        (&[("content-length", "+5")], &[]),
        (&[("upgrade", "h2"), ("connection", "upgrade")], &[]),
    ];
    for (before, after) in table {
        let mut got = map(before);
        from_shop(&mut got, false);
        assert_eq!(lines(&got), lines(&map(after)), "{before:?}");
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
        let mut headers = map(&[("keep-alive", value)]);
        let got = from_shop(&mut headers, false);
        assert_eq!(got, want.map(Duration::from_secs), "{value}");
        assert!(headers.is_empty());
    }
}

#[test]
fn an_answer_to_an_upgrade_keeps_it() {
    let mut headers = map(&[("connection", "upgrade"), ("upgrade", "websocket")]);
    from_shop(&mut headers, true);
    assert_eq!(headers[CONNECTION], "Upgrade");
    assert_eq!(headers[UPGRADE], "websocket");
}
