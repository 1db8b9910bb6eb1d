//! What a shop, or a client, fails at, and what the client is told.

use std::net::TcpListener;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use refgate::event::Event;

use super::get;
use crate::support::message::Message;
use crate::support::origin::Origin;
use crate::support::proxy::{Setup, spawn_proxy};
use crate::support::wire::PATIENCE;

const SHORT: Duration = Duration::from_millis(100);

fn assert_plain(message: &Message, status: u16, text: &str) {
    assert_eq!((message.status(), message.text().as_str()), (status, text));
    let kind = message.get("content-type").unwrap();
    assert_eq!(kind, b"text/plain; charset=utf-8");
}

#[test]
fn a_shop_that_is_not_there_is_a_502() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = port.local_addr().unwrap();
    drop(port);
    let proxy = spawn_proxy(addr);
    let mut client = proxy.connect();
    // A body that nobody reads costs the connection, not the answer.
    client.say("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100000\r\n\r\n");
    client.say("x".repeat(100_000));
    assert_plain(&client.message(false), 502, "The shop cannot be reached.\n");
    assert_eq!(proxy.counters.get(Event::ShopUnreachable), 1);
}

#[test]
fn a_shops_name_without_an_address_is_a_502() {
    let shop = Origin::always(super::OK);
    let proxy = Setup::new(shop.addr).host("nowhere.invalid").start();
    let mut client = proxy.connect();
    client.say(get("/"));
    assert_plain(&client.message(false), 502, "The shop cannot be reached.\n");
}

#[test]
fn a_shop_whose_backlog_is_full_is_a_504() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    let _filling: Vec<_> = (0..2)
        .map(|_| std::net::TcpStream::connect_timeout(&addr, SHORT))
        .collect();
    let proxy = Setup::new(addr)
        .with(|setup| setup.forward.connect_timeout = SHORT)
        .start();
    let mut client = proxy.connect();
    client.say(get("/"));
    let text = "The shop could not be reached in time.\n";
    assert_plain(&client.message(false), 504, text);
    assert_eq!(proxy.counters.get(Event::ShopTimeout), 1);
}

#[test]
fn a_shop_that_does_not_answer_is_a_504() {
    let shop = Origin::new(|wire, _| {
        wire.head();
        assert!(wire.is_over());
    });
    let proxy = Setup::new(shop.addr)
        .with(|setup| setup.forward.response_timeout = SHORT)
        .start();
    let mut client = proxy.connect();
    client.say(get("/"));
    assert_plain(
        &client.message(false),
        504,
        "The shop did not answer in time.\n",
    );
    // The client's connection is none the worse for it.
    client.say(get("/"));
    assert_eq!(client.message(false).status(), 504);
    assert_eq!(proxy.counters.get(Event::ShopTimeout), 2);
}

#[test]
fn a_slow_upload_is_not_the_shops_fault() {
    let shop = Origin::always(super::OK);
    let proxy = Setup::new(shop.addr)
        .with(|setup| setup.forward.response_timeout = Duration::from_millis(400))
        .start();
    let mut client = proxy.connect();
    client.say("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 6\r\n\r\n");
    for _ in 0..6 {
        // The shop waits for longer than it may take to answer.
        pause(Duration::from_millis(150));
        client.say("x");
    }
    assert_eq!(client.message(false).status(), 200);
}

#[test]
fn a_client_that_stops_within_its_body_is_a_408() {
    let shop = Origin::new(|wire, _| {
        wire.head();
        wire.rest();
    });
    let proxy = Setup::new(shop.addr)
        .with(|setup| setup.forward.body_timeout = SHORT)
        .start();
    let mut client = proxy.connect();
    client.say("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 6\r\n\r\nxx");
    let got = client.message(false);
    assert_plain(&got, 408, "The request did not come in time.\n");
    assert_eq!(got.get("connection").unwrap(), b"close");
    assert!(client.is_over());
    assert_eq!(proxy.counters.get(Event::RequestRefused), 1);
}

#[test]
fn a_shop_that_takes_no_body_is_a_504() {
    let (told, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let shop = Origin::new(move |wire, _| {
        wire.head();
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
    });
    let proxy = Setup::new(shop.addr)
        .with(|setup| setup.forward.body_timeout = Duration::from_millis(500))
        .start();
    let mut client = proxy.connect();
    client.say("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 99000000\r\n\r\n");
    let piece = vec![b'x'; 99_000];
    for _ in 0..1000 {
        if !client.try_say(&piece) {
            break;
        }
    }
    let text = "The shop did not take the request in time.\n";
    assert_plain(&client.message(false), 504, text);
    told.send(()).unwrap();
}

#[test]
fn a_shop_that_stops_within_its_body_ends_the_clients_connection() {
    let shop = Origin::new(|wire, _| {
        wire.head();
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome");
        assert!(wire.is_over());
    });
    let proxy = Setup::new(shop.addr)
        .with(|setup| setup.forward.body_timeout = SHORT)
        .start();
    let mut client = proxy.connect();
    client.say(get("/"));
    let got = client.message(false);
    assert_eq!((got.complete, got.text().as_str()), (false, "some"));
    assert_eq!(proxy.counters.get(Event::ShopTruncated), 1);
}

#[test]
fn a_store_is_told_who_asks_and_a_trusted_proxy_is_believed() {
    for (trusted, want) in [(false, "127.0.0.1"), (true, "203.0.113.9, 127.0.0.1")] {
        let shop = Origin::always(super::OK);
        let proxy = Setup::new(shop.addr)
            .with(|setup| {
                if trusted {
                    setup.forward.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
                }
            })
            .start();
        let mut client = proxy.connect();
        client.say("GET / HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
        client.message(false);
        drop(client);
        drop(proxy);
        let seen = String::from_utf8(shop.seen().concat())
            .unwrap()
            .to_ascii_lowercase();
        assert!(
            seen.contains(&format!("x-forwarded-for: {want}\r\n")),
            "{seen}"
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "a slow client is slow")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
