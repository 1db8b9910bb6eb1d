//! TLS to the client: which certificate, which version, which protocol, and what goes through.

mod redirect;
mod reload;

use std::net::SocketAddr;

use refgate::accept::Listener;
use refgate::accept::tls::{Files, Settings, Version};
use refgate::event::Event;
use tempfile::TempDir;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{HandshakeKind, ProtocolVersion};

use crate::support::front::eventually;
use crate::support::origin::Origin;
use crate::support::proxy::{Running, Setup, any};
use crate::support::shop::{Shop, page};
use crate::support::tls::{Authority, Client, Signed};
use crate::support::wire::Wire;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";

/// A listener that speaks TLS.
fn speaking() -> Listener {
    Listener {
        tls: true,
        ..Listener::plain(any())
    }
}

fn setup(shop: SocketAddr, certificates: Vec<Files>) -> Setup {
    Setup::new(shop).with(|setup| {
        setup.accept.listen = vec![speaking()];
        setup.accept.tls.certificates = certificates;
    })
}

/// A proxy with one certificate, for `shop.test`.
fn simple(shop: SocketAddr, change: impl FnOnce(&mut Setup)) -> (Running, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::new()
        .sign(&["shop.test"])
        .write(folder.path(), "shop");
    (setup(shop, vec![files]).with(change).start(), folder)
}

fn asked_ok(wire: &mut Wire) -> bool {
    wire.say(GET);
    wire.message(false).text() == "ok"
}

#[test]
fn the_certificate_is_the_one_for_the_name_asked_for() {
    let shop = Origin::always(OK);
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let first = authority.sign(&["first.test"]);
    let exact = authority.sign(&["shop.test", "www.shop.test"]);
    let wildcard = authority.sign(&["*.shop.test"]);
    let other = authority.sign(&["unused.test"]);
    let mut hosts = other.write(folder.path(), "other");
    hosts.hosts = vec!["named.test".to_owned(), "*.named.test".to_owned()];
    let write = |signed: &Signed, name: &str| signed.write(folder.path(), name);
    let certificates = vec![
        write(&first, "first"),
        write(&exact, "exact"),
        write(&wildcard, "wildcard"),
        hosts,
    ];
    let proxy = setup(shop.addr, certificates).start();

    for (host, expected) in [
        ("first.test", &first),
        ("shop.test", &exact),
        ("SHOP.test", &exact),
        ("www.shop.test", &exact),
        ("de.shop.test", &wildcard),
        ("a.de.shop.test", &first),
        ("named.test", &other),
        ("a.named.test", &other),
        ("unused.test", &first),
        ("stranger.test", &first),
        ("127.0.0.1", &first),
    ] {
        let mut opened = Client::any().open(proxy.addr, host).unwrap();
        assert!(opened.leaf == expected.leaf, "{host}");
        assert!(asked_ok(&mut opened.wire), "{host}");
    }

    let browser = Client::trusting(&authority);
    browser.open(proxy.addr, "de.shop.test").unwrap();
    assert!(browser.open(proxy.addr, "stranger.test").is_err());
}

#[test]
fn both_versions_are_spoken_unless_the_older_is_refused() {
    let shop = Origin::always(OK);
    let (proxy, _folder) = simple(shop.addr, |_| {});
    for (version, expected) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let client = Client::with(&[version], &[]);
        let mut opened = client.open(proxy.addr, "shop.test").unwrap();
        assert_eq!(opened.version, Some(expected));
        assert!(asked_ok(&mut opened.wire));
    }
    drop(proxy);

    let (proxy, _folder) = simple(shop.addr, |setup| {
        setup.accept.tls.minimum = Version::Tls13;
    });
    let old = Client::with(&[&TLS12], &[]);
    let error = old.open(proxy.addr, "shop.test").err().unwrap();
    assert!(error.to_string().contains("ProtocolVersion"), "{error}");
    let mut opened = Client::any().open(proxy.addr, "shop.test").unwrap();
    assert!(asked_ok(&mut opened.wire));
    assert_eq!(proxy.counters.get(Event::HandshakeFailed), 1);
}

