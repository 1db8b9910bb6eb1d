//! Our server and others' on the same bytes: what each takes for requests.
//!
//! All bytes are there before a server begins, and the client never closes: what goes on then is
//! decided by the bytes alone, and by a clock that jumps when nothing moves.

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use refgate::accept::tls::Protocol;
use refgate::accept::{Peer, Settings, Worker};
use refgate::event::Counters;
use refgate::message::body::next;
use refgate::message::{Body, Fields, Frame, Request, Response};
use refgate::store::Scheme;
use refgate::wire::{Stream, Wire};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{LIMITS, pairs, run};

/// Longer than anything takes while bytes move.
const LONG: Duration = Duration::from_secs(60);

/// A request as a service saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// What it asks for.
    pub target: Vec<u8>,
    /// What the client speaks.
    pub version: Version,
    /// Its fields, as they came.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// Its body; none: it has no clean end.
    pub body: Option<Vec<u8>>,
    /// The fields behind its body.
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// What our server makes of the bytes, and what it says.
///
/// # Panics
/// When it does, or hangs, or the system refuses a socket.
pub fn ours(protocol: Protocol, bytes: &[u8]) -> (Vec<Seen>, Vec<u8>) {
    let (mut client, server) = UnixStream::pair().expect("two sockets");
    client.write_all(bytes).expect("room for the bytes");
    server.set_nonblocking(true).expect("a socket");
    let log = Log::default();
    run(async {
        let server = std::net::TcpStream::from(OwnedFd::from(server));
        let server = TcpStream::from_std(server).expect("a socket");
        let service = {
            let log = Arc::clone(&log);
            move |_peer, request| answer(request, Arc::clone(&log))
        };
        let worker = Worker::new(
            settings(),
            Arc::new(Counters::default()),
            CancellationToken::new(),
            TaskTracker::new(),
        );
        let wire = Wire::new(Stream::Plain(server));
        let switched = worker.converse(wire, protocol, peer(), service).await;
        assert!(switched.is_none(), "nobody asked for a tunnel");
    });
    let mut said = Vec::new();
    // Bytes that nobody read make an error of the end.
    let _reset = client.read_to_end(&mut said);
    let seen = std::mem::take(&mut *log.lock().expect("a log"));
    (seen, said)
}

fn settings() -> Settings {
    let second = Duration::from_secs(1);
    Settings {
        listen: Vec::new(),
        tls: Default::default(),
        workers: 1,
        connections: 8,
        trusted: Vec::new(),
        head_limit: LIMITS.bytes,
        head_timeout: second,
        idle_timeout: second,
        stall_timeout: second,
        drain: second,
    }
}

fn peer() -> Peer {
    Peer {
        addr: ([192, 0, 2, 1], 7).into(),
        via: None,
        scheme: Scheme::Http,
        redirect: None,
    }
}

/// Gives back what was sent; with a length where that is even, in frames of their own otherwise.
async fn answer(request: Request, log: Log) -> Response<Echo> {
    let Request { head, mut body, .. } = request;
    let at = {
        let mut log = log.lock().expect("a log");
        log.push(Seen {
            method: head.method,
            target: head.target.as_bytes().to_vec(),
            version: head.version,
            fields: pairs(&head.fields),
            body: None,
            trailers: Vec::new(),
        });
        log.len() - 1
    };
    let told = body.left();
    let (mut whole, mut trailers) = (Vec::new(), Fields::default());
    loop {
        // How long a body may take is the service's to say.
        match tokio::time::timeout(LONG, next(&mut body)).await {
            Ok(Some(Ok(Frame::Data(data)))) => whole.extend_from_slice(&data),
            Ok(Some(Ok(Frame::Trailers(fields)))) => trailers = fields,
            Ok(None) => break,
            Ok(Some(Err(_))) | Err(_) => {
                return Response::new(StatusCode::BAD_REQUEST, Echo::default());
            }
        }
    }
    assert!(
        told.is_none_or(|told| told == whole.len() as u64),
        "{told:?}"
    );
    let mut log = log.lock().expect("a log");
    log[at].body = Some(whole.clone());
    log[at].trailers = pairs(&trailers);
    let status = status(&log[at].target);
    Response::new(status, Echo::of(&whole))
}

