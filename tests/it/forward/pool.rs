//! Connections to the shop: kept, closed in time, and a request never sent twice.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use refgate::event::Event;
use refgate::forward::Error;

use super::{OK, get};
use crate::support::origin::Origin;
use crate::support::proxy::{Setup, spawn_proxy};
use crate::support::wire::PATIENCE;

#[test]
fn one_connection_serves_one_client_after_another() {
    let shop = Origin::always(OK);
    let proxy = spawn_proxy(shop.addr);
    for _ in 0..5 {
        let mut client = proxy.connect();
        for _ in 0..3 {
            client.say(get("/"));
            assert_eq!(client.message(false).text(), "ok");
        }
    }
    assert_eq!(shop.connections(), 1);
}

#[test]
fn a_connection_is_not_used_again_before_its_body_has_ended() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let shop = Origin::new(move |wire, number| {
        while !wire.is_over() {
            wire.message(false);
            if number == 0 {
                wire.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfi");
                wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                wire.say("ne");
            } else {
                wire.say(OK);
            }
        }
    });
    let proxy = spawn_proxy(shop.addr);
    let mut slow = proxy.connect();
    slow.say(get("/slow"));
    slow.head();
    assert_eq!(slow.exactly(2), b"fi");
    let mut other = proxy.connect();
    other.say(get("/other"));
    assert_eq!(other.message(false).text(), "ok");
    assert_eq!(shop.connections(), 2);
    go.send(()).unwrap();
    assert_eq!(slow.exactly(2), b"ne");
}

#[test]
fn an_unused_connection_is_closed_before_the_shop_would() {
    for (ours, fields) in [(100, ""), (60_000, "Keep-Alive: timeout=0\r\n")] {
        let (closed, wait) = mpsc::channel();
        let shop = Origin::new(move |wire, _| {
            wire.message(false);
            wire.say(format!(
                "HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok"
            ));
            assert!(wire.is_over());
            closed.send(()).unwrap();
        });
        let proxy = Setup::new(shop.addr)
            .with(|setup| setup.forward.pool_idle = Duration::from_millis(ours))
            .start();
        let mut client = proxy.connect();
        client.say(get("/"));
        client.message(false);
        if ours < 1000 {
            wait.recv_timeout(PATIENCE).unwrap();
        }
        client.say(get("/"));
        client.message(false);
        assert_eq!(shop.connections(), 2);
    }
}

#[test]
fn only_so_many_unused_connections_are_kept() {
    let (closed, wait) = mpsc::channel();
    let barrier = Arc::new(std::sync::Barrier::new(3));
    let shop = Origin::new(move |wire, _| {
        wire.message(false);
        barrier.wait();
        wire.say(OK);
        assert!(wire.is_over());
        closed.send(()).unwrap();
    });
    let proxy = Setup::new(shop.addr)
        .with(|setup| setup.forward.pool_size = 1)
        .start();
    let mut clients: Vec<_> = (0..3).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.say(get("/"));
    }
    for client in &mut clients {
        client.message(false);
    }
    for _ in 0..2 {
        wait.recv_timeout(PATIENCE).unwrap();
    }
    assert!(wait.try_recv().is_err());
}

#[test]
fn a_connection_that_spoke_http_1_0_is_not_used_again() {
    let shop = Origin::new(|wire, _| {
        while !wire.is_over() {
            wire.message(false);
            wire.say("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    for _ in 0..2 {
        client.say("POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
        assert_eq!(client.message(false).text(), "ok");
    }
    drop(client);
    drop(proxy);
    let seen = shop.seen();
    assert_eq!(seen.len(), 2);
    for seen in seen {
        assert!(seen.ends_with(b"2\r\nhi\r\n0\r\n\r\n"));
    }
}

#[test]
fn a_post_is_sent_once_however_the_shop_breaks_off() {
    for partial in ["", "HTTP/1.1 200 OK\r\nContent-"] {
        let shop = Origin::new(move |wire, _| {
            wire.message(false);
            wire.say(OK);
            // The second request on this connection is read, and perhaps acted on.
            wire.message(false);
            wire.say(partial);
        });
        let proxy = spawn_proxy(shop.addr);
        let mut client = proxy.connect();
        client.say(get("/"));
        client.message(false);
        client.say("POST /buy HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(client.message(false).status(), 502);
        assert_eq!(proxy.counters.get(Event::ForwardRetried), 0);
        drop(client);
        drop(proxy);
        let seen = String::from_utf8(shop.seen().concat()).unwrap();
        assert_eq!(seen.matches("POST /buy").count(), 1, "{seen}");
    }
}

#[test]
fn a_shop_may_be_named() {
    let shop = Origin::always(OK);
    let proxy = Setup::new(shop.addr).host("localhost").start();
    let mut client = proxy.connect();
    client.say(get("/"));
    assert_eq!(client.message(false).status(), 200);
}

#[test]
fn errors_name_their_limit() {
    let error = Error::ConnectTimeout(Duration::from_secs(3));
    assert_eq!(error.to_string(), "no connection to the shop in 3s");
}
