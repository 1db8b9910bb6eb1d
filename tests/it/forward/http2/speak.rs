//! HTTP/2 by TLS, and what becomes of a shop that speaks something else.

use std::net::SocketAddr;
use std::sync::Arc;

use refgate::event::Event;
use refgate::store::tls::{self, Tls, Trust};

use super::before;
use crate::forward::get;
use crate::support::http2::{Asked, PING, Shop, answer, greet, request, say, server, until};
use crate::support::origin::Origin;
use crate::support::proxy::{Running, Setup};

fn by_tls(shop: SocketAddr) -> Running {
    let client = tls::client(&Trust::Anyone).unwrap();
    let tls = Tls::new("shop.test", Trust::Anyone, client).unwrap();
    Setup::new(shop).http2(Some(Arc::new(tls))).start()
}

#[test]
fn by_tls_it_is_agreed_on() {
    for alpn in [&["h2"][..], &["http/1.1", "h2"]] {
        let ok = async |asked: Asked| asked.say("ok");
        let shop = Shop::with(|_| {}, Some(server(alpn)), ok);
        let proxy = by_tls(shop.addr);
        let mut client = proxy.connect();
        for _ in 0..3 {
            client.say(get("/"));
            assert_eq!(client.message(false).text(), "ok");
        }
        assert_eq!(shop.connections(), 1);
        assert_eq!(shop.asked()[0].0, "GET https://shop.test/");
    }
}

#[test]
fn where_it_is_not_spoken_shoppers_get_an_answer() {
    let old = Origin::new(|wire, _| {
        wire.until(b"\r\n\r\n");
        wire.say("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let ok = async |asked: Asked| asked.say("ok");
    let declining = Shop::with(|_| {}, Some(server(&["http/1.1"])), ok);
    for proxy in [before(old.addr), by_tls(declining.addr)] {
        let mut client = proxy.connect();
        client.say(get("/"));
        let got = client.message(false);
        let text = "The shop cannot be reached.\n";
        assert_eq!((got.status(), got.text().as_str()), (502, text));
        assert_eq!(proxy.counters.get(Event::UpstreamFailed), 1);
    }
}

/// Takes as long as it takes until a silent shop is asked.
#[test]
fn a_shop_that_is_slow_and_alive_is_waited_for() {
    let shop = Origin::new(|wire, _| {
        greet(wire);
        let stream = request(wire).unwrap();
        let ping = until(wire, PING).unwrap();
        say(wire, PING, 1, 0, &ping.payload);
        answer(wire, stream, "late");
        assert_eq!(request(wire), None);
    });
    let proxy = before(shop.addr);
    let mut client = proxy.connect();
    client.say(get("/"));
    assert_eq!(client.message(false).text(), "late");
    drop((client, proxy));
}
