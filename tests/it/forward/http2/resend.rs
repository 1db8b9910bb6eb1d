//! What goes out twice, and what never does: frame by frame.

use std::sync::{Mutex, mpsc};

use refgate::event::Event;

use super::{before, post};
use crate::forward::get;
use crate::support::front::eventually;
use crate::support::http2::{
    DATA, END_HEADERS, END_STREAM, HEADERS, OK, answer, go_away, greet, request, reset, say, until,
};
use crate::support::origin::Origin;
use crate::support::proxy::Running;
use crate::support::wire::{PATIENCE, Wire};

/// A POST whose body waits for the shop.
const HELD: &str =
    "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

fn retried(proxy: &Running) -> u64 {
    proxy.counters.get(Event::ForwardRetried)
}

/// Answers every request with its stream's number.
fn serve(wire: &mut Wire) {
    while let Some(stream) = request(wire) {
        answer(wire, stream, &stream.to_string());
    }
}

/// What the first connection does with its first request.
#[derive(Clone, Copy, Debug)]
enum No {
    Refused,
    Above,
}

impl No {
    fn say(self, wire: &mut Wire, stream: u32) {
        match self {
            Self::Refused => reset(wire, stream, h2::Reason::REFUSED_STREAM),
            Self::Above => go_away(wire, 0),
        }
    }
}

#[test]
fn what_the_shop_has_not_looked_at_goes_out_again() {
    for no in [No::Refused, No::Above] {
        for asking in [get("/"), HELD.to_owned()] {
            let shop = Origin::new(move |wire, number| {
                greet(wire);
                if number == 0 {
                    let stream = request(wire).unwrap();
                    no.say(wire, stream);
                }
                serve(wire);
            });
            let proxy = before(shop.addr);
            let mut client = proxy.connect();
            client.say(&asking);
            assert_eq!(client.message(false).text(), "1", "{no:?} {asking}");
            assert_eq!(retried(&proxy), 1);
            assert_eq!(shop.connections(), 2);
            drop((client, proxy));
        }
    }
}

#[test]
fn a_body_that_was_begun_does_not_go_out_again() {
    for no in [No::Refused, No::Above] {
        let shop = Origin::new(move |wire, _| {
            greet(wire);
            let stream = request(wire).unwrap();
            assert_eq!(until(wire, DATA).unwrap().payload, b"order");
            no.say(wire, stream);
            assert_eq!(request(wire), None);
        });
        let proxy = before(shop.addr);
        let mut client = proxy.connect();
        client.say(post("/", "order"));
        assert_eq!(client.message(false).status(), 502, "{no:?}");
        assert_eq!(retried(&proxy), 0);
        assert_eq!(shop.connections(), 1);
        drop((client, proxy));
    }
}

