//! The certificates in use, by host; swapped while handshakes go on.
//!
//! They come from files, which are looked at again and again, and from an authority
//! (`acme`), which also lends certificates for its challenges.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::CHALLENGE;
use super::certificate::Certificate;
use super::watch::Watched;
use crate::clock::Time;

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
    /// Hosts with what an authority gave for them; none yet for some.
    obtained: Vec<(String, Option<Certificate>)>,
}

/// What a handshake looks in.
#[derive(Debug, Default)]
struct Table {
    /// None of a host whose certificate is still to come.
    exact: HashMap<String, Option<Arc<CertifiedKey>>>,
    /// By what stands behind `*.`.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    default: Option<Arc<CertifiedKey>>,
}

impl Certificates {
    pub(super) fn of(files: Vec<Watched>) -> Self {
        let held = Held {
            files,
            obtained: Vec::new(),
        };
        Self {
            table: Mutex::new(Arc::new(held.table())),
            held: Mutex::new(held),
            challenges: Mutex::default(),
        }
    }

    /// Other files in place of those before; what an authority gave stays.
    pub(super) fn replace(&self, files: Vec<Watched>) {
        let mut held = lock(&self.held);
        held.files = files;
        self.swap(&held);
    }

    /// From now on `host` is served with a certificate that an authority gave; with none, and so
    /// not at all, until there is one. A file's goes before it.
    pub fn install(&self, host: &str, certificate: Option<Certificate>) {
        let mut held = lock(&self.held);
        match held.obtained.iter_mut().find(|(known, _)| known == host) {
            Some((_, place)) => *place = certificate,
            None => held.obtained.push((host.to_owned(), certificate)),
        }
        self.swap(&held);
    }

    /// Each certificate in use, by its file or its host, and when it is valid no longer.
    pub fn ends(&self) -> Vec<(String, Time)> {
        let held = lock(&self.held);
        let files = held.files.iter().map(Watched::end);
        let obtained = held.obtained.iter().filter_map(|(host, certificate)| {
            let until = certificate.as_ref()?.valid_until;
            Some((host.clone(), until))
        });
        files.chain(obtained).collect()
    }

    /// From now on a client that speaks `acme-tls/1` to `host` gets this self-signed certificate.
    ///
    /// # Errors
    /// The key is of no kind that TLS uses.
    pub fn lend(
        &self,
        host: &str,
        certificate: CertificateDer<'static>,
        key: &PrivateKeyDer<'static>,
    ) -> Result<(), rustls::Error> {
        // Its extension must be critical (RFC 8737 §3), so nothing that checks certificates takes it.
        let key = aws_lc_rs::sign::any_supported_type(key)?;
        let key = Arc::new(CertifiedKey::new(vec![certificate], key));
        lock(&self.challenges).insert(host.to_owned(), key);
        Ok(())
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
        table.find(host).cloned()
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
        for watched in &self.files {
            table.add(&watched.certificate);
        }
        for (host, certificate) in &self.obtained {
            match certificate {
                Some(certificate) => table.add(certificate),
                None => table.await_one(host),
            }
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
            match name.strip_prefix("*.") {
                Some(parent) => {
                    let entry = self.wildcard.entry(parent.to_owned());
                    entry.or_insert_with(|| Arc::clone(key));
                }
                None => {
                    let entry = self.exact.entry(name.clone()).or_default();
                    entry.get_or_insert_with(|| Arc::clone(key));
                }
            }
        }
    }

    fn await_one(&mut self, host: &str) {
        self.exact.entry(host.to_owned()).or_default();
    }

    fn find(&self, host: Option<&str>) -> Option<&Arc<CertifiedKey>> {
        let Some(host) = host else {
            return self.default.as_ref();
        };
        let parent = host.split_once('.').map_or("", |(_, parent)| parent);
        match self.exact.get(host) {
            Some(Some(key)) => Some(key),
            // Another's certificate would only frighten.
            Some(None) => self.wildcard.get(parent),
            None => self.wildcard.get(parent).or(self.default.as_ref()),
        }
    }
}

/// What is behind the lock is whole at any moment, also if somebody panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
