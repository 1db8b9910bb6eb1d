//! Accept: limits, time-outs, drain.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use refgate::accept::{self, BindError};
use refgate::event::Event;

use crate::support::origin::Origin;
use crate::support::proxy::{Setup, spawn_proxy};
use crate::support::wire::PATIENCE;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn a_second_proxy_on_the_address_is_refused() {
    let shop = Origin::always(OK);
    let proxy = spawn_proxy(shop.addr);
    let again = accept::bind(proxy.addr, 2, SHORT);
    assert!(matches!(again, Err(BindError::Taken { .. })));
}

#[test]
fn a_head_that_trickles_in_is_cut_off() {
    let shop = Origin::always(OK);
    let proxy = Setup::new(shop.addr)
        .with(|setup| setup.accept.head_timeout = SHORT)
        .start();
    for first in [false, true] {
        let mut client = proxy.connect();
        if first {
            client.say(GET);
            assert_eq!(client.message(false).text(), "ok");
        }
        client.say("GET / HTTP/1.1\r\nHost: sh");
        assert_eq!(client.message(false).status(), 408);
        assert!(client.is_over());
    }
    assert_eq!(proxy.counters.get(Event::RequestRefused), 2);
}

#[test]
fn an_idle_connection_lives_longer_than_a_head_may_take_and_not_for_ever() {
    let shop = Origin::always(OK);
    let proxy = Setup::new(shop.addr)
        .with(|setup| {
            setup.accept.head_timeout = Duration::from_millis(100);
            setup.accept.idle_timeout = Duration::from_millis(600);
        })
        .start();
    let mut client = proxy.connect();
    client.say(GET);
    assert_eq!(client.message(false).text(), "ok");
    let idle = std::time::Instant::now();
    assert!(client.is_over());
    assert!(idle.elapsed() >= Duration::from_millis(500));
    assert_eq!(proxy.counters.get(Event::RequestRefused), 0);
}

#[test]
fn an_answer_that_takes_long_is_no_idle_connection() {
    let shop = Origin::new(|wire, _| {
        wire.head();
        pause(Duration::from_millis(500));
        wire.say(OK);
        wire.is_over();
    });
    let proxy = Setup::new(shop.addr)
        .with(|setup| {
            setup.accept.head_timeout = Duration::from_millis(50);
            setup.accept.idle_timeout = Duration::from_millis(100);
        })
        .start();
    let mut client = proxy.connect();
    client.say(GET);
    assert_eq!(client.message(false).text(), "ok");
}

#[test]
fn one_connection_too_many_waits_its_turn() {
    let shop = Origin::always(OK);
    let proxy = Setup::new(shop.addr)
        .with(|setup| setup.accept.connections = 1)
        .start();
    let mut first = proxy.connect();
    first.say(GET);
    first.message(false);
    let mut second = proxy.connect();
    second.say(GET);
    second.stream().set_read_timeout(Some(SHORT)).unwrap();
    assert!(second.stream().peek(&mut [0]).is_err());
    second
        .stream()
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    drop(first);
    assert_eq!(second.message(false).text(), "ok");
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_dropped() {
    let (over, ended) = mpsc::channel();
    let shop = Origin::new(move |wire, _| {
        wire.head();
        wire.say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let piece = vec![b'x'; 65536];
        while wire.try_say(&piece) {}
        over.send(()).unwrap();
    });
    let proxy = Setup::new(shop.addr)
        .with(|setup| setup.accept.stall_timeout = Duration::from_millis(500))
        .start();
    let mut client = proxy.connect();
    client.say(GET);
    client.head();
    ended.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn drain_finishes_what_is_in_flight_and_closes_the_idle_at_once() {
    let (asked, wait) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let shop = Origin::new(move |wire, _| {
        while !wire.is_over() {
            let request = wire.message(false);
            if request.start.contains("/slow") {
                asked.send(()).unwrap();
                gone.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            }
            wire.say(OK);
        }
    });
    let proxy = spawn_proxy(shop.addr);
    // The busy one first: who waits longest for the end is told first, so once the idle
    // connection has closed, the busy one knows.
    let mut busy = proxy.connect();
    busy.say("GET /slow HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    wait.recv_timeout(PATIENCE).unwrap();
    let mut idle = proxy.connect();
    idle.say(GET);
    idle.message(false);

    let addr = proxy.addr;
    let stopping = std::thread::spawn(move || proxy.stop());
    assert!(idle.is_over());
    assert!(!stopping.is_finished());
    go.send(()).unwrap();
    let got = busy.message(false);
    assert_eq!(got.text(), "ok");
    assert_eq!(got.get("connection").unwrap(), b"close");
    assert!(busy.is_over());
    assert_eq!(stopping.join().unwrap(), 0);
    assert!(std::net::TcpStream::connect(addr).is_err());
}

#[test]
fn drain_ends_though_a_request_does_not() {
    let (asked, wait) = mpsc::channel();
    let shop = Origin::new(move |wire, _| {
        wire.head();
        asked.send(()).unwrap();
        wire.rest();
    });
    let proxy = Setup::new(shop.addr)
        .with(|setup| setup.accept.drain = SHORT)
        .start();
    let mut client = proxy.connect();
    client.say(GET);
    wait.recv_timeout(PATIENCE).unwrap();
    assert!(proxy.stop() > 0);
    assert!(client.is_over());
}

#[test]
fn a_refusal_arrives_though_the_client_is_still_sending() {
    let shop = Origin::always(OK);
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(format!("GET / HTTP/1.1\r\nX-A: {}", "a".repeat(300_000)));
    assert_eq!(client.message(false).status(), 431);
    assert!(client.is_over());
    let counters = Arc::clone(&proxy.counters);
    drop(client);
    drop(proxy);
    assert_eq!(counters.get(Event::RequestRefused), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let asked = Arc::new(Mutex::new(0));
    let shop = Origin::new(move |wire, _| {
        while !wire.is_over() {
            wire.message(false);
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            wire.say(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{asked}"
            ));
        }
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(GET.repeat(3));
    for want in ["1", "2", "3"] {
        assert_eq!(client.message(false).text(), want);
    }
}

#[expect(clippy::disallowed_methods, reason = "a slow shop is slow")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
