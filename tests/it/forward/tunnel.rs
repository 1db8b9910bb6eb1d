//! Upgrades: only after the shop's 101, bytes both ways.

use std::time::Duration;

use super::OK;
use crate::support::origin::Origin;
use crate::support::proxy::{Setup, spawn_proxy};
use crate::support::wire::{PATIENCE, Wire};

const ASK: &str = "GET /socket HTTP/1.1\r\nHost: shop.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Switches, says `early` at once, then sends back what comes until the client's end, and a last word.
fn echo(wire: &mut Wire, early: &str) {
    let head = String::from_utf8(wire.head()).unwrap();
    assert!(head.contains("Connection: Upgrade\r\n"), "{head}");
    assert!(head.contains("Upgrade: websocket\r\n"), "{head}");
    wire.say(format!("{SWITCH}{early}"));
    while !wire.is_over() {
        let some = wire.ahead_or_one(65536);
        wire.say(some);
    }
    wire.say("bye");
}

#[test]
fn bytes_go_both_ways_after_the_shops_101() {
    let shop = Origin::new(|wire, _| echo(wire, "early"));
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(ASK);
    let got = client.message(false);
    assert_eq!(got.status(), 101);
    let accept = got.get("sec-websocket-accept").unwrap();
    assert_eq!(accept, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(got.get("connection").unwrap(), b"Upgrade");
    assert_eq!(client.exactly(5), b"early");
    client.say([0x81, 0x02, b'h', b'i', 0, 255]);
    assert_eq!(client.exactly(6), [0x81, 0x02, b'h', b'i', 0, 255]);
    client.finish();
    assert_eq!(client.rest(), b"bye");
}

#[test]
fn bytes_sent_ahead_of_the_101_are_not_lost() {
    let shop = Origin::new(|wire, _| echo(wire, ""));
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(format!("{ASK}ahead"));
    assert_eq!(client.message(false).status(), 101);
    assert_eq!(client.exactly(5), b"ahead");
    client.finish();
    assert_eq!(client.rest(), b"bye");
}

#[test]
fn a_refused_upgrade_is_a_plain_answer() {
    let shop = Origin::always(OK);
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(ASK);
    assert_eq!(client.message(false).text(), "ok");
    client.say(super::get("/"));
    assert_eq!(client.message(false).text(), "ok");
    assert_eq!(shop.connections(), 1);
}

#[test]
fn h2c_is_never_asked_for() {
    let shop = Origin::always(OK);
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say("GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
    assert_eq!(client.message(false).text(), "ok");
    drop(client);
    drop(proxy);
    let seen = String::from_utf8(shop.seen().concat())
        .unwrap()
        .to_ascii_lowercase();
    for word in ["upgrade", "h2c", "http2-settings"] {
        assert!(!seen.contains(word), "{seen}");
    }
}

#[test]
fn a_silent_tunnel_is_closed() {
    let shop = Origin::new(|wire, _| echo(wire, ""));
    let proxy = Setup::new(shop.addr)
        .with(|setup| setup.forward.tunnel_timeout = Duration::from_millis(200))
        .start();
    let mut client = proxy.connect();
    client.say(ASK);
    assert_eq!(client.message(false).status(), 101);
    client.rest();
}

#[test]
fn a_tunnel_ends_with_the_shop() {
    let shop = Origin::new(|wire, _| {
        wire.head();
        wire.say(SWITCH);
        wire.say("last");
    });
    let proxy = spawn_proxy(shop.addr);
    let mut client = proxy.connect();
    client.say(ASK);
    assert_eq!(client.message(false).status(), 101);
    assert_eq!(client.rest(), b"last");
    client.finish();
}

#[test]
fn an_open_tunnel_does_not_hold_up_the_end() {
    let shop = Origin::new(|wire, _| echo(wire, "early"));
    let proxy = Setup::new(shop.addr)
        .with(|setup| setup.accept.drain = PATIENCE)
        .start();
    let mut client = proxy.connect();
    client.say(ASK);
    assert_eq!(client.message(false).status(), 101);
    assert_eq!(client.exactly(5), b"early");
    let before = std::time::Instant::now();
    assert_eq!(proxy.stop(), 0);
    assert!(before.elapsed() < PATIENCE, "it waited for the tunnel");
}