#[test]
fn a_request_goes_out_twice_at_most() {
    let shop = Origin::new(|wire, _| {
        greet(wire);
        let stream = request(wire).unwrap();
        reset(wire, stream, h2::Reason::REFUSED_STREAM);
        assert_eq!(request(wire), None);
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say(get("/"));
    assert_eq!(client.message(false).status(), 502);
    assert_eq!(shop.connections(), 2);
    drop((client, proxy));
}

#[test]
fn a_connection_that_ends_under_a_request_is_forgiven_only_where_that_is_safe() {
    for (asking, status, connections) in [
        (get("/"), 200, 2),
        (post("/", ""), 502, 1),
        (post("/", "order"), 502, 1),
        (HELD.to_owned(), 502, 1),
    ] {
        let shop = Origin::new(|wire, number| {
            greet(wire);
            if number == 0 {
                let stream = request(wire).unwrap();
                answer(wire, stream, "first");
                request(wire).unwrap();
                return;
            }
            serve(wire);
        });
        let proxy = before(shop.addr);
        let mut client = proxy.connect();
        client.say(get("/"));
        assert_eq!(client.message(false).text(), "first");
        let mut client = proxy.connect();
        client.say(&asking);
        assert_eq!(client.message(false).status(), status, "{asking}");
        assert_eq!(shop.connections(), connections, "{asking}");
        drop((client, proxy));
    }
}

#[test]
fn the_first_request_of_a_connection_is_not_sent_again() {
    let shop = Origin::new(|wire, _| {
        greet(wire);
        request(wire).unwrap();
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say(get("/"));
    assert_eq!(client.message(false).status(), 502);
    assert_eq!(shop.connections(), 1);
}

#[test]
fn after_a_goaway_old_streams_end_and_new_ones_begin_elsewhere() {
    let (told, is_told) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let shop = Origin::new(move |wire, number| {
        greet(wire);
        if number > 0 {
            return serve(wire);
        }
        let stream = request(wire).unwrap();
        say(wire, HEADERS, END_HEADERS, stream, OK);
        say(wire, DATA, 0, stream, b"old, ");
        go_away(wire, stream);
        told.send(()).unwrap();
        gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        say(wire, DATA, END_STREAM, stream, b"and whole");
        assert_eq!(request(wire), None);
    });
    let proxy = before(shop.addr);
    let mut old = proxy.connect();
    old.say(get("/"));
    old.until(b"old, ");
    is_told.recv_timeout(PATIENCE).unwrap();
    for stream in ["1", "3"] {
        let mut new = proxy.connect();
        new.say(get("/"));
        assert_eq!(new.message(false).text(), stream);
    }
    go.send(()).unwrap();
    assert!(old.until(b"0\r\n\r\n").ends_with(b"and whole\r\n0\r\n\r\n"));
    assert_eq!(shop.connections(), 2);
    drop((old, proxy));
}

#[test]
fn an_end_that_differs_from_the_length_is_none() {
    // `content-length: 10`, by HPACK.
    let head = [OK, &[0x0f, 0x0d, 2, b'1', b'0']].concat();
    let shop = Origin::new(move |wire, _| {
        greet(wire);
        for body in [&b"short"[..], b"longer than ten"] {
            let stream = request(wire).unwrap();
            say(wire, HEADERS, END_HEADERS, stream, &head);
            say(wire, DATA, END_STREAM, stream, body);
        }
        request(wire);
    });
    let proxy = before(shop.addr);
    for _ in 0..2 {
        let mut client = proxy.connect();
        client.say(get("/"));
        let head = client.head();
        // What came too early may cost the head as well.
        let whole = head.starts_with(b"HTTP/1.1 200") && client.rest().len() >= 10;
        assert!(!whole);
    }
    drop(proxy);
}

#[test]
fn a_body_that_breaks_off_never_ends_cleanly() {
    let long = [OK, &[0x0f, 0x0d, 2, b'1', b'0']].concat();
    let shop = Origin::new(move |wire, _| {
        greet(wire);
        for (head, reason) in [
            (&long[..], h2::Reason::INTERNAL_ERROR),
            (OK, h2::Reason::CANCEL),
            (OK, h2::Reason::NO_ERROR),
        ] {
            let stream = request(wire).unwrap();
            say(wire, HEADERS, END_HEADERS, stream, head);
            say(wire, DATA, 0, stream, b"begun");
            reset(wire, stream, reason);
        }
        serve(wire);
    });
    let proxy = before(shop.addr);
    for count in 1..=3 {
        let mut client = proxy.connect();
        client.say(get("/"));
        let got = client.message(false);
        assert_eq!((got.status(), got.complete), (200, false));
        let truncated = || proxy.counters.get(Event::ShopTruncated) == count;
        assert!(eventually(|| truncated().then_some(())).is_some());
    }
    let mut client = proxy.connect();
    client.say(get("/"));
    assert_eq!(client.message(false).text(), "7");
    assert_eq!(shop.connections(), 1);
    drop((client, proxy));
}

#[test]
fn a_connection_that_ends_within_a_body_is_no_end_of_it() {
    let shop = Origin::new(|wire, number| {
        greet(wire);
        let stream = request(wire).unwrap();
        say(wire, HEADERS, END_HEADERS, stream, OK);
        say(wire, DATA, 0, stream, b"begun");
        if number == 0 {
            go_away(wire, stream);
        }
    });
    let proxy = before(shop.addr);
    for _ in 0..2 {
        let mut client = proxy.connect();
        client.say(get("/"));
        let got = client.message(false);
        assert!(!got.complete, "{got:?}");
    }
}

#[test]
fn a_shop_that_hints_for_ever_is_stopped() {
    let shop = Origin::new(|wire, _| {
        greet(wire);
        let stream = request(wire).unwrap();
        // `:status: 103`, by HPACK.
        let hint = [0x08, 3, b'1', b'0', b'3'];
        for _ in 0..1000 {
            say(wire, HEADERS, END_HEADERS, stream, &hint);
        }
        assert!(until(wire, crate::support::http2::RESET).is_some());
        serve(wire);
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say(get("/"));
    let status = loop {
        let status = client.message(false).status();
        if status != 103 {
            break status;
        }
    };
    assert_eq!(status, 502);
    client.say(get("/"));
    assert_eq!(client.message(false).text(), "3");
    drop((client, proxy));
}
