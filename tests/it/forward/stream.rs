//! Bytes go on as they come, in both directions, and no further than they are taken.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use refgate::event::Event;

use super::get;
use crate::support::message::Framing;
use crate::support::origin::Origin;
use crate::support::proxy::{Setup, spawn_proxy};
use crate::support::wire::PATIENCE;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn the_first_byte_arrives_before_the_last_is_sent() {
    let (arrived, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let shop = Origin::new(move |wire, _| {
        wire.message(false);
        wire.say(CHUNKED);
        for _ in 0..3 {
            wire.say("5\r\nhello\r\n");
            wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        wire.say("0\r\n\r\n");
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(get("/"));
    client.head();
    for _ in 0..3 {
        assert_eq!(client.exactly(10), b"5\r\nhello\r\n");
        arrived.send(()).unwrap();
    }
    assert_eq!(client.exactly(5), b"0\r\n\r\n");
}

#[test]
fn both_directions_flow_at_once() {
    let shop = Origin::new(|wire, _| {
        wire.head();
        wire.say(CHUNKED);
        for _ in 0..3 {
            let chunk = wire.exactly(10);
            wire.say(chunk);
        }
        wire.say(wire_end());
        wire.until(b"0\r\n\r\n");
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say("POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.head();
    for word in ["first", "later", "third"] {
        let chunk = format!("5\r\n{word}\r\n");
        client.say(&chunk);
        assert_eq!(client.exactly(10), chunk.as_bytes());
    }
    client.say("0\r\n\r\n");
    assert_eq!(client.exactly(5), b"0\r\n\r\n");
}

/// A client that first sends all and then reads, and a shop that answers meanwhile.
#[test]
fn a_body_goes_on_while_the_client_does_not_read() {
    let page = vec![b'y'; HIDDEN];
    let length = page.len();
    let shop = Origin::new(move |wire, _| {
        wire.head();
        let mut answering = crate::support::wire::Wire::new(wire.stream().try_clone().unwrap());
        let page = page.clone();
        let writer = std::thread::spawn(move || {
            let length = page.len();
            answering.say(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
            ));
            answering.say(page);
        });
        wire.exactly(length);
        writer.join().unwrap();
        wire.is_over();
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    let head = format!("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: {length}\r\n\r\n");
    client.say(head);
    client.say(vec![b'x'; length]);
    assert_eq!(client.message(false).body.len(), length);
}

fn wire_end() -> &'static str {
    "0\r\n\r\n"
}

/// What hides between a shop that sends and a client that does not read: socket buffers of two
/// connections, and hyper's.
const HIDDEN: usize = 24 << 20;

#[test]
fn a_client_that_does_not_read_stops_the_shop() {
    let sent = Arc::new(AtomicUsize::new(0));
    let (stalled, wait) = mpsc::channel();
    let counting = Arc::clone(&sent);
    let shop = Origin::new(move |wire, _| {
        wire.message(false);
        let short = Some(Duration::from_millis(500));
        wire.stream().set_write_timeout(short).unwrap();
        wire.say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let piece = vec![b'x'; 65536];
        while counting.load(Ordering::SeqCst) < 4 * HIDDEN && wire.try_say(&piece) {
            counting.fetch_add(piece.len(), Ordering::SeqCst);
        }
        stalled.send(()).unwrap();
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say("GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n");
    client.head();
    wait.recv_timeout(PATIENCE).unwrap();
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < HIDDEN, "{sent} bytes went out to nobody");
    assert!(client.rest().len() > sent / 2);
}

#[test]
fn a_client_that_goes_away_cancels_the_request_at_the_shop() {
    for early in ["", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nsome"] {
        let (asked, wait) = mpsc::channel();
        let (over, ended) = mpsc::channel();
        let shop = Origin::new(move |wire, _| {
            wire.head();
            wire.say(early);
            asked.send(()).unwrap();
            over.send(wire.is_over()).unwrap();
        });
        let proxy = spawn_proxy(shop.addr);
        let mut client = proxy.connect();
        client.say(get("/"));
        wait.recv_timeout(PATIENCE).unwrap();
        if !early.is_empty() {
            client.head();
        }
        drop(client);
        assert!(ended.recv_timeout(PATIENCE).unwrap());
    }
}

#[test]
fn a_response_that_breaks_off_breaks_off_for_the_client() {
    for (head, framing) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nsome",
            Framing::Length,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
            Framing::Chunked,
        ),
    ] {
        let shop = Origin::new(move |wire, _| {
            wire.message(false);
            wire.say(head);
        });
        let proxy = spawn_proxy(shop.addr);
        let mut client = proxy.connect();
        client.say(get("/"));
        let got = client.message(false);
        assert_eq!((got.framing, got.complete), (framing, false));
        assert_eq!(got.text(), "some");
        assert_eq!(proxy.counters.get(Event::ShopTruncated), 1);
    }
}

#[test]
fn an_http_1_0_client_sees_a_reset_where_the_response_broke_off() {
    let shop = Origin::new(|wire, _| {
        wire.message(false);
        wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n");
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say("GET / HTTP/1.0\r\nHost: shop.test\r\n\r\n");
    assert!(client.ends_by_reset());
}

#[test]
fn a_body_is_asked_for_only_when_the_shop_asks() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let shop = Origin::new(move |wire, _| {
        let head = String::from_utf8(wire.head()).unwrap();
        assert!(head.contains("Expect: 100-continue"), "{head}");
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        wire.say("HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(wire.exactly(4), b"body");
        wire.say(super::OK);
        wire.is_over();
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(expecting());
    let brief = Some(Duration::from_millis(100));
    client.stream().set_read_timeout(brief).unwrap();
    let early = client.stream().peek(&mut [0]);
    assert!(early.is_err(), "100 before the shop's");
    client
        .stream()
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    go.send(()).unwrap();
    assert_eq!(client.head(), b"HTTP/1.1 100 Continue\r\n\r\n");
    client.say("body");
    assert_eq!(client.message(false).text(), "ok");
}

#[test]
fn a_shop_that_knows_no_100_gets_the_body_after_a_while() {
    let shop = Origin::always(super::OK);
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(expecting());
    assert_eq!(client.head(), b"HTTP/1.1 100 Continue\r\n\r\n");
    client.say("body");
    assert_eq!(client.message(false).text(), "ok");
}

#[test]
fn a_shop_that_refuses_the_body_never_gets_it() {
    let refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!";
    let shop = Origin::new(move |wire, _| {
        wire.head();
        wire.say(refusal);
        assert!(wire.is_over(), "a body that nobody asked for");
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(expecting());
    let got = client.message(false);
    assert_eq!((got.status(), got.text().as_str()), (413, "no!"));
    assert!(client.is_over());
}

fn expecting() -> &'static str {
    "POST / HTTP/1.1\r\nHost: shop.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
}

#[test]
fn an_early_answer_arrives_while_the_body_is_still_coming() {
    let shop = Origin::new(|wire, _| {
        wire.head();
        wire.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!");
        wire.rest();
    });
    let proxy = Setup::new(shop.addr).start();
    let mut client = proxy.connect();
    client.say("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000000\r\n\r\n");
    client.say("part of it");
    let got = client.message(false);
    assert_eq!((got.status(), got.text().as_str()), (413, "no!"));
}
