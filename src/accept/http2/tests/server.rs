//! A server with a service to ask, as the tests want it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::support::PATIENCE;
use super::tls;
use crate::accept::Shared;
use crate::accept::{Peer, Settings};
use crate::event::{Counters, Event};
use crate::message::{self, Body, Frame, Incoming, Request, Response};
use crate::store::Scheme;
use crate::wire::{Stream, Wire};

pub(super) type Answer = Pin<Box<dyn Future<Output = Response<Content>> + Send>>;

/// What a response's body is made of.
pub(super) enum Content {
    /// So many bytes, known beforehand.
    Sized(usize),
    /// These frames, of which nobody says how many there are.
    Frames(VecDeque<Frame>),
    /// These frames, made when they are asked for.
    Lazy(Box<dyn Iterator<Item = Frame> + Send>),
    /// The request's body.
    Echo(Incoming),
    /// So many bytes once; the request's body is taken meanwhile.
    Both(Incoming, usize),
    /// It never goes on; the guard tells its end.
    Never { _guard: Guard },
    /// It breaks off.
    Broken,
}

/// Says so when it is let go.
pub(super) struct Guard(pub(super) Sender<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.send(()).ok();
    }
}

/// The bytes of [`Content::Sized`]: each can be told from its neighbours.
pub(super) fn pattern(start: usize, length: usize) -> Vec<u8> {
    let byte = |at: usize| u8::try_from(at % 251).unwrap();
    (start..start + length).map(byte).collect()
}

#[derive(Debug, thiserror::Error)]
#[error("broken")]
pub(super) struct Broken;

impl Body for Content {
    type Error = Broken;

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, Broken>>> {
        Poll::Ready(match self {
            Self::Sized(0) => None,
            Self::Sized(left) => {
                // From its end: the last byte is number 0.
                let length = (*left).min(100_000);
                *left -= length;
                let mut data = pattern(*left, length);
                data.reverse();
                Some(Ok(Frame::Data(data.into())))
            }
            Self::Frames(frames) => frames.pop_front().map(Ok),
            Self::Lazy(frames) => frames.next().map(Ok),
            Self::Echo(body) => {
                return body
                    .poll_frame(cx)
                    .map(|frame| frame.map(|frame| frame.map_err(|_broken| Broken)));
            }
            Self::Both(_, length) => {
                let data = vec![7; std::mem::take(length)];
                self.advance(cx);
                if data.is_empty() {
                    return Poll::Pending;
                }
                Some(Ok(Frame::Data(data.into())))
            }
            Self::Never { .. } => return Poll::Pending,
            Self::Broken => Some(Err(Broken)),
        })
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        if let Self::Both(body, _) = self {
            while let Poll::Ready(Some(Ok(_))) = body.poll_frame(cx) {}
        }
    }

    fn left(&self) -> Option<u64> {
        match self {
            Self::Sized(left) => Some(u64::try_from(*left).unwrap()),
            Self::Echo(body) => body.left(),
            Self::Frames(_)
            | Self::Lazy(_)
            | Self::Both(..)
            | Self::Never { .. }
            | Self::Broken => None,
        }
    }

    fn is_end(&self) -> bool {
        match self {
            Self::Echo(body) => body.is_end(),
            body => body.left() == Some(0),
        }
    }
}

pub(super) fn ok(content: Content) -> Response<Content> {
    Response::new(StatusCode::OK, content)
}

pub(super) fn text(text: &str) -> Response<Content> {
    let data = Bytes::copy_from_slice(text.as_bytes());
    ok(Content::Frames([Frame::Data(data)].into()))
}

/// A server that runs until the end of the test.
pub(super) struct Server {
    pub(super) addr: SocketAddr,
    pub(super) counters: Arc<Counters>,
    pub(super) shutdown: CancellationToken,
    /// Connections that are over, and whether they ended without a panic.
    pub(super) ended: Mutex<Receiver<bool>>,
}

pub(super) fn settings() -> Settings {
    Settings {
        listen: Vec::new(),
        tls: crate::accept::tls::Settings::default(),
        trusted: Vec::new(),
        workers: 1,
        connections: 100,
        head_limit: 16 * 1024,
        head_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        stall_timeout: PATIENCE,
        drain: PATIENCE,
    }
}

