//! Forward: a request to the shop, its response back, pooled and streamed.
//!
//! [`Client`] belongs to one worker. A request goes out once: again only, and
//! only on a new connection, when hyper gives it back unsent because a pooled
//! connection had been closed. Nothing here knows of affiliates.
//!
//! Time-outs, each with an error of its own: connecting; the response's head,
//! counted from the last byte that was taken of the request; silence within a
//! body, either way. A shop that reads nothing of a request, and so never gets
//! that last byte, is ended by the kernel (`TCP_USER_TIMEOUT`).

mod body;
mod dial;
pub mod headers;
pub mod options;
mod pool;
mod stall;
mod tunnel;
mod upload;

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::upgrade::OnUpgrade;
use ipnet::IpNet;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::event::{Counters, Event};
use crate::store::Upstream;

pub use body::Body;

/// How the shop is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Peers whose `X-Forwarded-*` fields are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// For a TCP connection to the shop.
    pub connect_timeout: Duration,
    /// From the request's last byte to the response's head.
    pub response_timeout: Duration,
    /// Between two pieces of a body, either way.
    pub body_timeout: Duration,
    /// How long a connection to the shop is kept unused; below the shop's own keep-alive.
    pub pool_idle: Duration,
    /// Unused connections kept per upstream and worker.
    pub pool_size: usize,
    /// How long a tunnel (WebSocket) may be silent.
    pub tunnel_timeout: Duration,
}

