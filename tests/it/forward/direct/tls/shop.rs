//! A raw shop behind TLS, and who vouches for it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use refgate::store::tls::{self, Tls, Trust};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use super::super::Direct;
use crate::forward::OK;
use crate::support::wire::PATIENCE;

pub(super) type Stream = StreamOwned<ServerConnection, TcpStream>;

/// Who signs, and the file that says so.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(["self.test".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub(super) fn trust(&self) -> Trust {
        Trust::File(self.folder.path().join("ca.pem"))
    }

    /// A shop that has this name.
    pub(super) fn shop(
        &self,
        name: &str,
        script: impl Fn(&mut Stream, usize) + Send + 'static,
        connections: usize,
    ) -> Shop {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self::open(certificate.der().clone(), &key, script, connections)
    }

    /// A shop whose certificate is the authority's own.
    pub(super) fn itself(&self, script: impl Fn(&mut Stream, usize) + Send + 'static) -> Shop {
        Self::open(self.issuer.der().clone(), self.issuer.key(), script, 1)
    }

    fn open(
        certificate: CertificateDer<'static>,
        key: &KeyPair,
        script: impl Fn(&mut Stream, usize) + Send + 'static,
        connections: usize,
    ) -> Shop {
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![certificate],
                    PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
                )
                .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (met, meetings) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            for number in 0..connections {
                let (mut socket, _) = listener.accept().unwrap();
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut session = ServerConnection::new(Arc::clone(&config)).unwrap();
                while session.is_handshaking() {
                    if session.complete_io(&mut socket).is_err() {
                        break;
                    }
                }
                let met_as = Met {
                    kind: session.handshake_kind(),
                    name: session.server_name().map(str::to_owned),
                    alpn: session.alpn_protocol().map(<[u8]>::to_vec),
                };
                met.send(met_as).unwrap();
                if session.is_handshaking() {
                    continue;
                }
                let mut stream = Stream::new(session, socket);
                script(&mut stream, number);
            }
        });
        Shop {
            addr,
            meetings,
            thread: Some(thread),
        }
    }
}

/// A shop behind TLS, which takes so many connections.
pub(super) struct Shop {
    pub(super) addr: SocketAddr,
    meetings: mpsc::Receiver<Met>,
    thread: Option<JoinHandle<()>>,
}

/// What a handshake came to.
pub(super) struct Met {
    pub(super) kind: Option<HandshakeKind>,
    pub(super) name: Option<String>,
    pub(super) alpn: Option<Vec<u8>>,
}

impl Shop {
    /// A client that takes this trust's word for this name.
    pub(super) fn client(&self, name: &str, trust: Trust) -> Direct {
        let mut direct = Direct::to(self.addr);
        let client = tls::client(&trust).unwrap();
        let tls = Tls::new(name, trust, client).unwrap();
        direct.upstream.tls = Some(Arc::new(tls));
        direct
    }

    pub(super) fn met(&self) -> Met {
        self.meetings.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let thread = self.thread.take().unwrap();
        if !std::thread::panicking() {
            thread.join().unwrap();
        }
    }
}

/// A request's head; empty at the end.
pub(super) fn head(stream: &mut Stream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

pub(super) fn say(stream: &mut Stream, text: impl AsRef<[u8]>) {
    stream.write_all(text.as_ref()).unwrap();
    stream.flush().unwrap();
}

pub(super) fn answering(stream: &mut Stream) {
    while !head(stream).is_empty() {
        say(stream, OK);
    }
}
