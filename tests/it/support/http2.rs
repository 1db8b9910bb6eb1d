//! A shop that speaks HTTP/2: by the h2 crate, or frame by frame.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, Response, request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_util::sync::CancellationToken;

use super::tls::Authority;
use super::wire::Wire;

/// A request, and where its answer goes.
pub(crate) struct Asked {
    pub(crate) head: request::Parts,
    pub(crate) body: RecvStream,
    pub(crate) answer: SendResponse<Bytes>,
}

/// A shop on a thread of its own.
pub(crate) struct Shop {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
    end: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    open: AtomicUsize,
    heads: Mutex<Vec<(String, HeaderMap)>>,
}

impl Shop {
    /// Does this with every request, many at once.
    pub(crate) fn new<F: Future<Output = ()> + Send + 'static>(
        answer: impl Fn(Asked) -> F + Clone + Send + 'static,
    ) -> Self {
        Self::with(|_| {}, None, answer)
    }

    /// The same with other settings, and by TLS.
    pub(crate) fn with<F: Future<Output = ()> + Send + 'static>(
        change: impl FnOnce(&mut Builder),
        tls: Option<ServerConfig>,
        answer: impl Fn(Asked) -> F + Clone + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let (shared, end) = (Arc::<Shared>::default(), CancellationToken::new());
        let mut builder = Builder::new();
        change(&mut builder);
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let (kept, told) = (Arc::clone(&shared), end.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let accepting = accept(listener, kept, builder, tls, answer);
                told.run_until_cancelled(accepting).await;
            });
        });
        Self {
            addr,
            shared,
            end,
            thread: Some(thread),
        }
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many there are.
    pub(crate) fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Method and URI of each request so far, with its fields.
    pub(crate) fn asked(&self) -> Vec<(String, HeaderMap)> {
        self.shared.heads.lock().unwrap().clone()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.end.cancel();
        let joined = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            joined.unwrap();
        }
    }
}

async fn accept<F: Future<Output = ()> + Send + 'static>(
    listener: tokio::net::TcpListener,
    shared: Arc<Shared>,
    builder: Builder,
    tls: Option<TlsAcceptor>,
    answer: impl Fn(Asked) -> F + Clone + Send + 'static,
) {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let (builder, shared) = (builder.clone(), Arc::clone(&shared));
        let (tls, answer) = (tls.clone(), answer.clone());
        connections.spawn(async move {
            shared.open.fetch_add(1, Ordering::SeqCst);
            match tls {
                None => serve(socket, &shared, &builder, answer).await,
                // Whoever does not go through with it goes without an answer.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(socket).await {
                        serve(stream, &shared, &builder, answer).await;
                    }
                }
            }
            shared.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin, F: Future<Output = ()> + Send + 'static>(
    stream: S,
    shared: &Shared,
    builder: &Builder,
    answer: impl Fn(Asked) -> F,
) {
    let Ok(mut connection) = builder.handshake(stream).await else {
        return;
    };
    let mut answers = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (head, body) = request.into_parts();
        let line = format!("{} {}", head.method, head.uri);
        let kept = (line, head.headers.clone());
        shared.heads.lock().unwrap().push(kept);
        answers.spawn(answer(Asked {
            head,
            body,
            answer: respond,
        }));
    }
}

impl Asked {
    /// Everything of the body, and its trailers.
    pub(crate) async fn whole(&mut self) -> Result<(Vec<u8>, HeaderMap), h2::Error> {
        let mut whole = Vec::new();
        while let Some(data) = self.body.data().await {
            let data = data?;
            whole.extend_from_slice(&data);
            self.body.flow_control().release_capacity(data.len())?;
        }
        let trailers = self.body.trailers().await?;
        Ok((whole, trailers.unwrap_or_default()))
    }

    /// Answers with this text.
    pub(crate) fn say(mut self, text: impl Into<Bytes>) {
        let mut send = self.answer.send_response(ok(&[]), false).unwrap();
        send.send_data(text.into(), true).unwrap();
    }
}

/// A head.
pub(crate) fn ok(fields: &[(&str, &str)]) -> Response<()> {
    head(200, fields)
}

pub(crate) fn head(status: u16, fields: &[(&str, &str)]) -> Response<()> {
    let mut builder = Response::builder().status(status);
    for (name, value) in fields {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap()
}

/// Sends as much as the other side takes, piece by piece.
pub(crate) async fn pour(
    send: &mut h2::SendStream<Bytes>,
    mut data: Bytes,
    last: bool,
) -> Result<(), h2::Error> {
    while !data.is_empty() {
        send.reserve_capacity(data.len().min(64 * 1024));
        let room = std::future::poll_fn(|cx| send.poll_capacity(cx)).await;
        let room = match room {
            Some(room) => room?.min(data.len()),
            None => return Err(h2::Reason::CANCEL.into()),
        };
        let piece = data.split_to(room);
        send.send_data(piece, last && data.is_empty())?;
    }
    Ok(())
}

/// A shop's TLS, for `shop.test`, that chooses among these.
pub(crate) fn server(alpn: &[&str]) -> ServerConfig {
    let signed = Authority::new().sign(&["shop.test"]);
    let chain = CertificateDer::pem_slice_iter(signed.chain.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// Of a frame (RFC 9113 §4.1).
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// `:status: 200`, by HPACK's static table.
pub(crate) const OK: &[u8] = &[0x88];

/// Takes the client's preface and says hello.
pub(crate) fn greet(wire: &mut Wire) {
    let preface = wire.exactly(24);
    assert_eq!(preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    say(wire, SETTINGS, 0, 0, &[]);
}

pub(crate) fn say(wire: &mut Wire, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    // Whoever asked may be gone.
    wire.try_say(&bytes);
}

pub(crate) fn reset(wire: &mut Wire, stream: u32, reason: h2::Reason) {
    say(wire, RESET, 0, stream, &u32::from(reason).to_be_bytes());
}

pub(crate) fn go_away(wire: &mut Wire, last: u32) {
    let payload = [last.to_be_bytes(), [0; 4]].concat();
    say(wire, GOAWAY, 0, 0, &payload);
}

/// The next frame; none at the end.
pub(crate) fn frame(wire: &mut Wire) -> Option<Frame> {
    if wire.is_over() {
        return None;
    }
    let head = wire.exactly(9);
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte));
    let length = usize::try_from(number(&head[..3])).unwrap();
    Some(Frame {
        kind: head[3],
        flags: head[4],
        stream: number(&head[5..9]),
        payload: wire.exactly(length),
    })
}

/// The next frame of this kind; the client's SETTINGS and PINGs before it are acknowledged.
pub(crate) fn until(wire: &mut Wire, kind: u8) -> Option<Frame> {
    loop {
        let frame = frame(wire)?;
        if frame.kind == kind {
            return Some(frame);
        }
        match (frame.kind, frame.flags) {
            (SETTINGS, 0) => say(wire, SETTINGS, 1, 0, &[]),
            (PING, 0) => say(wire, PING, 1, 0, &frame.payload),
            _ => {}
        }
    }
}

/// The stream of the next request, whose head is passed over.
pub(crate) fn request(wire: &mut Wire) -> Option<u32> {
    until(wire, HEADERS).map(|frame| frame.stream)
}

/// A whole answer.
pub(crate) fn answer(wire: &mut Wire, stream: u32, text: &str) {
    say(wire, HEADERS, END_HEADERS, stream, OK);
    say(wire, DATA, END_STREAM, stream, text.as_bytes());
}