/// The status with which this target is answered.
pub fn status(target: &[u8]) -> StatusCode {
    match target {
        [.., b'2', b'0', b'4'] => StatusCode::NO_CONTENT,
        [.., b'3', b'0', b'4'] => StatusCode::NOT_MODIFIED,
        _ => StatusCode::OK,
    }
}

/// A body's pieces, the last one first.
#[derive(Default)]
struct Echo {
    pieces: Vec<Bytes>,
    is_sized: bool,
}

impl Echo {
    fn of(whole: &[u8]) -> Self {
        let pieces = whole.chunks(97).rev().map(Bytes::copy_from_slice);
        Self {
            pieces: pieces.collect(),
            is_sized: whole.len().is_multiple_of(2),
        }
    }
}

impl Body for Echo {
    type Error = Infallible;

    fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame, Infallible>>> {
        Poll::Ready(self.pieces.pop().map(|piece| Ok(Frame::Data(piece))))
    }

    fn left(&self) -> Option<u64> {
        let left: usize = self.pieces.iter().map(Bytes::len).sum();
        self.is_sized.then_some(left as u64)
    }
}

fn fields_of(map: &http::HeaderMap) -> Vec<(Vec<u8>, Vec<u8>)> {
    let fields = map.iter();
    fields
        .map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec()))
        .collect()
}

fn begun<B>(request: &hyper::Request<B>) -> Seen {
    Seen {
        method: request.method().clone(),
        target: request.uri().to_string().into_bytes(),
        version: request.version(),
        fields: fields_of(request.headers()),
        body: None,
        trailers: Vec::new(),
    }
}

/// What hyper makes of the bytes, as HTTP/1.1.
///
/// # Panics
/// When it does.
pub fn hyper(bytes: &[u8]) -> Vec<Seen> {
    let log = Log::default();
    run(async {
        let (mut client, server) = tokio::io::duplex(bytes.len() + 1024 * 1024);
        client.write_all(bytes).await.expect("room for the bytes");
        let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
            let log = Arc::clone(&log);
            async move {
                let at = log.lock().expect("a log").len();
                log.lock().expect("a log").push(begun(&request));
                let collected = request.into_body().collect().await?;
                let trailers = collected.trailers().map(fields_of).unwrap_or_default();
                let mut log = log.lock().expect("a log");
                log[at].body = Some(collected.to_bytes().to_vec());
                log[at].trailers = trailers;
                Ok::<_, hyper::Error>(hyper::Response::new(String::new()))
            }
        });
        let builder = hyper::server::conn::http1::Builder::new();
        let serving = builder.serve_connection(TokioIo::new(server), service);
        let _ended = tokio::time::timeout(LONG, serving).await;
    });
    std::mem::take(&mut *log.lock().expect("a log"))
}

/// What h2 makes of the bytes, as HTTP/2.
///
/// # Panics
/// When it does.
pub fn h2(bytes: &[u8]) -> Vec<Seen> {
    let log = Log::default();
    run(async {
        let (mut client, server) = tokio::io::duplex(bytes.len() + 1024 * 1024);
        client.write_all(bytes).await.expect("room for the bytes");
        let _ended = tokio::time::timeout(LONG, h2_streams(server, &log)).await;
    });
    std::mem::take(&mut *log.lock().expect("a log"))
}

async fn h2_streams(server: tokio::io::DuplexStream, log: &Log) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(server).await?;
    let mut streams = tokio::task::JoinSet::new();
    while let Some(accepted) = connection.accept().await {
        let (request, mut respond) = accepted?;
        let at = log.lock().expect("a log").len();
        log.lock().expect("a log").push(begun(&request));
        let log = Arc::clone(log);
        streams.spawn(async move {
            let mut body = request.into_body();
            let mut whole = Vec::new();
            while let Some(data) = body.data().await {
                let data = data?;
                body.flow_control().release_capacity(data.len())?;
                whole.extend_from_slice(&data);
            }
            let trailers = body.trailers().await?;
            {
                let mut log = log.lock().expect("a log");
                log[at].body = Some(whole);
                log[at].trailers = trailers.as_ref().map(fields_of).unwrap_or_default();
            }
            respond.send_response(http::Response::new(()), true)?;
            Ok::<_, h2::Error>(())
        });
    }
    Ok(())
}
