//! A plain listener that sends shoppers on to https.

use refgate::accept::Listener;

use super::{GET, OK, asked_ok, setup, speaking};
use crate::support::origin::Origin;
use crate::support::proxy::{Running, Setup, any};
use crate::support::tls::{Authority, Client};
use crate::support::wire::Wire;

fn running(shop: &Origin, port: u16) -> Running {
    let listen = Listener {
        redirect: Some(port),
        ..Listener::plain(any())
    };
    Setup::new(shop.addr)
        .with(|setup| setup.accept.listen = vec![listen])
        .start()
}

fn never() -> Origin {
    Origin::new(|_, _| panic!("the shop was asked"))
}

#[test]
fn every_request_is_sent_on_to_the_same_page_by_https() {
    let shop = never();
    let proxy = running(&shop, 443);
    let mut client = proxy.connect();
    for (request, location) in [
        (
            "GET /a?b=c%20d HTTP/1.1\r\nHost: shop.test\r\n\r\n",
            "/a?b=c%20d",
        ),
        ("GET / HTTP/1.1\r\nHost: SHOP.TEST:80\r\n\r\n", "/"),
        (
            "GET http://shop.test/x HTTP/1.1\r\nHost: shop.test\r\n\r\n",
            "/x",
        ),
        (
            "GET //evil.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
            "//evil.test/",
        ),
        (
            "GET /?affiliate_id=1 HTTP/1.1\r\nHost: shop.test\r\n\r\n",
            "/?affiliate_id=1",
        ),
        (
            "POST /order HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\n\r\na=b",
            "/order",
        ),
    ] {
        client.say(request);
        let answer = client.message(false);
        assert_eq!(answer.status(), 308, "{request}");
        let expected = format!("https://shop.test{location}");
        assert_eq!(answer.all("location"), [expected.as_bytes()], "{request}");
        assert!(answer.all("set-cookie").is_empty());
    }
}

#[test]
fn another_port_than_the_usual_one_is_named() {
    let shop = never();
    let proxy = running(&shop, 8443);
    let mut client = proxy.connect();
    client.say("HEAD /a HTTP/1.1\r\nHost: shop.test:8080\r\n\r\n");
    let answer = client.message(true);
    assert_eq!(answer.status(), 308);
    assert_eq!(answer.all("location"), [b"https://shop.test:8443/a"]);
}

#[test]
fn it_stands_beside_listeners_that_serve() {
    let shop = Origin::always(OK);
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::new()
        .sign(&["shop.test"])
        .write(folder.path(), "shop");
    let sending = Listener {
        redirect: Some(443),
        ..Listener::plain(any())
    };
    let listen = vec![sending, speaking(), Listener::plain(any())];
    let proxy = setup(shop.addr, vec![files])
        .with(|setup| setup.accept.listen = listen)
        .start();
    let mut sent = Wire::to(proxy.addrs[0]);
    sent.say(GET);
    assert_eq!(sent.message(false).status(), 308);
    let mut safe = Client::any().open(proxy.addrs[1], "shop.test").unwrap();
    assert!(asked_ok(&mut safe.wire));
    assert!(asked_ok(&mut Wire::to(proxy.addrs[2])));
}

#[test]
fn nobody_is_sent_to_a_host_that_is_not_ours() {
    let shop = never();
    let proxy = running(&shop, 443);
    for (host, status) in [
        ("evil.test", 421),
        ("shop.test.evil.test", 421),
        ("a b", 400),
    ] {
        let mut client = proxy.connect();
        client.say(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let answer = client.message(false);
        assert_eq!(answer.status(), status, "{host}");
        assert!(answer.all("location").is_empty(), "{host}");
    }
}
