//! What is no request, or one whose end is in doubt, never reaches the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use refgate::event::Event;

use super::server::{Server, at_once, exchange, mirror, settings, text};
use super::{get, post};

/// A server, and how often its service was asked.
fn counting() -> (Server, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let server = Server::new(move |request| {
        counter.fetch_add(1, Ordering::SeqCst);
        mirror(request)
    });
    (server, asked)
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn refused() -> Vec<(String, u16)> {
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    vec![
        (
            post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"),
            400,
        ),
        (
            post("Content-Length: 2\r\nContent-Length: 2\r\n", "ab"),
            400,
        ),
        (post("Content-Length: 2, 2\r\n", "ab"), 400),
        (post("Content-Length: +2\r\n", "ab"), 400),
        (post("Content-Length: -2\r\n", "ab"), 400),
        (post("Content-Length: 2 2\r\n", "ab"), 400),
        (post("Content-Length: 2a\r\n", "ab"), 400),
        (post("Content-Length: 0x2\r\n", "ab"), 400),
        (post("Content-Length: \r\n", "ab"), 400),
        (post("Content-Length: 18446744073709551616\r\n", "ab"), 400),
        (post("Content-Length : 2\r\n", "ab"), 400),
        (post("Content_Length: 2\r\n", "ab"), 400),
        (post("transfer_encoding: chunked\r\n", smuggled), 400),
        (
            post(&format!("Content-Length: 5\r\n{chunked}"), smuggled),
            400,
        ),
        (
            post(&format!("{chunked}Content-Length: 5\r\n"), smuggled),
            400,
        ),
        (
            post(&format!("{chunked}Content-Length: x\r\n"), smuggled),
            400,
        ),
        (
            post("Transfer-Encoding: chunked, identity\r\n", smuggled),
            400,
        ),
        (post("Transfer-Encoding: \"chunked\"\r\n", smuggled), 400),
        (post("Transfer-Encoding: xchunked\r\n", smuggled), 400),
        (post("Transfer-Encoding: chunked,\r\n", smuggled), 400),
        (post("Transfer-Encoding: identity\r\n", smuggled), 400),
        (post("Transfer-Encoding: \x0bchunked\r\n", smuggled), 400),
        (post("Transfer-Encoding:\r\n chunked\r\n", smuggled), 400),
        (
            post(&format!("{chunked}Transfer-Encoding: x\r\n"), smuggled),
            400,
        ),
        (
            format!("POST / HTTP/1.0\r\nHost: a\r\n{chunked}\r\n{smuggled}"),
            400,
        ),
        (post("X: y\r\n z\r\n", ""), 400),
        (post("X: y\0z\r\n", ""), 400),
        (post("X: y\rz\r\n", ""), 400),
        (post("X y: z\r\n", ""), 400),
        (post("Nonsense\r\n", ""), 400),
        ("GET / HTTP/1.1\nHost: a\n\n".to_owned(), 400),
        ("GET  / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1 \r\n\r\n".to_owned(), 400),
        ("GET / http/1.1\r\n\r\n".to_owned(), 400),
        ("\x16\x03\x01\x02\x01\x01".to_owned(), 400),
        ("GET / HTTP/0.9\r\n\r\n".to_owned(), 505),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
        (post(&format!("X: {}\r\n", "a".repeat(20_000)), ""), 431),
        (post(&"X: y\r\n".repeat(256), ""), 431),
        (format!("GET /{} HTTP/1.1\r\n", "a".repeat(70_000)), 414),
    ]
}

#[test]
fn it_is_answered_and_the_connection_closed() {
    let (server, asked) = counting();
    let table = refused();
    for (bytes, status) in &table {
        let got = exchange(&server, bytes);
        let shown = &bytes[..bytes.len().min(200)];
        assert!(
            got.starts_with(&format!("HTTP/1.1 {status} ")),
            "{shown:?}: {got}"
        );
        assert!(got.contains("\r\nConnection: close\r\n"), "{got}");
        let (head, body) = got.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("\r\nContent-Length: {}", body.len())),
            "{got}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let refused = server.counters.get(Event::RequestRefused);
    assert_eq!(refused, table.len() as u64);
}

#[test]
fn what_came_before_it_is_answered() {
    let (server, asked) = counting();
    let got = exchange(&server, get("/first") + &post("Content-Length: x\r\n", ""));
    let (first, second) = got.split_once("GET \"/first\" ").unwrap();
    assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{got}");
    assert!(second.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{got}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn to_head_it_is_answered_without_text() {
    let (server, _) = counting();
    let got = exchange(&server, "HEAD / HTTP/1.1\r\nContent-Length: x\r\n\r\n");
    assert!(
        got.starts_with("HTTP/1.1 400 ") && got.ends_with("\r\n\r\n"),
        "{got}"
    );
}

#[test]
fn the_answer_arrives_though_the_client_is_still_sending() {
    let (server, _) = counting();
    let mut client = server.connect();
    client.say(format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(300_000)));
    assert_eq!(client.message(false).status(), 431);
    assert!(client.is_over());
}

#[test]
fn a_head_at_the_limits_passes_and_one_beyond_does_not() {
    let (server, _) = counting();
    let head = |length: usize| {
        let rest = "GET / HTTP/1.1\r\nConnection: close\r\nX: \r\n\r\n".len();
        let value = "a".repeat(length - rest);
        format!("GET / HTTP/1.1\r\nConnection: close\r\nX: {value}\r\n\r\n")
    };
    let fields = |count: usize| {
        let more = "x: y\r\n".repeat(count - 1);
        format!("GET / HTTP/1.1\r\nConnection: close\r\n{more}\r\n")
    };
    for (bytes, status) in [
        (head(16 * 1024), 200),
        (head(16 * 1024 + 1), 431),
        (fields(256), 200),
        (fields(257), 431),
    ] {
        let got = exchange(&server, bytes);
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{got}");
    }
}

#[test]
fn a_head_that_trickles_in_is_cut_off() {
    let mut settings = settings();
    settings.head_timeout = Duration::from_millis(200);
    let server = Server::with(settings, |_| at_once(text("ok")));
    for first in [false, true] {
        let mut client = server.connect();
        if first {
            client.say(get("/"));
            assert_eq!(client.message(false).text(), "ok");
        }
        client.say("GET / HTTP/1.1\r\n");
        // A byte now and then buys no time.
        while client.try_say("X: y\r\n") && !ended(&client) {}
        let got = String::from_utf8(client.rest()).unwrap();
        assert!(got.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{got}");
    }
    assert_eq!(server.counters.get(Event::RequestRefused), 2);
}

/// Whether something came within a short while.
fn ended(client: &crate::support::wire::Wire) -> bool {
    let brief = Some(Duration::from_millis(20));
    client.stream().set_read_timeout(brief).unwrap();
    let came = client.stream().peek(&mut [0]).is_ok();
    let patient = Some(crate::support::wire::PATIENCE);
    client.stream().set_read_timeout(patient).unwrap();
    came
}

#[test]
fn who_says_nothing_is_let_go_without_a_word() {
    let mut settings = settings();
    settings.head_timeout = Duration::from_millis(100);
    settings.idle_timeout = Duration::from_millis(100);
    let server = Server::with(settings, |_| at_once(text("ok")));
    assert_eq!(exchange(&server, ""), "");
    assert_eq!(exchange(&server, "\r\n\r\n"), "");
    let mut client = server.connect();
    client.say(get("/") + "\r\n");
    assert_eq!(client.message(false).text(), "ok");
    assert!(client.is_over());
    assert_eq!(server.counters.get(Event::RequestRefused), 0);
}

#[test]
fn empty_lines_before_a_request_are_nothing() {
    let (server, _) = counting();
    let mut client = server.connect();
    for lines in [0, 1, 20] {
        client.say("\r\n".repeat(lines) + &get("/"));
        assert_eq!(client.message(false).status(), 200);
    }
}
