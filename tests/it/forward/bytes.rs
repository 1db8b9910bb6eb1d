//! The same exchanges, direct and through refgate, compared.
//!
//! The differences that are meant are named in [`expected`]; any other fails.

use std::net::SocketAddr;
use std::sync::mpsc;

use crate::support::message::{Framing, Message};
use crate::support::origin::Origin;
use crate::support::proxy::spawn_proxy;
use crate::support::wire::{PATIENCE, Wire};

struct Exchange {
    request: Vec<u8>,
    /// What the shop writes; it closes afterwards where the response says so.
    response: Vec<u8>,
}

fn exchange(request: impl AsRef<[u8]>, response: impl AsRef<[u8]>) -> Exchange {
    Exchange {
        request: request.as_ref().to_vec(),
        response: response.as_ref().to_vec(),
    }
}

/// A shop that answers each connection's one request, and what it was asked.
fn shop(exchange: &Exchange) -> (Origin, mpsc::Receiver<Message>) {
    let (asked, receiver) = mpsc::channel();
    let response = exchange.response.clone();
    let origin = Origin::new(move |wire, _| {
        asked.send(wire.message(false)).unwrap();
        wire.say(&response);
        let text = String::from_utf8_lossy(&response).to_ascii_lowercase();
        let closes = text.contains("connection: close") || text.starts_with("http/1.0");
        if !closes {
            wire.is_over();
        }
    });
    (origin, receiver)
}

fn ask(addr: SocketAddr, exchange: &Exchange) -> Message {
    let mut client = Wire::to(addr);
    client.say(&exchange.request);
    let bodiless = exchange.request.starts_with(b"HEAD");
    loop {
        let message = client.message(bodiless);
        if message.status() >= 200 {
            return message;
        }
    }
}

/// What refgate changes, and nothing else.
fn expected(request: &mut Message, response: &mut Message) {
    let add = |message: &mut Message, name: &str, value: &str| {
        let field = (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        message.fields.push(field);
    };
    for name in ["Connection", "Keep-Alive", "Proxy-Connection"] {
        request.without(name);
        response.without(name);
    }
    request.start = request.start.replace("http://shop.test", "");
    add(request, "x-forwarded-for", "127.0.0.1");
    add(request, "x-forwarded-proto", "http");
    add(request, "x-forwarded-host", "shop.test");
    // HTTP/1.0 is the shop's own matter; so is where its body ends, which then is said otherwise.
    response.start = response.start.replace("HTTP/1.0", "HTTP/1.1");
    if response.framing == Framing::Close {
        add(response, "Transfer-Encoding", "chunked");
        response.framing = Framing::Chunked;
    }
}

fn compare(exchange: &Exchange) {
    let name = String::from_utf8_lossy(&exchange.request).into_owned();
    let (direct, direct_asked) = shop(exchange);
    let mut response = ask(direct.addr, exchange);
    let mut request = direct_asked.recv_timeout(PATIENCE).unwrap();
    expected(&mut request, &mut response);

    let (origin, asked) = shop(exchange);
    let proxy = spawn_proxy(origin.addr);
    let mut through = ask(proxy.addr, exchange);
    // Ours: that this connection ends, where the client asked for that.
    through.without("Connection");
    let seen = asked.recv_timeout(PATIENCE).unwrap();

    assert_eq!(seen.start, request.start, "{name}");
    assert_eq!(seen.sorted(), request.sorted(), "{name}");
    assert_eq!(seen.body, request.body, "{name}");
    assert_eq!(seen.trailers, request.trailers, "{name}");
    assert_eq!(seen.framing, request.framing, "{name}");
    assert_eq!(through.start, response.start, "{name}");
    assert_eq!(through.sorted(), response.sorted(), "{name}");
    assert!(through.body == response.body, "{name}: bodies differ");
    assert_eq!(through.trailers, response.trailers, "{name}");
    assert_eq!(through.framing, response.framing, "{name}");
    assert!(through.complete && response.complete, "{name}");
}

fn head(start: &str, fields: &str) -> String {
    format!("{start} HTTP/1.1\r\nHost: shop.test\r\n{fields}\r\n")
}

#[test]
fn a_request_reaches_the_shop_as_it_was() {
    let ok = super::OK;
    let large = "x".repeat(3_000_000);
    let length = head("POST /large", "Content-Length: 3000000\r\n");
    for request in [
        head("GET /", ""),
        head("GET /%2e%2E/a//b/;c=d/%41%zz?q=%20+&&=a=b&c[]={}|^`", ""),
        head("GET /caf\u{e9}?x=\u{1f600}", ""),
        head("GET http://shop.test/absolute?x", ""),
        head("GET //other.test/x", ""),
        head("OPTIONS *", ""),
        head("TRACE /", ""),
        head("BREW /pot", "Content-Length: 4\r\n") + "milk",
        head(
            "GET /names",
            "X-ODD_name!#$%&'*+.^`|~: 1\r\naCCept: */*\r\nACCEPT: text/html\r\n",
        ),
        head(
            "GET /cookies",
            "Cookie: a=1; b=\"x\\\"y\"\r\nCookie: c=;;=d\r\n",
        ),
        head("GET /close", "Connection: close\r\nCookie: a\r\n"),
        head(
            "GET /empty-values",
            "X-A:\r\nX-B: \r\nX-C:    spaces inside   here  \r\n",
        ),
        head("GET /expect", "Expect: 100-continue\r\n"),
        head("GET /range", "Range: bytes=0-3\r\nIf-Range: \"x\"\r\n"),
        head("POST /form", "Content-Length: 7\r\n") + "a=1&b=2",
        head("POST /nothing", "Content-Length: 0\r\n"),
        head("POST /without", ""),
        head("GET /with-body", "Content-Length: 4\r\n") + "body",
        head("DELETE /with-body", "Transfer-Encoding: chunked\r\n") + "4\r\nbody\r\n0\r\n\r\n",
        head("GET /chunked-body", "Transfer-Encoding: chunked\r\n") + "4\r\nbody\r\n0\r\n\r\n",
        head("POST /chunked", "Transfer-Encoding: Chunked\r\n")
            + "5;ext=\"a;b\"\r\nhello\r\n0006\r\n world\r\n0\r\n\r\n",
        head(
            "POST /trailers",
            "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n",
        ) + "2\r\nab\r\n0\r\nx-sum: 1\r\n\r\n",
        length + &large,
    ] {
        compare(&exchange(request, ok));
    }
}

#[test]
fn bytes_outside_ascii_pass_in_values() {
    let mut request = head("GET /", "").into_bytes();
    request.truncate(request.len() - 2);
    request.extend_from_slice(b"X-Latin: caf\xe9 \xff\tend\r\n\r\n");
    let mut response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Latin: \xe9".to_vec();
    response
        .extend_from_slice(b"\r\nContent-Disposition: attachment; filename=\"\xfc.pdf\"\r\n\r\nok");
    compare(&exchange(request, response));
}

#[test]
fn a_response_reaches_the_client_as_it_was() {
    let gzip = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x00\x01";
    let large = "y".repeat(3_000_000);
    for response in [
        &gzip[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 Sure Thing\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 599 Odder\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: \"a\"\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 302 Found\r\nLocation: /a?b=\xc3\xa9\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nX-Between: 1\r\nset-cookie: b=\"\\\"\"; HttpOnly\r\nSET-COOKIE: c\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: x\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-A: b\r\n\r\nto the end",
        b"HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nto the end",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\nbang",
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{large}", large.len()).as_bytes(),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n", large.len()).as_bytes(),
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{large}").as_bytes(),
    ] {
        compare(&exchange(super::get("/"), response));
    }
}

#[test]
fn an_answer_to_head_has_the_shops_length_and_no_body() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n",
    ] {
        compare(&exchange(head("HEAD /", ""), response));
    }
}

