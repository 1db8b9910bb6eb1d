//! TLS to the client: rustls, one configuration for all workers.
//!
//! - The certificate is chosen by the name that the client asks for; they may change at any time.
//! - Sessions are resumed by tickets, whose keys every worker shares and rustls renews; nothing is
//!   kept for a client that is gone.
//! - No early data: a request in it could be repeated by anybody who saw it (RFC 8446 §8).

mod certificate;
mod store;
mod watch;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::{TlsAcceptor, TlsStream};

use crate::wire::Stream;

pub use certificate::{Certificate, Error as CertificateError, Files, holds_certificate};
pub use store::Certificates;

use watch::Watched;

/// What a certificate authority's validation speaks (RFC 8737 §6.2).
const CHALLENGE: &[u8] = b"acme-tls/1";

/// What is offered by ALPN, the preferred one first.
const OFFERED: &[Protocol] = &[Protocol::Http2, Protocol::Http1];

/// Tickets after a full TLS 1.3 handshake. Each works once; more are given on each connection.
const TICKETS: usize = 2;

/// How TLS is spoken.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The certificates in files; the first is for clients that name no host we know.
    pub certificates: Vec<Files>,
    /// The oldest version spoken.
    pub minimum: Version,
    /// How often the files are looked at.
    pub look_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            minimum: Version::Tls12,
            look_every: Duration::from_secs(2),
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// What a connection speaks once it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 or HTTP/1.0 (RFC 9112).
    Http1,
    /// HTTP/2 (RFC 9113).
    Http2,
}

impl Protocol {
    /// Its name in ALPN (RFC 7301 §6, RFC 9113 §3.2).
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of a certificate cannot be used.
    #[error("{path} cannot be used for TLS")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: CertificateError,
    },
    /// The system gives no random bytes for the tickets, or rustls knows none of the versions.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// Certificates that can be used: see [`Acceptor::read`].
#[derive(Debug)]
pub struct Prepared(Vec<Watched>);

/// What makes TLS of a connection; cheap to clone, shared by all workers.
#[derive(Clone)]
pub struct Acceptor {
    inner: TlsAcceptor,
    certificates: Arc<Certificates>,
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let certificates = &self.certificates;
        f.debug_struct("Acceptor")
            .field("certificates", certificates)
            .finish_non_exhaustive()
    }
}

impl Acceptor {
    /// Reads the certificates.
    ///
    /// # Errors
    /// One of them cannot be used; or the system gives no random bytes.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let Prepared(files) = Self::read(settings)?;
        let certificates = Arc::new(Certificates::of(files));
        let resolver = Arc::clone(&certificates);
        let config = config(settings.minimum, resolver)?;
        Ok(Self {
            inner: TlsAcceptor::from(Arc::new(config)),
            certificates,
        })
    }

    /// Certificates to use from some moment on; so far nothing changes.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn read(settings: &Settings) -> Result<Prepared, Error> {
        let open = |files: &Files| {
            Watched::open(files).map_err(|source| Error::Certificate {
                path: watch::refused(files, &source).to_owned(),
                source,
            })
        };
        let files = settings.certificates.iter().map(open);
        files.collect::<Result<_, _>>().map(Prepared)
    }

    /// Uses these certificates, and no other from files, from the next handshake on.
    pub fn adopt(&self, Prepared(files): Prepared) {
        self.certificates.replace(files);
    }

    /// The certificates in use.
    pub fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// The handshake. None if that was all there was to it: an authority has seen its challenge met.
    pub(super) async fn accept(&self, socket: TcpStream) -> io::Result<Option<(Stream, Protocol)>> {
        let stream = self.inner.accept(socket).await?;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(CHALLENGE) => return Ok(None),
            Some(name) if name == Protocol::Http2.name() => Protocol::Http2,
            Some(_) | None => Protocol::Http1,
        };
        let stream = Stream::Tls(Box::new(TlsStream::Server(stream)));
        Ok(Some((stream, protocol)))
    }
}

fn config(
    minimum: Version,
    certificates: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, rustls::Error> {
    let versions: &[&SupportedProtocolVersion] = match minimum {
        Version::Tls12 => &[&TLS13, &TLS12],
        Version::Tls13 => &[&TLS13],
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    let offered = OFFERED.iter().map(|protocol| protocol.name());
    config.alpn_protocols = offered.chain([CHALLENGE]).map(<[u8]>::to_vec).collect();
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = TICKETS;
    Ok(config)
}
