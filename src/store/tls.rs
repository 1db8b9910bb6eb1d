//! TLS to a shop: who it must prove to be.

mod pinned;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use pinned::Pinned;

/// Whose word for a shop's certificate is taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    /// Of the authorities that this machine trusts.
    Machine,
    /// Of the authorities in this PEM file, and of no other. One of them may be the shop's own.
    File(PathBuf),
    /// Nobody's: any certificate will do. Whoever stands in between can read and change everything.
    Anyone,
}

/// Why there is no trust.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file, or this machine's own, cannot be read.
    #[error("the authorities' certificates cannot be read")]
    Read(#[source] io::Error),
    /// There is none in it.
    #[error("there is no authority's certificate")]
    Empty,
    /// One of them is none.
    #[error("a certificate is not valid")]
    Certificate(#[source] rustls::Error),
    /// rustls speaks no version of TLS with these settings.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// How one shop is spoken to by TLS.
#[derive(Clone)]
pub struct Tls {
    name: ServerName<'static>,
    trust: Trust,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// A shop that proves to be `name`, a host name or an address; `client` comes from [`client`]
    /// with this `trust`.
    ///
    /// # Errors
    /// It is neither.
    pub fn new(
        name: &str,
        trust: Trust,
        client: Arc<ClientConfig>,
    ) -> Result<Self, InvalidDnsNameError> {
        Ok(Self {
            name: ServerName::try_from(name)?.to_owned(),
            trust,
            client,
        })
    }

    /// What it must prove to be.
    pub const fn name(&self) -> &ServerName<'static> {
        &self.name
    }

    /// Whose word is taken for that.
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// How TLS is spoken, with the sessions that can be resumed.
    pub const fn client(&self) -> &Arc<ClientConfig> {
        &self.client
    }

    /// What tells it from another one.
    fn key(&self) -> (std::borrow::Cow<'_, str>, &Trust) {
        (self.name.to_str(), &self.trust)
    }
}

/// TLS as it is spoken with shops that are trusted so. Reads the authorities' certificates now.
///
/// # Errors
/// There is nobody to trust.
pub fn client(trust: &Trust) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Anyone => Arc::new(Credulous(Arc::clone(&provider))),
        Trust::Machine => checking(&provider, machine()?)?,
        Trust::File(file) => {
            let own = read(file)?;
            let checking = checking(&provider, roots(&own)?)?;
            Arc::new(Pinned { checking, own })
        }
    };
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(client))
}

fn checking(
    provider: &Arc<CryptoProvider>,
    roots: RootCertStore,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    if roots.is_empty() {
        return Err(Error::Empty);
    }
    let builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    // It refuses only an empty store, or lists of revoked certificates, of which there are none.
    builder.build().map_err(|_empty| Error::Empty)
}

/// Those of a machine that cannot be read are as if they were not there.
fn machine() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    match found.errors.into_iter().next() {
        Some(error) if roots.is_empty() => Err(Error::Read(io::Error::other(error))),
        _ => Ok(roots),
    }
}

fn read(file: &PathBuf) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = std::fs::read(file).map_err(Error::Read)?;
    let certificates = CertificateDer::pem_slice_iter(&text);
    certificates
        .collect::<Result<_, _>>()
        .map_err(|error| Error::Read(io::Error::other(error)))
}

fn roots(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).map_err(Error::Certificate)?;
    }
    Ok(roots)
}

/// Takes any certificate, from whoever has its key.
#[derive(Debug)]
struct Credulous(Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("name", &self.name)
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Tls {
    /// The same settings, wherever they stand.
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Tls {}

impl Ord for Tls {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Tls {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Tls {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}