impl Server {
    pub(super) fn start(service: impl Fn(Request) -> Answer + Clone + Send + 'static) -> Self {
        Self::with(settings(), service)
    }

    pub(super) fn with(
        settings: Settings,
        service: impl Fn(Request) -> Answer + Clone + Send + 'static,
    ) -> Self {
        Self::listen(settings, None, service)
    }

    /// Every connection on a runtime of its own.
    fn listen(
        settings: Settings,
        tls: Option<TlsAcceptor>,
        service: impl Fn(Request) -> Answer + Clone + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (end, ended) = channel();
        let server = Self {
            ended: Mutex::new(ended),
            addr: listener.local_addr().unwrap(),
            counters: Arc::default(),
            shutdown: CancellationToken::new(),
        };
        let settings = Arc::new(settings);
        let (counters, shutdown) = (Arc::clone(&server.counters), server.shutdown.clone());
        std::thread::spawn(move || {
            while let Ok((stream, addr)) = listener.accept() {
                let shared = Shared {
                    settings: Arc::clone(&settings),
                    counters: Arc::clone(&counters),
                    shutdown: shutdown.clone(),
                };
                let (tls, service) = (tls.clone(), service.clone());
                let one = std::thread::spawn(move || one((stream, addr), tls, shared, service));
                let end = end.clone();
                std::thread::spawn(move || end.send(one.join().is_ok()));
            }
        });
        server
    }

    /// The same over TLS.
    pub(super) fn over_tls(service: impl Fn(Request) -> Answer + Clone + Send + 'static) -> Self {
        Self::listen(settings(), Some(tls::acceptor()), service)
    }

    /// Answers `/N` with N bytes, and POST with what it was sent.
    pub(super) fn plain() -> Self {
        Self::start(|request| Box::pin(async { plain(request) }))
    }

    pub(super) fn refused(&self) -> u64 {
        self.counters.get(Event::RequestRefused)
    }
}

pub(super) fn plain(request: Request) -> Response<Content> {
    if request.head.method == http::Method::POST {
        return ok(Content::Echo(request.body));
    }
    let size = request
        .head
        .target
        .as_str()
        .and_then(|path| path.strip_prefix('/')?.parse().ok());
    match size {
        Some(size) => ok(Content::Sized(size)),
        None => text("hello"),
    }
}

fn one(
    (stream, addr): (TcpStream, SocketAddr),
    tls: Option<TlsAcceptor>,
    shared: Shared,
    service: impl Fn(Request) -> Answer + Clone + Send + 'static,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let peer = Peer {
        addr,
        via: None,
        scheme: Scheme::Http,
        redirect: None,
    };
    stream.set_nonblocking(true).unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
        let stream = match tls {
            None => Stream::Plain(stream),
            Some(tls) => Stream::Tls(Box::new(tls.accept(stream).await.unwrap().into())),
        };
        let wire = Wire::new(stream);
        super::super::serve(wire, peer, shared, move |_, request| service(request)).await;
    });
}

/// A place where the service leaves what it has seen.
pub(super) fn seen<T: Send>() -> (Sender<T>, Receiver<T>) {
    channel()
}

/// Shared by the clones of a service.
pub(super) fn shared<T>(value: T) -> Arc<Mutex<T>> {
    Arc::new(Mutex::new(value))
}

/// A request's body, read to its end.
pub(super) async fn read(mut body: Incoming) -> Result<Vec<u8>, message::incoming::Broken> {
    let mut all = Vec::new();
    while let Some(frame) = message::body::next(&mut body).await {
        if let Frame::Data(data) = frame? {
            all.extend_from_slice(&data);
        }
    }
    Ok(all)
}

/// Waits without an end.
pub(super) async fn never() -> Infallible {
    std::future::pending().await
}

/// A response that says what was read.
pub(super) fn text_of(read: Result<Vec<u8>, message::incoming::Broken>) -> Response<Content> {
    text(&String::from_utf8(read.unwrap()).unwrap())
}
