//! The server under test, and services for it.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use refgate::accept::{self, Door, Peer, Settings, Worker, tls};
use refgate::event::Counters;
use refgate::message::incoming::Broken;
use refgate::message::{Body, Fields, Frame, Request, Response, body};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::wire::Wire;

const LONG: Duration = Duration::from_secs(60);

/// A response's body, made of what a test puts in.
pub(super) enum Pieces {
    Ready(VecDeque<Result<Frame, Torn>>, Option<u64>),
    Later(mpsc::Receiver<Result<Frame, Torn>>, Option<u64>),
}

/// The body broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("torn")]
pub(super) struct Torn;

pub(super) type Answer = Response<Pieces>;
pub(super) type Working = Pin<Box<dyn Future<Output = Answer> + Send>>;

impl Body for Pieces {
    type Error = Torn;

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, Torn>>> {
        match self {
            Self::Ready(frames, left) => {
                let frame = frames.pop_front();
                if let (Some(left), Some(Ok(Frame::Data(data)))) = (left, &frame) {
                    *left = left.saturating_sub(data.len() as u64);
                }
                Poll::Ready(frame)
            }
            Self::Later(frames, _) => frames.poll_recv(cx),
        }
    }

    fn left(&self) -> Option<u64> {
        let (Self::Ready(_, left) | Self::Later(_, left)) = self;
        *left
    }

    fn is_end(&self) -> bool {
        matches!(self, Self::Ready(frames, _) if frames.is_empty())
    }
}

pub(super) fn data(bytes: impl Into<Bytes>) -> Frame {
    Frame::Data(bytes.into())
}

pub(super) fn trailers(fields: &[(&str, &str)]) -> Frame {
    Frame::Trailers(fields.iter().copied().collect())
}

/// 200 with these frames; the length is told if `known`.
pub(super) fn frames(known: bool, all: impl IntoIterator<Item = Frame>) -> Answer {
    let all: VecDeque<_> = all.into_iter().map(Ok).collect();
    let length = |frame: &Result<Frame, Torn>| match frame {
        Ok(Frame::Data(data)) => data.len() as u64,
        _ => 0,
    };
    let left = known.then(|| all.iter().map(length).sum());
    Response::new(StatusCode::OK, Pieces::Ready(all, left))
}

/// 200 with this text.
pub(super) fn text(text: impl Into<Bytes>) -> Answer {
    let text = text.into();
    frames(true, (!text.is_empty()).then_some(Frame::Data(text)))
}

/// What `answer` says, once it is asked.
pub(super) fn at_once(answer: Answer) -> Working {
    Box::pin(async move { answer })
}

/// All of a request's body: its bytes, its trailers, and why it broke off.
pub(super) async fn whole(request: &mut Request) -> (Vec<u8>, Fields, Option<Broken>) {
    let (mut bytes, mut fields) = (Vec::new(), Fields::default());
    loop {
        match body::next(&mut request.body).await {
            None => return (bytes, fields, None),
            Some(Err(broken)) => return (bytes, fields, Some(broken)),
            Some(Ok(Frame::Data(data))) => bytes.extend_from_slice(&data),
            Some(Ok(Frame::Trailers(trailers))) => fields = trailers,
        }
    }
}

/// Answers with what was asked: `METHOD target body`.
pub(super) fn mirror(mut request: Request) -> Working {
    Box::pin(async move {
        let (bytes, trailers, broken) = whole(&mut request).await;
        let mut out = format!("{} {:?} ", request.head.method, request.head.target).into_bytes();
        out.extend_from_slice(&bytes);
        for (name, value) in trailers.iter() {
            out.extend_from_slice(&[b" ", name, b"=", value].concat());
        }
        if let Some(broken) = broken {
            out.extend_from_slice(format!(" {broken:?}").as_bytes());
        }
        text(out)
    })
}

pub(super) fn settings() -> Settings {
    Settings {
        listen: Vec::new(),
        tls: tls::Settings::default(),
        trusted: Vec::new(),
        workers: 1,
        connections: 100,
        head_limit: 16 * 1024,
        head_timeout: LONG,
        idle_timeout: LONG,
        stall_timeout: LONG,
        drain: Duration::from_secs(10),
    }
}

/// The thread that a server runs on. A panic there ends a connection, which a test may not notice.
const NAME: &str = "http1 under test";
static HOOK: Once = Once::new();
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some(NAME) {
            PANICS.fetch_add(1, Ordering::SeqCst);
        }
        before(panic);
    }));
}

/// Fails if a server has panicked, this one or another.
pub(super) fn assert_sound() {
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "a connection panicked");
}

/// A running server; dropped, it is told to end, and nothing may be left over.
pub(super) struct Server {
    pub(super) addr: SocketAddr,
    pub(super) counters: Arc<Counters>,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<usize>>,
}

impl Server {
    pub(super) fn new<S>(service: S) -> Self
    where
        S: Fn(Request) -> Working + Send + Sync + 'static,
    {
        Self::with(settings(), service)
    }

    pub(super) fn with<S>(settings: Settings, service: S) -> Self
    where
        S: Fn(Request) -> Working + Send + Sync + 'static,
    {
        let any = "127.0.0.1:0".parse().unwrap();
        let listener = accept::bind(any, 1, settings.stall_timeout)
            .unwrap()
            .remove(0);
        let addr = listener.local_addr().unwrap();
        let counters = Arc::new(Counters::default());
        let shutdown = CancellationToken::new();
        let worker = Worker::new(
            settings,
            Arc::clone(&counters),
            shutdown.clone(),
            TaskTracker::new(),
        );
        let service = Arc::new(service);
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let service = move |_: Peer, request| service(request);
            worker.serve(listener, Door::default(), service).await;
            worker.drain().await
        };
        HOOK.call_once(count_panics);
        let thread = std::thread::Builder::new().name(NAME.to_owned());
        let thread = thread.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(serve)
        });
        let thread = thread.unwrap();
        Self {
            addr,
            counters,
            shutdown,
            thread: Some(thread),
        }
    }

    pub(super) fn connect(&self) -> Wire {
        Wire::to(self.addr)
    }

    /// Tells it to end, and goes on at once.
    pub(super) fn tell(&self) {
        self.shutdown.cancel();
    }

    /// Ends it; how many connections were cut off.
    pub(super) fn stop(mut self) -> usize {
        self.shutdown.cancel();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            assert_eq!(thread.join().unwrap(), 0, "connections left over");
            assert_sound();
        }
    }
}

/// What comes back for these bytes, until the server closes.
pub(super) fn exchange(server: &Server, bytes: impl AsRef<[u8]>) -> String {
    let mut client = server.connect();
    client.say(bytes);
    String::from_utf8_lossy(&client.rest()).into_owned()
}
