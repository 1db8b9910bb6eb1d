//! Requests and responses whose ends two readers could see in different places.

use refgate::event::Event;

use super::OK;
use crate::support::origin::Origin;
use crate::support::proxy::spawn_proxy;

/// Sends these bytes on a connection of their own; the status of the first answer (0: none), and
/// what the shop saw.
fn attack(bytes: &[u8]) -> (u16, String) {
    let shop = Origin::new(|wire, _| {
        while !wire.is_over() {
            let head = wire.head();
            if head.is_empty() {
                return;
            }
            wire.say(OK);
        }
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(bytes);
    let mut answer = String::from_utf8_lossy(&client.head()).to_ascii_lowercase();
    if answer.contains("connection: close") {
        answer += &String::from_utf8_lossy(&client.rest());
    }
    let status = answer
        .split(' ')
        .nth(1)
        .map_or(0, |status| status.parse().unwrap());
    let counters = std::sync::Arc::clone(&proxy.counters);
    drop(client);
    drop(proxy);
    let refused = counters.get(Event::RequestRefused) + counters.get(Event::UnknownHost);
    assert_eq!(refused, u64::from(status != 200), "counted once");
    let seen = shop.seen().concat();
    (status, String::from_utf8_lossy(&seen).into_owned())
}

/// What is sent, and with which status it is refused.
#[expect(clippy::too_many_lines, reason = "a table")]
fn attacks() -> Vec<(&'static str, Vec<u8>, u16)> {
    let post = |fields: &str, body: &str| {
        format!("POST / HTTP/1.1\r\nHost: shop.test\r\n{fields}\r\n{body}").into_bytes()
    };
    let chunks = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n";
    vec![
        (
            "differing lengths",
            post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"),
            400,
        ),
        (
            "a list of lengths",
            post("Content-Length: 2, 2\r\n", "ab"),
            400,
        ),
        ("a signed length", post("Content-Length: +2\r\n", "ab"), 400),
        (
            "a negative length",
            post("Content-Length: -2\r\n", "ab"),
            400,
        ),
        ("an empty length", post("Content-Length: \r\n", "ab"), 400),
        (
            "a hexadecimal length",
            post("Content-Length: 0x2\r\n", "ab"),
            400,
        ),
        (
            "a length beyond 64 bits",
            post("Content-Length: 18446744073709551617\r\n", "ab"),
            400,
        ),
        (
            "a space before the colon",
            post("Content-Length : 2\r\n", "ab"),
            400,
        ),
        ("a folded line", post("X-A: b\r\n c\r\n", ""), 400),
        (
            "a folded coding",
            post("Transfer-Encoding:\r\n chunked\r\n", chunks),
            400,
        ),
        ("a NUL in a value", post("X-A: b\0c\r\n", ""), 400),
        ("a CR in a value", post("X-A: b\rc\r\n", ""), 400),
        (
            "a control before chunked",
            post("Transfer-Encoding: \x0bchunked\r\n", chunks),
            400,
        ),
        (
            "chunked twice",
            post(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                chunks,
            ),
            501,
        ),
        (
            "chunked, chunked",
            post("Transfer-Encoding: chunked, chunked\r\n", chunks),
            501,
        ),
        (
            "gzip, chunked",
            post("Transfer-Encoding: gzip, chunked\r\n", chunks),
            501,
        ),
        (
            "identity, chunked",
            post("Transfer-Encoding: identity, chunked\r\n", chunks),
            501,
        ),
        (
            "chunked, identity",
            post("Transfer-Encoding: chunked, identity\r\n", chunks),
            400,
        ),
        (
            "chunked in quotes",
            post("Transfer-Encoding: \"chunked\"\r\n", chunks),
            400,
        ),
        (
            "xchunked",
            post("Transfer-Encoding: xchunked\r\n", chunks),
            400,
        ),
        (
            "a coding and a later one",
            post(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
                chunks,
            ),
            400,
        ),
        ("no host", b"GET / HTTP/1.1\r\n\r\n".to_vec(), 400),
        (
            "two hosts",
            b"GET / HTTP/1.1\r\nHost: shop.test\r\nHost: shop.test\r\n\r\n".to_vec(),
            400,
        ),
        (
            "a host with a path",
            b"GET / HTTP/1.1\r\nHost: shop.test/a\r\n\r\n".to_vec(),
            400,
        ),
        (
            "another target",
            b"GET http://other.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n".to_vec(),
            400,
        ),
        (
            "an unknown host",
            b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n".to_vec(),
            421,
        ),
        (
            "a tunnel",
            b"CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test\r\n\r\n".to_vec(),
            405,
        ),
        (
            "a star",
            b"GET * HTTP/1.1\r\nHost: shop.test\r\n\r\n".to_vec(),
            400,
        ),
        (
            "a coding in 1.0",
            b"POST / HTTP/1.0\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_vec(),
            400,
        ),
        (
            "HTTP/2.0",
            b"GET / HTTP/2.0\r\nHost: shop.test\r\n\r\n".to_vec(),
            505,
        ),
        (
            "a length beside chunked",
            post(
                "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n",
            ),
            400,
        ),
        (
            "bare line feeds",
            b"GET / HTTP/1.1\nHost: shop.test\nX-A: b\n\n".to_vec(),
            400,
        ),
        (
            "no version",
            b"GET /\r\nHost: shop.test\r\n\r\n".to_vec(),
            400,
        ),
        (
            "two spaces",
            b"GET  / HTTP/1.1\r\nHost: shop.test\r\n\r\n".to_vec(),
            400,
        ),
        ("a name with a space", post("X A: b\r\n", ""), 400),
        ("no colon", post("Nonsense\r\n", ""), 400),
        (
            "a huge head",
            post(&format!("X-A: {}\r\n", "a".repeat(20_000)), ""),
            431,
        ),
        ("too many fields", post(&"X-A: b\r\n".repeat(300), ""), 431),
        (
            "a huge target",
            format!("GET /{} HTTP/1.1\r\n", "a".repeat(70_000)).into_bytes(),
            414,
        ),
    ]
}

#[test]
fn an_ambiguous_request_never_reaches_the_shop() {
    let table = attacks();
    for (name, bytes, status) in table {
        let (got, seen) = attack(&bytes);
        assert_eq!((got, seen.as_str()), (status, ""), "{name}");
    }
}

#[test]
fn a_broken_chunk_is_the_clients_fault_and_ends_the_shops_request() {
    for body in [
        "zz\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "-1\r\n",
        "5 \u{b}\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n",
    ] {
        let shop = Origin::new(|wire, _| {
            wire.head();
            wire.rest();
        });
        let proxy = spawn_proxy(shop.addr);
        let mut client = proxy.connect();
        client.say("POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.say(body);
        let got = client.message(false);
        assert_eq!(got.status(), 400, "{body:?}");
        assert_eq!(got.get("connection").unwrap(), b"close");
        assert!(client.is_over());
        drop(proxy);
        let seen = String::from_utf8(shop.seen().concat()).unwrap();
        assert!(!seen.ends_with("0\r\n\r\n"), "{seen}");
    }
}

#[test]
fn a_shops_response_keeps_only_the_framing_that_counts() {
    let shop = Origin::new(|wire, _| {
        wire.head();
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
        wire.is_over();
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(super::get("/"));
    let got = client.message(false);
    assert_eq!(got.get("content-length"), None);
    assert_eq!(got.text(), "ok");
}

#[test]
fn a_shops_nonsense_is_a_502() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "",
    ] {
        let shop = Origin::new(move |wire, _| {
            wire.head();
            wire.say(response);
        });
        let proxy = spawn_proxy(shop.addr);
        let mut client = proxy.connect();
        client.say(super::get("/"));
        let got = client.message(false);
        assert_eq!(got.status(), 502, "{response:?}");
        assert_eq!(proxy.counters.get(Event::ShopUnreachable), 1);
        assert_eq!(got.text(), "The shop gave no valid answer.\n");
    }
}
