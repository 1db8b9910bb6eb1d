//! Certificates made while a test runs, and a client that speaks TLS.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use refgate::accept::tls::Files;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, ProtocolVersion,
    RootCertStore, SignatureScheme, StreamOwned, SupportedProtocolVersion,
};
use tokio_rustls::rustls;

use super::wire::{PATIENCE, Wire};

/// Who signs the certificates of a test.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(crate) struct Signed {
    /// PEM: the certificate and its authority's.
    pub(crate) chain: String,
    /// PEM.
    pub(crate) key: String,
    pub(crate) leaf: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn sign(&self, names: &[&str]) -> Signed {
        self.sign_as(names, |_| {})
    }

    pub(crate) fn sign_as(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Signed {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Signed {
            chain: certificate.pem() + &self.0.pem(),
            key: key.serialize_pem(),
            leaf: certificate.der().clone(),
        }
    }
}

impl Signed {
    /// Writes both files into a folder.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> Files {
        let path = |ending: &str| folder.join(format!("{name}.{ending}"));
        std::fs::write(path("crt"), &self.chain).unwrap();
        std::fs::write(path("key"), &self.key).unwrap();
        Files {
            certificate: path("crt"),
            key: path("key"),
            hosts: Vec::new(),
        }
    }
}

/// What a client says in its handshakes; keeps the sessions of earlier ones.
pub(crate) struct Client(Arc<ClientConfig>);

/// A connection by TLS.
pub(crate) struct Opened {
    pub(crate) wire: Wire,
    pub(crate) kind: Option<HandshakeKind>,
    pub(crate) version: Option<ProtocolVersion>,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) leaf: CertificateDer<'static>,
}

impl Client {
    /// Takes any certificate, so that a test can look at it.
    pub(crate) fn any() -> Self {
        Self::with(rustls::ALL_VERSIONS, &[])
    }

    pub(crate) fn with(versions: &[&'static SupportedProtocolVersion], alpn: &[&str]) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let anything = Anything(provider.signature_verification_algorithms);
        let config = builder(provider, versions).dangerous();
        let config = config.with_custom_certificate_verifier(Arc::new(anything));
        Self::of(config.with_no_client_auth(), alpn)
    }

    /// Takes what `authority` has signed for the host, as a browser does.
    pub(crate) fn trusting(authority: &Authority) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.0.der().clone()).unwrap();
        let config = builder(provider, rustls::ALL_VERSIONS).with_root_certificates(roots);
        Self::of(config.with_no_client_auth(), &[])
    }

    /// The same for a client that does not block.
    pub(crate) fn connector(&self) -> tokio_rustls::TlsConnector {
        Arc::clone(&self.0).into()
    }

    fn of(mut config: ClientConfig, alpn: &[&str]) -> Self {
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config.resumption = Resumption::in_memory_sessions(8);
        Self(Arc::new(config))
    }

    /// The same, for a library that speaks by it.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }

    /// Asks for `host`; an address is asked for without a name.
    pub(crate) fn open(&self, addr: SocketAddr, host: &str) -> io::Result<Opened> {
        self.open_on(TcpStream::connect(addr)?, host)
    }

    /// The same on a connection on which something else was said before.
    pub(crate) fn open_on(&self, mut socket: TcpStream, host: &str) -> io::Result<Opened> {
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let mut tls = ClientConnection::new(Arc::clone(&self.0), name).unwrap();
        socket.set_read_timeout(Some(PATIENCE))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        Ok(Opened {
            kind: tls.handshake_kind(),
            version: tls.protocol_version(),
            alpn: tls.alpn_protocol().map(<[u8]>::to_vec),
            leaf: tls.peer_certificates().unwrap()[0].clone(),
            wire: Wire::through(socket.try_clone()?, StreamOwned::new(tls, socket)),
        })
    }
}

fn builder(
    provider: Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    let builder = ClientConfig::builder_with_provider(provider);
    builder.with_protocol_versions(versions).unwrap()
}

#[derive(Debug)]
struct Anything(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
