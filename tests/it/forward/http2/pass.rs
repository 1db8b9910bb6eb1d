//! What passes, both ways.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::{before, post, with};
use crate::forward::get;
use crate::support::http2::{Asked, Shop, head, ok, pour};

/// The fields of a head but for those that a proxy adds.
fn lines(fields: &HeaderMap) -> Vec<(String, String)> {
    let line = |(name, value): (&http::HeaderName, &HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    fields.iter().map(line).collect()
}

#[test]
fn a_request_passes_as_http2_tells_it() {
    let shop = Shop::new(async |asked: Asked| asked.say("ok"));
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say(
        "GET /a/../%2f?b='c' HTTP/1.1\r\nHost: Shop.test:80\r\nX-B: 1\r\nX-a: 2\r\nTE: trailers\r\n\
         Cookie: a=b; c=d\r\nConnection: keep-alive, X-Own, TE\r\nX-Own: 3\r\nX-B: 4\r\n\r\n",
    );
    let got = client.message(false);
    assert_eq!((got.status(), got.text().as_str()), (200, "ok"));
    let asked = shop.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].0, "GET http://Shop.test:80/a/../%2f?b='c'");
    let expected = [
        ("x-b", "1"),
        ("x-b", "4"),
        ("x-a", "2"),
        ("cookie", "a=b; c=d"),
        ("te", "trailers"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "Shop.test:80"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(lines(&asked[0].1), expected);
}

#[test]
fn a_response_passes_with_its_fields_in_their_order() {
    let shop = Shop::new(async |mut asked: Asked| {
        let fields = [
            ("z", "1"),
            ("set-cookie", "a=b"),
            ("set-cookie", "c=d"),
            ("b", "\u{e9}"),
            ("a", "2"),
        ];
        let mut send = asked.answer.send_response(ok(&fields), false).unwrap();
        send.send_data(Bytes::from_static(b"one, "), false).unwrap();
        send.send_data(Bytes::from_static(b"two"), true).unwrap();
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    for _ in 0..3 {
        client.say(get("/"));
        let got = client.message(false);
        assert_eq!(got.start, "HTTP/1.1 200 OK");
        assert_eq!((got.text().as_str(), got.complete), ("one, two", true));
        let names: Vec<_> = got.fields.iter().map(|(name, _)| name.clone()).collect();
        assert!(
            names.starts_with(&[
                b"z".to_vec(),
                b"set-cookie".to_vec(),
                b"set-cookie".to_vec(),
                b"b".to_vec(),
                b"a".to_vec()
            ]),
            "{got:?}"
        );
        assert_eq!(got.all("set-cookie"), [b"a=b", b"c=d"]);
        assert_eq!(got.all("b"), ["\u{e9}".as_bytes()]);
    }
    assert_eq!(shop.connections(), 1);
}

#[test]
fn uploads_and_trailers_pass_both_ways() {
    let shop = Shop::new(async |mut asked: Asked| {
        let (body, trailers) = asked.whole().await.unwrap();
        let length = asked.head.headers.get("content-length");
        let told = format!("{} {length:?} {:?}", body.len(), trailers.get("x-sum"));
        let mut send = asked.answer.send_response(ok(&[]), false).unwrap();
        send.send_data(told.into(), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-end", HeaderValue::from_static("2"));
        trailers.insert("content-length", HeaderValue::from_static("7"));
        send.send_trailers(trailers).unwrap();
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say(
        "POST / HTTP/1.1\r\nHost: shop.test\r\nTE: trailers\r\nConnection: TE\r\n\
         Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 9\r\n\r\n",
    );
    let got = client.message(false);
    assert_eq!(got.text(), "5 None Some(\"9\")");
    assert_eq!(got.trailers, [(b"x-end".to_vec(), b"2".to_vec())]);

    let body = "x".repeat(3_000_000);
    client.say(post("/", &body));
    let got = client.message(false);
    assert_eq!(got.text(), "3000000 Some(\"3000000\") None");
    client.say(post("/", ""));
    assert_eq!(client.message(false).text(), "0 Some(\"0\") None");
}

#[test]
fn interim_responses_pass_and_the_shop_lets_the_body_go_on() {
    let shop = Shop::new(async |mut asked: Asked| {
        let hint = [("link", "</a.css>; rel=preload")];
        asked.answer.send_informational(head(103, &hint)).unwrap();
        if asked.head.headers.contains_key("expect") {
            asked.answer.send_informational(head(100, &[])).unwrap();
        }
        let (body, _) = asked.whole().await.unwrap();
        asked.say(body);
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say(
        "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    );
    let hint = client.message(false);
    assert_eq!(hint.status(), 103);
    assert_eq!(hint.get("link").unwrap(), b"</a.css>; rel=preload");
    assert_eq!(client.message(false).status(), 100);
    client.say("hello");
    let got = client.message(false);
    assert_eq!((got.status(), got.text().as_str()), (200, "hello"));
}

#[test]
fn answers_without_a_body_have_none() {
    let shop = Shop::new(async |mut asked: Asked| {
        let (status, ended) = match asked.head.uri.path() {
            "/204" => (204, true),
            "/304" => (304, true),
            "/304-later" => (304, false),
            "/0" => (200, true),
            _ => (200, false),
        };
        let length = [("content-length", "7")];
        let fields = match asked.head.uri.path() {
            "/head" | "/304" => &length[..],
            _ => &[],
        };
        let mut send = asked
            .answer
            .send_response(head(status, fields), ended)
            .unwrap();
        if !ended {
            send.send_data(Bytes::new(), true).unwrap();
        }
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    for (method, target, status, length) in [
        ("GET", "/204", 204, None),
        ("GET", "/304", 304, Some("7")),
        ("GET", "/304-later", 304, None),
        ("HEAD", "/head", 200, Some("7")),
        ("GET", "/0", 200, Some("0")),
    ] {
        for _ in 0..3 {
            client.say(format!(
                "{method} {target} HTTP/1.1\r\nHost: shop.test\r\n\r\n"
            ));
            let got = client.message(method == "HEAD");
            assert_eq!((got.status(), got.body.len()), (status, 0), "{target}");
            let told = got.get("content-length");
            let told = told.map(|told| String::from_utf8(told).unwrap());
            assert_eq!(told.as_deref(), length, "{target}");
        }
    }
    assert_eq!(shop.connections(), 1);
}

#[test]
fn an_early_answer_comes_while_the_upload_goes_on() {
    let shop = Shop::new(async |mut asked: Asked| {
        let mut send = asked.answer.send_response(ok(&[]), false).unwrap();
        while let Some(data) = asked.body.data().await {
            let data = data.unwrap();
            asked
                .body
                .flow_control()
                .release_capacity(data.len())
                .unwrap();
            pour(&mut send, data, false).await.unwrap();
        }
        send.send_data(Bytes::new(), true).unwrap();
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 15\r\n\r\n");
    assert!(client.head().starts_with(b"HTTP/1.1 200 OK\r\n"));
    for word in ["first", "later", "third"] {
        client.say(word);
        assert_eq!(
            client.until(word.as_bytes()),
            format!("5\r\n{word}").into_bytes()
        );
        assert_eq!(client.exactly(2), b"\r\n");
    }
    assert_eq!(client.until(b"0\r\n\r\n"), b"0\r\n\r\n");
}

#[test]
fn a_shop_may_stop_an_upload_with_its_answer() {
    let shop = Shop::new(async |mut asked: Asked| {
        let mut send = asked.answer.send_response(head(413, &[]), false).unwrap();
        send.send_data(Bytes::from_static(b"too much"), true)
            .unwrap();
        // Dropping the request resets it with NO_ERROR.
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say(post("/", &"x".repeat(40_000)));
    let got = client.message(false);
    assert_eq!((got.status(), got.text().as_str()), (413, "too much"));
    assert!(got.complete);
}

#[test]
fn an_unused_connection_is_closed() {
    let shop = Shop::new(async |asked: Asked| asked.say("ok"));
    let proxy = with(shop.addr, |setup| {
        setup.forward.pool_idle = Duration::from_millis(100);
    });
    let mut client = proxy.connect();
    client.say(get("/"));
    assert_eq!(client.message(false).text(), "ok");
    let closed = crate::support::front::eventually(|| (shop.open() == 0).then_some(()));
    assert!(closed.is_some());
    client.say(get("/"));
    assert_eq!(client.message(false).text(), "ok");
    assert_eq!(shop.connections(), 2);
}