impl Settings {
    /// Whether the `X-Forwarded-*` fields of this peer are believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}

/// Why there is no response, or no more of one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The upstream's name has no address.
    #[error("the shop's name has no address")]
    Lookup(#[source] io::Error),
    /// Nobody listens there, or the network is down.
    #[error("the shop cannot be reached")]
    Connect(#[source] io::Error),
    /// No connection within `connect_timeout`.
    #[error("no connection to the shop in {0:?}")]
    ConnectTimeout(Duration),
    /// The shop closed, or sent no HTTP/1.1 head.
    #[error("the shop broke off before its response's head")]
    Broken(#[source] hyper::Error),
    /// No head within `response_timeout` of the request's last byte.
    #[error("no response from the shop in {0:?}")]
    ResponseTimeout(Duration),
    /// The shop took nothing of the request for `body_timeout`.
    #[error("the shop took nothing of the request for too long")]
    UploadTimeout(#[source] hyper::Error),
    /// The client went away, or its body is no valid chunked coding.
    #[error("the request's body broke off")]
    ClientBroke(#[source] hyper::Error),
    /// The client sent nothing of its body for `body_timeout`.
    #[error("nothing of the request's body came in {0:?}")]
    ClientTimeout(Duration),
    /// The response has a transfer coding that nobody asked for (RFC 9112 §6.1).
    #[error("the shop's transfer coding is not chunked")]
    TransferCoding,
    /// A 101 that nobody asked for.
    #[error("the shop switched protocols without being asked")]
    Switched,
    /// The response's body ended before its end.
    #[error("the shop's response broke off in its body")]
    Truncated(#[source] hyper::Error),
    /// The shop sent nothing of its body for `body_timeout`.
    #[error("nothing of the shop's body came in {0:?}")]
    BodyTimeout(Duration),
}

/// What a request body must be.
pub trait RequestBody:
    hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
    + Send
    + Unpin
    + 'static
{
}

impl<B> RequestBody for B where
    B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static
{
}

type Sender<B> = SendRequest<upload::Upload<B>>;

/// One worker's way to the shops.
#[derive(Debug)]
pub struct Client<B: RequestBody = Incoming> {
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    tracker: TaskTracker,
    /// Not waited for: a WebSocket would hold up every end for as long as it may.
    tunnels: TaskTracker,
    pool: Arc<pool::Pool<B>>,
    /// Ends the sweeping of the pool.
    _end: DropGuard,
}

impl<B: RequestBody> Client<B> {
    /// A client with an empty pool. To be made on the runtime that will use it.
    pub fn new(settings: Arc<Settings>, counters: Arc<Counters>, tracker: TaskTracker) -> Self {
        let pool = Arc::new(pool::Pool::new(&settings));
        let end = CancellationToken::new();
        let sweeping = pool::sweep(Arc::downgrade(&pool), settings.pool_idle, end.clone());
        tracker.spawn(sweeping);
        Self {
            settings,
            counters,
            tracker,
            tunnels: TaskTracker::new(),
            pool,
            _end: end.drop_guard(),
        }
    }

    /// Asks the shop. The request's fields have been through [`headers::to_shop`]; those of the
    /// response have been through [`headers::from_shop`].
    ///
    /// Dropping the future, or the response's body, cancels the request.
    ///
    /// # Errors
    ///
    /// See [`Error`]; nothing has reached the client then.
    pub async fn send(
        &self,
        upstream: &Upstream,
        mut request: Request<B>,
    ) -> Result<Response<Body<B>>, Error> {
        *request.version_mut() = Version::HTTP_11;
        let client = request
            .headers()
            .contains_key(header::UPGRADE)
            .then(|| hyper::upgrade::on(&mut request));
        let (mut request, upload) = upload::wrap(request, self.settings.body_timeout);
        let gate = upload::gate(&mut request);

        let shelf = self.pool.shelf(upstream);
        let (sender, response) = self.ask(upstream, shelf.take(), request, upload).await?;
        let lease = pool::Lease::new(sender, shelf);
        self.receive(response, lease, client, gate)
    }

    async fn ask(
        &self,
        upstream: &Upstream,
        pooled: Option<Sender<B>>,
        request: Request<upload::Upload<B>>,
        mut sent: Option<oneshot::Receiver<Infallible>>,
    ) -> Result<(Sender<B>, Response<Incoming>), Error> {
        let Some(mut sender) = pooled else {
            let mut sender = self.dial(upstream).await?;
            let response = self.head(&mut sender, request, &mut sent).await;
            return Ok((sender, response.map_err(Failed::into_error)?));
        };
        let request = match self.head(&mut sender, request, &mut sent).await {
            Ok(response) => return Ok((sender, response)),
            Err(Failed::Unsent(_error, request)) => *request,
            Err(Failed::Sent(error)) => return Err(error),
        };
        // The pooled connection was closed before a byte of this request was written to it.
        self.counters.add(Event::ForwardRetried);
        let mut sender = self.dial(upstream).await?;
        let response = self.head(&mut sender, request, &mut sent).await;
        Ok((sender, response.map_err(Failed::into_error)?))
    }

    async fn dial(&self, upstream: &Upstream) -> Result<Sender<B>, Error> {
        dial::dial(upstream, &self.settings, &self.tracker).await
    }

    async fn head(
        &self,
        sender: &mut Sender<B>,
        request: Request<upload::Upload<B>>,
        sent: &mut Option<oneshot::Receiver<Infallible>>,
    ) -> Result<Response<Incoming>, Failed<B>> {
        let answer = sender.try_send_request(request);
        tokio::pin!(answer);
        if let Some(sent) = sent {
            // Cancel-safe: `answer` is only borrowed. `sent` resolves when its other half is dropped.
            tokio::select! {
                biased;
                response = &mut answer => return response.map_err(Failed::from),
                _ = sent => {}
            }
        }
        let limit = self.settings.response_timeout;
        match tokio::time::timeout(limit, answer).await {
            Ok(response) => response.map_err(Failed::from),
            Err(_elapsed) => Err(Failed::Sent(Error::ResponseTimeout(limit))),
        }
    }

    /// The response as it may go to the client.
    fn receive(
        &self,
        mut response: Response<Incoming>,
        mut lease: pool::Lease<B>,
        client: Option<OnUpgrade>,
        gate: Option<upload::Gate>,
    ) -> Result<Response<Body<B>>, Error> {
        if response.version() < Version::HTTP_11 {
            // hyper would speak HTTP/1.0 on this connection from now on and drop a chunked request's body.
            lease.forbid();
        }
        // Ours, not the shop's: an HTTP/1.0 shop does not end the client's connection.
        *response.version_mut() = Version::HTTP_11;
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if !hyper::body::Body::is_end_stream(response.body()) {
            refuse_coding(response.headers())?;
        }
        let kept = headers::from_shop(response.headers_mut(), switched);
        lease.kept_by_shop(kept);
        if switched {
            let client = client.ok_or(Error::Switched)?;
            let shop = hyper::upgrade::on(&mut response);
            lease.forbid();
            self.tunnels
                .spawn(tunnel::run(client, shop, self.settings.tunnel_timeout));
        }
        let limit = self.settings.body_timeout;
        Ok(response.map(|shop| Body::new(shop, lease, gate, limit)))
    }
}

/// Only `chunked` alone can be undone here and made again towards the client.
fn refuse_coding(headers: &HeaderMap) -> Result<(), Error> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Error::TransferCoding),
    }
}

/// Why one try gave no head.
enum Failed<B> {
    /// Not a byte was written; here the request is again.
    Unsent(hyper::Error, Box<Request<upload::Upload<B>>>),
    Sent(Error),
}

impl<B> Failed<B> {
    fn into_error(self) -> Error {
        match self {
            Self::Unsent(error, _request) => Error::Broken(error),
            Self::Sent(error) => error,
        }
    }
}

type Unanswered<B> = hyper::client::conn::TrySendError<Request<upload::Upload<B>>>;

impl<B> From<Unanswered<B>> for Failed<B> {
    fn from(mut failed: Unanswered<B>) -> Self {
        let request = failed.take_message();
        let error = failed.into_error();
        match request {
            Some(request) => Self::Unsent(error, Box::new(request)),
            None => Self::Sent(upload::judge(error)),
        }
    }
}
