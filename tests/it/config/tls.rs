//! `tls:` and the listeners that speak it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use refgate::accept::Listener;
use refgate::accept::tls::Version;
use refgate::acme::Challenge;
use refgate::config::{Loaded, report};

use crate::support::config::{Folder, shipped_with};
use crate::support::tls::{Authority, Signed};

const LISTEN: &str = "listen: { address: '127.0.0.1:8443', tls: true }\n";
const TLS: &str = "tls: { certificates: [{ certificate: shop.crt, key: shop.key }] }\n";

fn signed(names: &[&str]) -> Signed {
    Authority::new().sign(names)
}

/// The shipped configuration with `piece`, beside a certificate and its key.
fn folder(piece: &str, signed: &Signed) -> Folder {
    let folder = Folder::with(&shipped_with(piece))
        .file("shop.crt", &signed.chain)
        .file("shop.key", &signed.key);
    fs::set_permissions(folder.path("shop.key"), Permissions::from_mode(0o600)).unwrap();
    folder
}

fn with(piece: &str) -> Folder {
    folder(piece, &signed(&["store-us.localhost"]))
}

fn warnings(loaded: &Loaded) -> Vec<String> {
    loaded.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_listener_says_what_is_spoken_there() {
    let text = "
listen:
  - 127.0.0.1:8080
  - { address: '127.0.0.1:8443', tls: true, proxy_protocol: true }
  - { address: '127.0.0.1:8444', tls: true }
  - { address: '127.0.0.1:9081', redirect: true }
  - { address: '127.0.0.1:9082', redirect: 443 }
  - { address: '127.0.0.1:9083', redirect: false }
";
    let loaded = with(&format!("{text}{TLS}")).loaded();
    let plain = |port| Listener::plain(([127, 0, 0, 1], port).into());
    assert_eq!(
        loaded.settings.accept.listen,
        [
            plain(8080),
            Listener {
                tls: true,
                proxy_protocol: true,
                ..plain(8443)
            },
            Listener {
                tls: true,
                ..plain(8444)
            },
            Listener {
                redirect: Some(8443),
                ..plain(9081)
            },
            Listener {
                redirect: Some(443),
                ..plain(9082)
            },
            plain(9083),
        ]
    );
    let alone = with("listen: { address: '127.0.0.1:80', redirect: true }\n").loaded();
    let expected = Listener {
        redirect: Some(443),
        ..plain(80)
    };
    assert_eq!(alone.settings.accept.listen, [expected]);
}

#[test]
fn a_certificate_is_told_with_its_names() {
    let folder = with(&format!("{LISTEN}{TLS}"));
    let loaded = folder.loaded();
    assert_eq!(warnings(&loaded), [""; 0]);
    let tls = &loaded.settings.accept.tls;
    assert_eq!(tls.minimum, Version::Tls12);
    assert!(tls.certificates[0].certificate.ends_with("shop.crt"));
    let text = report::text(&loaded);
    for words in [
        "  for shoppers on 127.0.0.1:8443 (TLS), with",
        "  TLS 1.2 or newer is spoken, with\n",
        "shop.crt for store-us.localhost, valid until 4096-01-01T00:00:00Z\n",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }

    let piece = "tls: { minimum: '1.3', certificates: \
                 [{ certificate: shop.crt, key: shop.key, hosts: '*.Shop.example' }] }\n";
    let loaded = with(&format!("{LISTEN}{piece}")).loaded();
    let tls = &loaded.settings.accept.tls;
    assert_eq!(tls.minimum, Version::Tls13);
    assert_eq!(tls.certificates[0].hosts, ["*.shop.example"]);
}

#[test]
fn what_does_not_fit_is_a_fault_that_says_what_was_expected() {
    for (piece, expected) in [
        (
            LISTEN,
            "listen: found `tls: true` without a certificate; expected one at least under `tls.certificates`",
        ),
        (
            "listen: { address: '127.0.0.1:1', tls: true, redirect: true }\n",
            "listen: found `tls` and `redirect`; expected one of the two",
        ),
        (
            "listen: [{ address: '127.0.0.1:1', redirect: 70000 }]\n",
            "listen[0].redirect: found \"70000\"; expected true, false, or the port",
        ),
        ("listen: [{ tls: false }]\n", "listen[0].address: missing"),
        (
            "listen: [127.0.0.1:1, { address: '127.0.0.1:1' }]\n",
            "listen[1]: found an address that stands here already",
        ),
        (
            "listen: [{ address: '127.0.0.1:1', tsl: true }]\n",
            "listen[0].tsl: unknown key; did you mean `tls`?",
        ),
        (
            "tls: { certificates: [] }\n",
            "tls.certificates: found an empty list",
        ),
        (
            "tls: { certificates: [{ certificate: shop.crt }] }\n",
            "tls.certificates[0].key: missing; expected a PEM file",
        ),
        (
            "tls: { certificates: [{ certificate: shop.crt, key: shop.key, hosts: 'a b' }] }\n",
            "tls.certificates[0].hosts: found \"a b\" (not a host name",
        ),
        (
            "tls: { minimum: '1.1' }\n",
            "tls.minimum: found \"1.1\"; expected one of: 1.2, 1.3",
        ),
    ] {
        let faults = with(piece).faults();
        assert!(faults.contains(expected), "{expected}\n{faults}");
    }
}

const BOTH: &str = "
listen: [{ address: '127.0.0.1:8443', tls: true }, '127.0.0.1:80']
";

/// The shipped stores with hosts that the world can reach.
fn public(piece: &str) -> Folder {
    let text = shipped_with(piece)
        .replace("scheme: http ", "scheme: https ")
        .replace("store-us.localhost", "us.shop.example");
    let signed = signed(&["store-us.localhost"]);
    Folder::with(&text)
        .file("ca.crt", &signed.chain)
        .file("ca.key", &signed.key)
}

#[test]
fn an_authority_is_asked_for_the_hosts_that_have_no_certificate() {
    let folder = public(&format!("{BOTH}tls: {{ acme: {{ }} }}\n"));
    let loaded = folder.loaded();
    assert_eq!(warnings(&loaded), [""; 0]);
    let acme = loaded.settings.acme.clone().unwrap();
    assert_eq!(acme.hosts, ["us.shop.example"]);
    assert_eq!(
        acme.directory,
        "https://acme-v02.api.letsencrypt.org/directory"
    );
    assert_eq!(
        (acme.contact, acme.ca, acme.challenge),
        (None, None, Challenge::Http01)
    );
    assert_eq!(acme.cache, folder.path("acme"));
    let text = report::text(&loaded);
    let words = "certificates for us.shop.example from https://acme-v02.api.letsencrypt.org/directory, by http-01";
    assert!(text.contains(words), "{text}");

    let piece = "tls: { acme: { staging: true, contact: a@shop.example, hosts: [B.example, a.example], \
                 cache: kept, challenge: tls-alpn-01, ca: ca.crt } }\n";
    let folder = public(&format!("{LISTEN}{piece}"));
    let loaded = folder.loaded();
    let warnings = warnings(&loaded);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("tls: no certificate is for `us.shop.example` of the store `us`"));
    let acme = loaded.settings.acme.unwrap();
    assert_eq!(
        acme.directory,
        "https://acme-staging-v02.api.letsencrypt.org/directory"
    );
    assert_eq!(acme.hosts, ["b.example", "a.example"]);
    assert_eq!(acme.contact.as_deref(), Some("mailto:a@shop.example"));
    assert_eq!(acme.challenge, Challenge::TlsAlpn01);
    assert_eq!(
        (acme.cache, acme.ca),
        (folder.path("kept"), Some(folder.path("ca.crt")))
    );
}