#[test]
fn the_protocol_is_one_that_both_sides_speak() {
    let shop = Origin::always(OK);
    let (proxy, _folder) = simple(shop.addr, |_| {});
    for (offered, expected) in [
        (&["http/1.1"][..], Some("http/1.1")),
        (&["spdy/3", "http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let client = Client::with(&[&TLS13], offered);
        let mut opened = client.open(proxy.addr, "shop.test").unwrap();
        assert_eq!(opened.alpn.as_deref(), expected.map(str::as_bytes));
        assert!(asked_ok(&mut opened.wire));
    }
    for strange in ["spdy/3", "acme-tls/1"] {
        let client = Client::with(&[&TLS13], &[strange]);
        assert!(client.open(proxy.addr, "shop.test").is_err(), "{strange}");
    }
}

#[test]
fn a_client_that_comes_again_is_recognised_by_every_worker() {
    let shop = Origin::always(OK);
    let (proxy, _folder) = simple(shop.addr, |setup| setup.accept.workers = 2);
    for version in [&TLS12, &TLS13] {
        let client = Client::with(&[version], &[]);
        let mut kinds = Vec::new();
        for _ in 0..8 {
            let mut opened = client.open(proxy.addr, "shop.test").unwrap();
            // A ticket comes with the answer, at the latest.
            assert!(asked_ok(&mut opened.wire));
            kinds.push(opened.kind.unwrap());
        }
        let again = kinds.split_off(1);
        assert_eq!(kinds, [HandshakeKind::Full]);
        assert_eq!(again, [HandshakeKind::Resumed; 7]);
    }
}

#[test]
fn the_shop_is_told_that_it_came_by_tls() {
    let shop = Shop::new(|_| page("", "ok"));
    let (proxy, _folder) = simple(shop.addr(), |_| {});
    let mut opened = Client::any().open(proxy.addr, "shop.test").unwrap();
    opened
        .wire
        .say("GET / HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-Proto: http\r\n\r\n");
    opened.wire.message(false);
    assert_eq!(shop.asked()[0].all("x-forwarded-proto"), [b"https"]);
}

#[test]
fn bodies_go_through_whole_and_the_end_is_said() {
    let sent: Vec<u8> = (0..3_000_000_u32)
        .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1])
        .collect();
    let shop = Shop::new(|request| page("", &request.body));
    let (proxy, _folder) = simple(shop.addr(), |_| {});
    for version in [&TLS12, &TLS13] {
        let client = Client::with(&[version], &[]);
        let mut wire = client.open(proxy.addr, "shop.test").unwrap().wire;
        let length = sent.len();
        wire.say(format!(
            "POST / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        ));
        wire.say(&sent);
        assert!(wire.message(false).body == sent);
        assert!(wire.is_over());
        assert!(!wire.truncated, "the connection ended without close_notify");
    }
}

#[test]
fn plain_bytes_are_not_answered_as_http() {
    let shop = Origin::always(OK);
    let (proxy, _folder) = simple(shop.addr, |_| {});
    let mut client = proxy.connect();
    client.say(GET);
    let answer = client.rest();
    // An alert at most (RFC 8446 §6).
    assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    // Counted when the connection is closed.
    let failed = || (proxy.counters.get(Event::HandshakeFailed) == 1).then_some(());
    assert!(eventually(failed).is_some());
    assert_eq!(proxy.counters.get(Event::Request), 0);
    assert!(asked_ok(
        &mut Client::any().open(proxy.addr, "shop.test").unwrap().wire
    ));
}

#[test]
fn a_handshake_that_is_not_finished_is_cut_off() {
    let shop = Origin::always(OK);
    let (proxy, _folder) = simple(shop.addr, |setup| {
        setup.accept.head_timeout = std::time::Duration::from_millis(200);
        setup.accept.connections = 1;
    });
    let mut silent = proxy.connect();
    let mut half = proxy.connect();
    half.say([22, 3, 1, 2, 0, 1]);
    // There is room for one connection only: each has to be gone for the next to be served.
    assert!(asked_ok(
        &mut Client::any().open(proxy.addr, "shop.test").unwrap().wire
    ));
    assert!(silent.is_over() && half.is_over());
    assert_eq!(proxy.counters.get(Event::HandshakeFailed), 2);
}

#[test]
fn a_handshake_in_flight_does_not_hold_up_the_end() {
    let shop = Origin::always(OK);
    let (proxy, _folder) = simple(shop.addr, |setup| setup.accept.workers = 1);
    let mut half = proxy.connect();
    half.say([22, 3, 1, 2, 0, 1]);
    // Accepted after it.
    assert!(asked_ok(
        &mut Client::any().open(proxy.addr, "shop.test").unwrap().wire
    ));
    assert_eq!(proxy.stop(), 0);
    assert!(half.is_over());
}

#[test]
fn without_a_certificate_nothing_is_served() {
    let shop = Origin::always(OK);
    let proxy = Setup::new(shop.addr)
        .with(|setup| {
            setup.accept.listen = vec![speaking()];
            setup.accept.tls = Settings::default();
        })
        .start();
    assert!(Client::any().open(proxy.addr, "shop.test").is_err());
    let failed = || (proxy.counters.get(Event::HandshakeFailed) == 1).then_some(());
    assert!(eventually(failed).is_some());
}