#[test]
fn trailers_pass_where_both_sides_speak_of_them() {
    let response = "HTTP/1.1 200 OK\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n";
    let request = head("GET /", "TE: trailers\r\nConnection: TE\r\n");
    let shop = Origin::new(move |wire, _| {
        let request = wire.message(false);
        assert_eq!(request.get("te").unwrap(), b"trailers");
        assert_eq!(request.get("connection").unwrap(), b"TE");
        wire.say(response);
        wire.is_over();
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(request);
    let got = client.message(false);
    assert_eq!(got.trailers, [(b"x-sum".to_vec(), b"7".to_vec())]);
    assert_eq!(got.text(), "ok");
}

#[test]
fn an_http_1_0_client_gets_a_body_without_chunks() {
    let shop = Origin::always(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
    );
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say("GET / HTTP/1.0\r\nHost: shop.test\r\nExpect: 100-continue\r\n\r\n");
    let got = client.message(false);
    assert!(got.start.starts_with("HTTP/1.1 200"));
    assert_eq!((got.framing, got.text().as_str()), (Framing::Close, "abcd"));
    drop(client);
    drop(proxy);
    let seen = String::from_utf8(shop.seen().remove(0)).unwrap();
    assert!(seen.starts_with("GET / HTTP/1.1\r\n"), "{seen}");
    assert!(!seen.to_ascii_lowercase().contains("expect"), "{seen}");
}

#[test]
fn an_http_1_0_client_may_keep_its_connection() {
    let shop = Origin::always(super::OK);
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    for _ in 0..2 {
        client.say("GET / HTTP/1.0\r\nHost: shop.test\r\nConnection: keep-alive\r\n\r\n");
        let got = client.message(false);
        assert_eq!(got.get("connection").unwrap(), b"keep-alive");
        assert_eq!(got.text(), "ok");
    }
}

#[test]
fn a_target_reaches_the_shop_byte_for_byte() {
    for target in [
        "/?q=\"x\"",
        "/?q=<x>",
        "/<x>",
        "/a\\b",
        "//a/../b/./c%2f",
        "/ä?ö=%zz&&=",
    ] {
        let shop = Origin::always(super::OK);
        let proxy = spawn_proxy(shop.addr);
        let mut client = proxy.connect();
        client.say(head(&format!("GET {target}"), ""));
        assert_eq!(client.message(false).status(), 200, "{target}");
        drop(client);
        drop(proxy);
        let seen = String::from_utf8(shop.seen().concat()).unwrap();
        let line = format!("GET {target} HTTP/1.1\r\n");
        assert!(seen.starts_with(&line), "{seen}");
    }
}

#[test]
fn a_204_loses_the_length_that_it_must_not_have() {
    let shop = Origin::always("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(super::get("/"));
    let got = client.message(false);
    assert_eq!((got.status(), got.get("content-length")), (204, None));
}

#[test]
fn heads_with_many_fields_pass() {
    let many: String = (0..200).map(|n| format!("x-{n}: {n}\r\n")).collect();
    compare(&exchange(
        head("GET /many", &many),
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{many}\r\n"),
    ));
}
