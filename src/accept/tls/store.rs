//! The certificates in use, by host; swapped while handshakes go on.
//!
//! They come from files, which are looked at again and again, and from an authority
//! (`acme`), which also lends certificates for its challenges.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::CHALLENGE;
use super::certificate::Certificate;
use super::watch::Watched;

/// Every certificate, and which one a client gets.
#[derive(Debug, Default)]
pub struct Certificates {
    /// Locked for the length of a clone or a swap.
    table: Mutex<Arc<Table>>,
    /// What the table is made of. Locked while files are read: by the control runtime alone.
    pub(super) held: Mutex<Held>,
    /// By host, while an authority looks (RFC 8737).
    challenges: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

/// What the table is made of.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) files: Vec<Watched>,
    obtained: BTreeMap<String, Certificate>,
}

/// What a handshake looks in.
#[derive(Debug, Default)]
struct Table {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what stands behind `*.`.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    default: Option<Arc<CertifiedKey>>,
}

impl Certificates {
    pub(super) fn of(files: Vec<Watched>) -> Self {
        let held = Held {
            files,
            obtained: BTreeMap::new(),
        };
        Self {
            table: Mutex::new(Arc::new(held.table())),
            held: Mutex::new(held),
            challenges: Mutex::default(),
        }
    }

    /// From now on `host` is served with a certificate that an authority gave. A file's goes before it.
    pub fn install(&self, host: &str, certificate: Certificate) {
        let mut held = lock(&self.held);
        held.obtained.insert(host.to_owned(), certificate);
        self.swap(&held);
    }

    /// From now on a client that speaks `acme-tls/1` to `host` gets this one.
    pub fn lend(&self, host: &str, challenge: &Certificate) {
        let key = Arc::clone(&challenge.key);
        lock(&self.challenges).insert(host.to_owned(), key);
    }

    /// The challenge of `host` is over.
    pub fn withdraw(&self, host: &str) {
        lock(&self.challenges).remove(host);
    }

    /// The table anew.
    pub(super) fn swap(&self, held: &Held) {
        *lock(&self.table) = Arc::new(held.table());
    }

    /// For a handshake with `host`, in lower case.
    fn find(&self, host: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let table = Arc::clone(&lock(&self.table));
        host.and_then(|host| table.named(host))
            .or(table.default.as_ref())
            .cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls gives the name in lower case.
        let host = hello.server_name();
        if hello
            .alpn()
            .is_some_and(|mut names| names.any(|name| name == CHALLENGE))
        {
            return lock(&self.challenges).get(host?).cloned();
        }
        self.find(host)
    }
}

impl Held {
    fn table(&self) -> Table {
        let mut table = Table::default();
        let files = self.files.iter().map(|watched| &watched.certificate);
        for certificate in files.chain(self.obtained.values()) {
            table.add(certificate);
        }
        table
    }
}

impl Table {
    /// Of two certificates for one name the first is used.
    fn add(&mut self, certificate: &Certificate) {
        let key = &certificate.key;
        self.default.get_or_insert_with(|| Arc::clone(key));
        for name in &certificate.names {
            let (names, name) = match name.strip_prefix("*.") {
                Some(parent) => (&mut self.wildcard, parent),
                None => (&mut self.exact, name.as_str()),
            };
            let entry = names.entry(name.to_owned());
            entry.or_insert_with(|| Arc::clone(key));
        }
    }

    fn named(&self, host: &str) -> Option<&Arc<CertifiedKey>> {
        self.exact.get(host).or_else(|| {
            let (_, parent) = host.split_once('.')?;
            self.wildcard.get(parent)
        })
    }
}

/// What is behind the lock is whole at any moment, also if somebody panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
