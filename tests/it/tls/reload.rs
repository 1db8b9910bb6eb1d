//! Certificates whose files change while we serve.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use refgate::accept::tls::Files;
use refgate::event::Event;
use tempfile::TempDir;

use super::{OK, asked_ok, setup};
use crate::support::front::eventually;
use crate::support::origin::Origin;
use crate::support::proxy::{Running, Setup};
use crate::support::tls::{Authority, Client, Signed};

fn running(shop: &Origin, files: Files) -> Running {
    let looking = |setup: &mut Setup| setup.accept.tls.look_every = Duration::from_millis(5);
    setup(shop.addr, vec![files]).with(looking).start()
}

/// One file with certificate and key, so that both change in one moment.
struct Pem {
    folder: TempDir,
}

impl Pem {
    fn new(signed: &Signed) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pem = Self { folder };
        pem.put(signed.chain.clone() + &signed.key);
        pem
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("shop.pem")
    }

    fn files(&self) -> Files {
        Files {
            certificate: self.path(),
            key: self.path(),
            hosts: Vec::new(),
        }
    }

    fn put(&self, text: impl AsRef<[u8]>) {
        let draft = self.folder.path().join("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.path()).unwrap();
    }
}

fn serves(proxy: &Running, signed: &Signed) -> bool {
    let opened = Client::any().open(proxy.addr, "shop.test").unwrap();
    opened.leaf == signed.leaf
}

fn comes_to(proxy: &Running, signed: &Signed) -> bool {
    eventually(|| serves(proxy, signed).then_some(())).is_some()
}

#[test]
fn a_changed_file_is_taken_up_and_no_connection_is_lost() {
    let shop = Origin::always(OK);
    let authority = Authority::new();
    let (old, new) = (
        authority.sign(&["shop.test"]),
        authority.sign(&["shop.test"]),
    );
    let pem = Pem::new(&old);
    let proxy = running(&shop, pem.files());
    let mut kept = Client::any().open(proxy.addr, "shop.test").unwrap();
    assert!(kept.leaf == old.leaf);

    pem.put(new.chain.clone() + &new.key);
    assert!(comes_to(&proxy, &new));
    assert!(asked_ok(&mut kept.wire));
    assert_eq!(proxy.counters.get(Event::CertificateChanged), 1);
    assert_eq!(proxy.counters.get(Event::CertificateFailed), 0);
}

/// As certbot and Kubernetes do it: the names stay, what they point at is another.
#[test]
fn a_symbolic_link_that_is_swapped_is_a_change() {
    let shop = Origin::always(OK);
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (old, new) = (
        authority.sign(&["shop.test"]),
        authority.sign(&["shop.test"]),
    );
    let path = |name: &str| folder.path().join(name);
    for (name, signed) in [("1", &old), ("2", &new)] {
        fs::create_dir(path(name)).unwrap();
        signed.write(&path(name), "shop");
    }
    symlink("1", path("live")).unwrap();
    let files = Files {
        certificate: path("live/shop.crt"),
        key: path("live/shop.key"),
        hosts: Vec::new(),
    };
    let proxy = running(&shop, files);
    assert!(serves(&proxy, &old));

    symlink("2", path("next")).unwrap();
    fs::rename(path("next"), path("live")).unwrap();
    assert!(comes_to(&proxy, &new));
}

#[test]
fn a_file_that_cannot_be_used_leaves_the_one_before() {
    let shop = Origin::always(OK);
    let authority = Authority::new();
    let (old, new) = (
        authority.sign(&["shop.test"]),
        authority.sign(&["shop.test"]),
    );
    let pem = Pem::new(&old);
    let proxy = running(&shop, pem.files());
    let failures = |count| {
        let failed = || (proxy.counters.get(Event::CertificateFailed) >= count).then_some(());
        eventually(failed).is_some()
    };

    pem.put("no certificate");
    assert!(failures(1));
    pem.put(new.chain.clone() + &old.key);
    assert!(failures(2));
    fs::remove_file(pem.path()).unwrap();
    assert!(failures(3));
    let mut opened = Client::any().open(proxy.addr, "shop.test").unwrap();
    assert!(opened.leaf == old.leaf);
    assert!(asked_ok(&mut opened.wire));

    pem.put(new.chain.clone() + &new.key);
    assert!(comes_to(&proxy, &new));
    // Each change was told once, however often it was looked at.
    assert_eq!(proxy.counters.get(Event::CertificateFailed), 3);
}
