//! Where the shop listens, and who it must prove to be.

use refgate::config::report;
use refgate::store::Protocol;
use refgate::store::tls::Trust;

use super::warnings;
use crate::support::config::{Folder, shipped};

/// The certificate of somebody who signs others, in PEM.
pub(super) fn authority() -> String {
    let signed = rcgen::generate_simple_self_signed(["authority.test".to_owned()]);
    signed.unwrap().cert.pem()
}

/// The shipped file, in which one store's upstream and what is below it is this.
fn with(lines: &str) -> Folder {
    let text = shipped().replacen("upstream: http://127.0.0.1:8081", lines, 1);
    Folder::with(&text)
        .file("ca.pem", &authority())
        .file("none.pem", "nothing\n")
        .file(
            "bad.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        )
}

#[test]
fn an_upstream_has_a_port_said_or_usual() {
    for (written, meant) in [
        ("http://shop.test:8081", "http://shop.test:8081"),
        ("http://Shop.test", "http://shop.test:80"),
        ("http://[::1]/", "http://[::1]:80"),
        ("http://[::1]:81", "http://[::1]:81"),
    ] {
        let loaded = with(&format!("upstream: {written:?}")).loaded();
        let store = loaded.settings.stores.find("store-us.localhost").unwrap();
        assert_eq!(store.upstreams.members()[0].upstream.to_string(), meant);
        assert_eq!(store.upstreams.members()[0].upstream.tls, None);
    }
    let tls = "upstream_tls: { ca: ca.pem }";
    for (written, meant, name) in [
        ("https://shop.test", "https://shop.test:443", "shop.test"),
        ("https://[::1]:8443", "https://[::1]:8443", "::1"),
        ("https://10.0.0.1", "https://10.0.0.1:443", "10.0.0.1"),
    ] {
        let folder = with(&format!("upstream: {written:?}\n    {tls}"));
        let stores = folder.loaded().settings.stores;
        let store = stores.find("store-us.localhost").unwrap();
        assert_eq!(store.upstreams.members()[0].upstream.to_string(), meant);
        let tls = store.upstreams.members()[0].upstream.tls.as_ref().unwrap();
        assert_eq!(tls.name().to_str(), name);
        assert_eq!(*tls.trust(), Trust::File(folder.path("ca.pem")));
    }
}

#[test]
fn what_a_shop_must_prove_is_reported() {
    let named =
        "upstream: https://10.0.0.1\n    upstream_tls: { ca: ca.pem, server_name: shop.test }";
    let folder = with(named);
    let file = folder.path("ca.pem");
    let text = report::text(&folder.loaded());
    let words = format!(
        "it must prove to be shop.test by an authority in {}",
        file.display()
    );
    assert!(text.contains(&words), "{text}");

    let insecure = "upstream: https://10.0.0.1\n    upstream_tls: { insecure: true }";
    let loaded = with(insecure).loaded();
    assert!(report::text(&loaded).contains("it need not prove anything"));
    assert!(warnings(&loaded).contains("anybody between here and the shop"));
}

#[test]
fn a_doubtful_proof_is_a_fault() {
    for (lines, words) in [
        (
            "upstream: http://10.0.0.1:80\n    upstream_tls: { insecure: true }",
            "us.upstream_tls: found `upstream_tls`; expected it only where `upstream` begins with https://",
        ),
        (
            "upstream: https://10.0.0.1\n    upstream_tls: { ca: ca.pem, insecure: true }",
            "us.upstream_tls.ca: found `ca` beside `insecure: true`",
        ),
        (
            "upstream: https://10.0.0.1\n    upstream_tls: { ca: absent.pem }",
            "us.upstream_tls.ca: found a file that is of no use (the authorities' certificates cannot be read: No such file",
        ),
        (
            "upstream: https://10.0.0.1\n    upstream_tls: { ca: none.pem }",
            "us.upstream_tls.ca: found a file that is of no use (there is no authority's certificate)",
        ),
        (
            "upstream: https://10.0.0.1\n    upstream_tls: { ca: bad.pem }",
            "us.upstream_tls.ca: found a file that is of no use (a certificate is not valid",
        ),
        (
            "upstream: https://10.0.0.1\n    upstream_tls: { ca: ca.pem, server_name: a/b }",
            "us.upstream_tls.server_name: found \"a/b\"; expected the host name",
        ),
        (
            "upstream: https://10.0.0.1\n    upstream_tls: { ca: ca.pem, verify: false }",
            "us.upstream_tls.verify: ",
        ),
        (
            "upstream: https://shop.test:0",
            "us.upstream: found \"https://shop.test:0\" (no port from 1 to 65535)",
        ),
        (
            "upstream: https://[::1",
            "us.upstream: found \"https://[::1\" (no host name or address",
        ),
    ] {
        let faults = with(lines).faults();
        assert!(faults.contains(words), "{lines}: {faults}");
        assert_eq!(faults.lines().count(), 1, "{faults}");
    }
}

#[test]
fn the_shop_is_asked_by_the_http_that_the_operator_says() {
    let protocol = |lines: &str| {
        let folder = with(&format!("upstream: http://shop.test:8081{lines}"));
        let stores = folder.loaded().settings.stores;
        let store = stores.find("store-us.localhost").unwrap();
        store.upstreams.members()[0].upstream.protocol
    };
    for (lines, meant) in [
        ("", Protocol::Http1),
        ("\n    upstream_http: \"1.1\"", Protocol::Http1),
        ("\n    upstream_http: 1.1", Protocol::Http1),
        ("\n    upstream_http: \"2\"", Protocol::Http2),
        ("\n    upstream_http: 2", Protocol::Http2),
    ] {
        assert_eq!(protocol(lines), meant, "{lines}");
    }
    for wrong in ["2.0", "h2", "3", "\"\""] {
        let line = format!("upstream: http://shop.test:8081\n    upstream_http: {wrong}");
        let faults = with(&line).faults();
        let expected = "stores.us.upstream_http: found ";
        assert!(faults.contains(expected), "{faults}");
        assert!(faults.contains("; expected one of: 1.1, 2"), "{faults}");
        let place = faults.split_once(": ").unwrap().0;
        assert!(place.ends_with(":20"), "line and column: {faults}");
        assert_eq!(faults.lines().count(), 1, "{faults}");
    }
}

/// One shop, whichever way it is asked: its order numbers are the same.
#[test]
fn stores_with_one_shop_share_its_orders_whatever_they_speak() {
    let text = shipped()
        .replacen(
            "upstream: http://127.0.0.1:8081",
            "upstream: http://127.0.0.1:8081\n    upstream_http: \"2\"",
            1,
        )
        .replacen("127.0.0.1:8082", "127.0.0.1:8081", 1)
        .replace("    orders: demo\n", "");
    let stores = Folder::with(&text).loaded().settings.stores;
    let orders = |host: &str| stores.find(host).unwrap().orders.clone();
    assert_eq!(orders("store-us.localhost"), orders("store-ca.localhost"));
}
