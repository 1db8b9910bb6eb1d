//! A certificate with its key: from PEM files to what a handshake needs.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls;
use tokio_rustls::rustls::InconsistentKeys;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Error};

use crate::clock::Time;

/// Largest PEM file in bytes.
const LIMIT: u64 = 1024 * 1024;

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// PEM: the certificate, then the chain up to its authority.
    pub certificate: PathBuf,
    /// PEM: its private key. May be the same file.
    pub key: PathBuf,
    /// The hosts it is for, in place of the names that stand in it.
    pub hosts: Vec<String>,
}

/// A certificate that its key belongs to.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Lower-case DNS names; `*.` stands for one label.
    pub names: Vec<String>,
    /// When it begins to be valid.
    pub valid_from: Time,
    /// When it is valid no longer.
    pub valid_until: Time,
    pub(super) key: Arc<CertifiedKey>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificate's file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// No block `CERTIFICATE` in it.
    #[error("no PEM certificate is in it")]
    NoCertificate,
    /// The PEM around the certificate is broken.
    #[error("not valid PEM: {0}")]
    Pem(#[source] pem::Error),
    /// The block holds no X.509 certificate.
    #[error("not a valid certificate: {0}")]
    Certificate(#[source] X509Error),
    /// The key's file cannot be read.
    #[error("cannot be read: {0}")]
    ReadKey(#[source] io::Error),
    /// No block `PRIVATE KEY` in it.
    #[error("no PEM private key is in it")]
    NoKey,
    /// A block `ENCRYPTED PRIVATE KEY`: nobody is there to type the pass phrase.
    #[error("its private key is encrypted")]
    EncryptedKey,
    /// The PEM around the key is broken.
    #[error("not valid PEM: {0}")]
    KeyPem(#[source] pem::Error),
    /// The key is another certificate's.
    #[error("the key is not the certificate's")]
    Mismatch,
    /// No kind of key that TLS 1.2 or 1.3 here uses, or a certificate of an old version.
    #[error("cannot be used: {0}")]
    Unusable(#[source] rustls::Error),
}

impl Error {
    /// Whether it is about the key's file, not the certificate's.
    pub const fn is_about_key(&self) -> bool {
        match self {
            Self::ReadKey(_)
            | Self::NoKey
            | Self::EncryptedKey
            | Self::KeyPem(_)
            | Self::Mismatch
            | Self::Unusable(_) => true,
            Self::Read(_) | Self::NoCertificate | Self::Pem(_) | Self::Certificate(_) => false,
        }
    }
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// One of them cannot be read or used, or they do not belong together.
    pub fn read(files: &Files) -> Result<Self, Error> {
        let chain = read(&files.certificate).map_err(Error::Read)?;
        let key = read(&files.key).map_err(Error::ReadKey)?;
        let mut certificate = Self::parse(&chain, &key)?;
        if !files.hosts.is_empty() {
            certificate.names.clone_from(&files.hosts);
        }
        Ok(certificate)
    }

    /// A chain and a key, both PEM.
    ///
    /// # Errors
    /// One of them cannot be used, or they do not belong together.
    pub fn parse(chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(Error::Pem)?;
        let (names, valid_from, valid_until) = read_leaf(chain.first())?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound if is_encrypted(key) => Error::EncryptedKey,
            pem::Error::NoItemsFound => Error::NoKey,
            error => Error::KeyPem(error),
        })?;
        let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        let key = key.map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Error::Mismatch,
            error => Error::Unusable(error),
        })?;
        Ok(Self {
            names,
            valid_from,
            valid_until,
            key: Arc::new(key),
        })
    }

    /// The end-entity certificate, DER.
    pub fn leaf(&self) -> Option<&CertificateDer<'static>> {
        self.key.cert.first()
    }

    /// Whether a browser that asks for `host` (lower case) would take it.
    pub fn is_for(&self, host: &str) -> bool {
        let parent = host.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(suffix) => parent == Some(suffix),
            None => name == host,
        })
    }
}

/// Whether the file has a certificate in it that could be read.
///
/// # Errors
/// It has not.
pub fn holds_certificate(path: &Path) -> Result<(), Error> {
    let bytes = read(path).map_err(Error::Read)?;
    let first = CertificateDer::pem_slice_iter(&bytes).next();
    let first = first.transpose().map_err(Error::Pem)?;
    read_leaf(first.as_ref()).map(drop)
}

/// Names and dates.
fn read_leaf(leaf: Option<&CertificateDer<'_>>) -> Result<(Vec<String>, Time, Time), Error> {
    let leaf = leaf.ok_or(Error::NoCertificate)?;
    let (_, leaf) =
        X509Certificate::from_der(leaf).map_err(|error| Error::Certificate(error.into()))?;
    let names = leaf
        .subject_alternative_name()
        .map_err(Error::Certificate)?;
    let names = names
        .into_iter()
        .flat_map(|names| &names.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    let validity = leaf.validity();
    let time = |seconds: i64| Time::from_millis(seconds.saturating_mul(1000));
    Ok((
        names.collect(),
        time(validity.not_before.timestamp()),
        time(validity.not_after.timestamp()),
    ))
}

fn is_encrypted(key: &[u8]) -> bool {
    let mark = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    memchr::memmem::find(key, mark).is_some()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= LIMIT) {
        return Ok(bytes);
    }
    Err(io::ErrorKind::FileTooLarge.into())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pem(names: &[&str]) -> (String, String) {
        let names = names.iter().map(|name| (*name).to_owned());
        let params = CertificateParams::new(names.collect::<Vec<_>>()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    #[test]
    fn names_and_dates_stand_in_the_certificate() {
        let (chain, key) = pem(&["Shop.test", "*.shop.test", "127.0.0.1"]);
        let certificate = Certificate::parse(chain.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(certificate.names, ["shop.test", "*.shop.test"]);
        assert!(certificate.valid_from < certificate.valid_until);
        for (host, covered) in [
            ("shop.test", true),
            ("www.shop.test", true),
            ("a.www.shop.test", false),
            ("test", false),
            ("other.test", false),
        ] {
            assert_eq!(certificate.is_for(host), covered, "{host}");
        }
    }

    #[test]
    fn one_file_may_hold_both() {
        let (chain, key) = pem(&["shop.test"]);
        let both = key + &chain;
        Certificate::parse(both.as_bytes(), both.as_bytes()).unwrap();
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let (chain, key) = pem(&["shop.test"]);
        let (_, other) = pem(&["shop.test"]);
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let torn = chain.replace("-----END CERTIFICATE-----", "");
        let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (chain, key, words, about_key) in [
            ("", &*key, "no PEM certificate is in it", false),
            (&*key, &*key, "no PEM certificate is in it", false),
            (&*torn, &*key, "not valid PEM", false),
            (no_der, &*key, "not a valid certificate", false),
            (&*chain, "", "no PEM private key is in it", true),
            (&*chain, &*chain, "no PEM private key is in it", true),
            (&*chain, &*encrypted, "its private key is encrypted", true),
            (&*chain, &*other, "the key is not the certificate's", true),
        ] {
            let error = Certificate::parse(chain.as_bytes(), key.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with(words), "{error} / {words}");
            assert_eq!(error.is_about_key(), about_key, "{error}");
        }
    }
}
