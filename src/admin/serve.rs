//! One connection after the other: who comes, what he asks, what he is answered.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::door::{self, Asked, Peer};
use super::listener::{File, Listener, Socket};
use super::settings::Settings;
use super::steering::Verb;
use super::{Admin, page};
use crate::actor::Actor;

/// How long an operator's client may take over a request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest body of a request in bytes.
const BODY_LIMIT: u64 = 64 * 1024;

/// What the pages are, for whoever asks for another.
const PAGES: &str = "here are /healthz, /alarms, /metrics, /held and /postbacks; /reload, /pause/NAME, /go/NAME and \
    /postbacks/ACTION by POST\n";

/// The socket on this runtime.
enum Ready {
    Tcp(TcpListener),
    Unix(UnixListener, File),
}

impl Ready {
    fn new(socket: Socket) -> io::Result<Self> {
        Ok(match socket {
            Socket::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Self::Tcp(TcpListener::from_std(listener)?)
            }
            Socket::Unix(listener, file) => {
                listener.set_nonblocking(true)?;
                Self::Unix(UnixListener::from_std(listener)?, file)
            }
        })
    }
}

/// Serves the operator's pages until `shutdown`; not at all without a listener.
///
/// # Errors
/// The listener cannot be used on this runtime.
pub async fn serve(
    listener: Option<Listener>,
    admin: Arc<Admin>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let Some(Listener { socket, settings }) = listener else {
        return Ok(());
    };
    let (ready, settings) = (Ready::new(socket)?, Arc::new(settings));
    let tracker = TaskTracker::new();
    let serving = Serving {
        admin,
        settings,
        tracker,
    };
    loop {
        let accepted = tokio::select! {
            accepted = serving.accept(&ready) => accepted,
            () = shutdown.cancelled() => break,
        };
        if accepted.is_err() {
            // Out of descriptors, most likely; the next one may succeed.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    // The socket's file goes with it.
    if let Ready::Unix(_, file) = ready {
        drop(file);
    }
    Ok(())
}

struct Serving {
    admin: Arc<Admin>,
    settings: Arc<Settings>,
    tracker: TaskTracker,
}

impl Serving {
    /// Cancel-safe: what was not accepted is still in the queue.
    async fn accept(&self, ready: &Ready) -> io::Result<()> {
        match ready {
            Ready::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                self.connection(stream, Peer::Tcp(peer.ip()));
            }
            Ready::Unix(listener, _) => {
                let (stream, _peer) = listener.accept().await?;
                let user = stream.peer_cred().ok().map(|user| user.uid());
                self.connection(stream, Peer::Unix(user));
            }
        }
        Ok(())
    }

    fn connection(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: Peer) {
        let (admin, settings) = (Arc::clone(&self.admin), Arc::clone(&self.settings));
        let service = service_fn(move |request| {
            let (admin, settings) = (Arc::clone(&admin), Arc::clone(&settings));
            async move { Ok::<_, Infallible>(answer(&admin, &settings, peer, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .keep_alive(false)
            // Whoever asked may go away meanwhile: what is begun is done whole.
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
        self.tracker.spawn(async move {
            if let Err(error) = connection.await {
                warn!(%error, "a connection to the admin listener broke off");
            }
        });
    }
}

async fn answer(
    admin: &Admin,
    settings: &Settings,
    peer: Peer,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let asked = Asked {
        peer,
        method: &head.method,
        path: head.uri.path(),
        fields: &head.headers,
    };
    let actor = match door::enter(settings, asked) {
        Ok(actor) => actor,
        Err(refusal) => {
            let mut response = plain(refusal.status, refusal.words);
            if refusal.status == StatusCode::UNAUTHORIZED {
                let scheme = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            }
            return response;
        }
    };
    let too_large = || plain(StatusCode::PAYLOAD_TOO_LARGE, "a body of 64 KiB at most\n");
    if body.size_hint().lower() > BODY_LIMIT {
        return too_large();
    }
    let query = head.uri.query().unwrap_or_default();
    let Some(verb) = Verb::of(asked.path) else {
        return act(admin, asked, query, actor).await;
    };
    if asked.method != Method::POST {
        return not_allowed("POST");
    }
    match whole(body).await {
        Some(body) => admin.steer(verb, &body, actor).await,
        None => too_large(),
    }
}

/// A body, within its bounds.
async fn whole(body: Incoming) -> Option<Bytes> {
    let body = Limited::new(body, usize::try_from(BODY_LIMIT).ok()?);
    #[expect(clippy::disallowed_methods, reason = "limited in the line above")]
    let collected = tokio::time::timeout(HEAD_TIMEOUT, body.collect()).await;
    Some(collected.ok()?.ok()?.to_bytes())
}

/// What somebody who may come in is answered.
async fn act(admin: &Admin, asked: Asked<'_>, query: &str, actor: Actor) -> Response<Full<Bytes>> {
    let is_read = asked.method == Method::GET;
    match asked.path {
        "/healthz" if is_read => admin.health().await,
        "/metrics" if is_read => admin.metrics().await,
        "/alarms" if is_read => admin.alarms(),
        "/held" if is_read => admin.held(query).await,
        "/postbacks" if is_read => admin.postbacks(query).await,
        "/healthz" | "/metrics" | "/alarms" | "/held" | "/postbacks" => not_allowed("GET"),
        "/reload" if asked.method == Method::POST => match admin.reload(actor).await {
            Ok(words) => plain(StatusCode::OK, &format!("{words}\n")),
            Err(words) => plain(StatusCode::CONFLICT, &format!("{words}\n")),
        },
        "/reload" => not_allowed("POST"),
        _ => plain(StatusCode::NOT_FOUND, PAGES),
    }
}

fn not_allowed(method: &'static str) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, &format!("{method} only\n"));
    let allowed = HeaderValue::from_static(method);
    response.headers_mut().insert(ALLOW, allowed);
    response
}

fn plain(status: StatusCode, words: &str) -> Response<Full<Bytes>> {
    page(status, "text/plain; charset=utf-8", words.to_owned())
}