#[test]
fn an_authority_that_could_not_do_it_is_a_fault() {
    for (acme, expected) in [
        (
            "directory: 'http://ca.example/dir'",
            "directory: found \"http://ca.example/dir\"; expected the URL",
        ),
        (
            "directory: 'https://ca.example/dir', staging: true",
            "directory: found a directory beside `staging: true`",
        ),
        (
            "contact: nobody",
            "contact: found \"nobody\"; expected an address for mail",
        ),
        ("contact: 'a@b.example,c@d.example'", "contact: found"),
        ("hosts: []", "hosts: found an empty list"),
        (
            "hosts: '*.shop.example'",
            "hosts: found \"*.shop.example\" (not a host name",
        ),
        ("hosts: [a.example, a.example]", "hosts[1]"),
        (
            "challenge: dns-01",
            "challenge: found \"dns-01\"; expected one of: http-01, tls-alpn-01",
        ),
        ("ca: none.crt", "ca: found \"none.crt\" (cannot be read"),
        (
            "ca: ca.key",
            "ca: found \"ca.key\" (no PEM certificate is in it)",
        ),
    ] {
        let faults = public(&format!("{BOTH}tls: {{ acme: {{ {acme} }} }}\n")).faults();
        assert!(
            faults.contains(&format!("tls.acme.{expected}")),
            "{expected}\n{faults}"
        );
    }
    let faults = with(&format!("{BOTH}tls: {{ acme: {{ }} }}\n")).faults();
    assert!(
        faults.contains("tls.acme.hosts: missing; expected the hosts"),
        "{faults}"
    );
    let faults = public(&format!("{LISTEN}tls: {{ acme: {{ }} }}\n")).faults();
    let expected = "tls.acme.challenge: found `http-01` without a plain listener";
    assert!(faults.contains(expected), "{faults}");
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_reason() {
    let good = signed(&["store-us.localhost"]);
    let other = signed(&["store-us.localhost"]);
    let both = format!("{LISTEN}{TLS}");
    let case = |chain: &str, key: &str| {
        let folder = folder(&both, &good);
        fs::write(folder.path("shop.crt"), chain).unwrap();
        fs::write(folder.path("shop.key"), key).unwrap();
        folder.faults()
    };
    for (faults, expected) in [
        (
            case("hello", &good.key),
            ".certificate: found \"shop.crt\" (no PEM certificate is in it); expected a PEM file with the certificate",
        ),
        (
            case(&good.chain, "hello"),
            ".key: found \"shop.key\" (no PEM private key is in it); expected a PEM file with the certificate's private key",
        ),
        (
            case(&good.chain, &other.key),
            ".key: found \"shop.key\" (the key is not the certificate's); expected",
        ),
        (
            with(&both.replace("shop.crt", "none.crt")).faults(),
            ".certificate: found \"none.crt\" (cannot be read: No such file or directory",
        ),
    ] {
        assert!(
            faults.contains(&format!("tls.certificates[0]{expected}")),
            "{faults}"
        );
        assert_eq!(faults.lines().count(), 1, "{faults}");
    }
}

#[test]
fn what_browsers_would_refuse_or_others_could_read_is_warned_of() {
    let past = Authority::new().sign_as(&["store-us.localhost"], |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 4, 1);
    });
    let later = Authority::new().sign_as(&["store-us.localhost"], |params| {
        params.not_before = rcgen::date_time_ymd(3000, 1, 1);
    });
    let both = format!("{LISTEN}{TLS}");
    let https = shipped_with(&both).replacen("scheme: http ", "scheme: https ", 1);
    let open = with(&both);
    fs::set_permissions(open.path("shop.key"), Permissions::from_mode(0o644)).unwrap();
    for (folder, expected) in [
        (
            folder(&both, &past),
            "it was valid until 2020-04-01T00:00:00Z: browsers refuse it",
        ),
        (
            folder(&both, &later),
            "it is valid from 3000-01-01T00:00:00Z only",
        ),
        (
            open,
            "its mode is 0644: everybody may read it; do `chmod o= ",
        ),
        (
            with(TLS),
            "tls: not used: nothing under `listen` says `tls: true`",
        ),
        (
            folder(&https, &signed(&["other.test"])),
            "tls: no certificate is for `store-us.localhost` of the store `us`",
        ),
    ] {
        let warnings = warnings(&folder.loaded());
        assert_eq!(warnings.len(), 1, "{warnings:#?}");
        assert!(warnings[0].contains(expected), "{expected}: {warnings:#?}");
    }
    let covered = folder(&https, &signed(&["*.localhost"]));
    assert_eq!(warnings(&covered.loaded()), [""; 0]);
}
