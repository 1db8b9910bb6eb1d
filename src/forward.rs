//! Forward: a request to the shop, its response back, pooled and streamed.
//!
//! [`Client`] belongs to one worker. A request goes out once. It goes out again,
//! and only on a new connection, where no byte of it can have reached the shop; or
//! where the caller says that it may ([`Resend`]) and a connection that had been
//! used before ended without a byte of an answer. Nothing here knows of affiliates.
//!
//! HTTP/1.1 is spoken here, without a task for a connection: whoever polls
//! [`Client::send`] and then the response's [`Body`] sends and receives by it.
//! HTTP/2, where an upstream wants it, is in `http2`.
//!
//! Time-outs, each with an error of its own: connecting; the response's head,
//! counted from the last byte that was taken of the request; silence within a
//! body, either way. A shop that reads nothing of a request, and so never gets
//! that last byte, is also ended by the kernel (`TCP_USER_TIMEOUT`).

mod body;
mod clock;
mod dial;
mod exchange;
pub mod headers;
mod http2;
mod inflow;
pub mod options;
mod out;
mod pool;
mod reach;
mod request;
mod upload;

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::event::{Counters, Event};
use crate::message::incoming::Broken;
use crate::message::{Fields, Incoming, Interim, Request, RequestHead, Response, chunked, parse};
use crate::store::{Protocol, Upstream};
use exchange::Exchange;
use upload::Upload;

pub use body::Body;

/// How the shop is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Peers whose `X-Forwarded-*` fields are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// For a connection to the shop, with its TLS.
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

    /// Who asks: the peer, or who the trusted proxies say that it is. From the nearest one on each
    /// is believed about the one before it, for as long as they are trusted.
    pub fn client(&self, peer: IpAddr, fields: &Fields) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let lists: Vec<&[u8]> = fields.get_all("x-forwarded-for").collect();
        let items = lists
            .iter()
            .flat_map(|list| list.split(|byte| *byte == b','));
        for item in items.collect::<Vec<_>>().into_iter().rev() {
            let item = std::str::from_utf8(item).unwrap_or_default().trim();
            let Ok(before) = item.parse::<IpAddr>() else {
                break;
            };
            client = before.to_canonical();
            if !self.trusts(client) {
                break;
            }
        }
        client
    }
}

/// Why there is no response, or no more of one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Every upstream is down by its health checks.
    #[error("no upstream of the shop is up")]
    NoUpstream,
    /// The upstream's name has no address.
    #[error("the shop's name has no address")]
    Lookup(#[source] io::Error),
    /// Nobody listens there, or the network is down.
    #[error("the shop cannot be reached")]
    Connect(#[source] io::Error),
    /// No connection within `connect_timeout`.
    #[error("no connection to the shop in {0:?}")]
    ConnectTimeout(Duration),
    /// It does not prove to be the shop, or speaks no TLS that we do.
    #[error("no TLS with the shop")]
    Tls(#[source] io::Error),
    /// It speaks something else than the HTTP/2 that `upstream_http` says.
    #[error("the shop does not speak HTTP/2, as `upstream_http` says that it does")]
    NoHttp2(#[source] Fault),
    /// It did not announce extended CONNECT (RFC 8441 §3).
    #[error("the shop takes no WebSocket by HTTP/2: it announces no extended CONNECT")]
    NoTunnel,
    /// The request has a form that HTTP/2 has none for.
    #[error("the request cannot be told by HTTP/2")]
    Unfit(#[source] http::Error),
    /// The shop closed, or sent no HTTP/1.1 head.
    #[error("the shop broke off before its response's head")]
    Broken(#[source] Fault),
    /// No head within `response_timeout` of the request's last byte.
    #[error("no response from the shop in {0:?}")]
    ResponseTimeout(Duration),
    /// The shop took nothing of the request for `body_timeout`.
    #[error("the shop took nothing of the request for too long")]
    UploadTimeout(#[source] io::Error),
    /// The client went away, or its body is no valid chunked coding.
    #[error("the request's body broke off")]
    ClientBroke(#[source] Broken),
    /// The client sent nothing of its body for `body_timeout`.
    #[error("nothing of the request's body came in {0:?}")]
    ClientTimeout(Duration),
    /// The response has a transfer coding that nobody asked for (RFC 9112 §6.1).
    #[error("the shop's transfer coding is not chunked")]
    TransferCoding,
    /// The response's lengths differ, or one is none (RFC 9112 §6.3).
    #[error("the shop's content length is not valid")]
    Framing,
    /// A 101 that nobody asked for.
    #[error("the shop switched protocols without being asked")]
    Switched,
    /// The response's body ended before its end.
    #[error("the shop's response broke off in its body")]
    Truncated(#[source] Fault),
    /// The shop sent nothing of its body for `body_timeout`.
    #[error("nothing of the shop's body came in {0:?}")]
    BodyTimeout(Duration),
}

impl Error {
    /// Whether there was no connection, so that nothing has reached the shop.
    pub const fn is_unreached(&self) -> bool {
        matches!(
            self,
            Self::NoUpstream
                | Self::Lookup(_)
                | Self::Connect(_)
                | Self::Tls(_)
                | Self::NoHttp2(_)
                | Self::ConnectTimeout(_)
        )
    }
}

/// What came from the shop in place of what was due.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The connection's end.
    #[error("the connection ended")]
    End,
    /// The connection broke.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// The stream was reset, or its connection ended.
    #[error("the HTTP/2 stream broke")]
    Http2(#[from] h2::Error),
    /// TLS was agreed on without a word of what is spoken in it (RFC 7301).
    #[error("it did not choose h2 by ALPN")]
    Unagreed,
    /// More than the length that the head told.
    #[error("the body is longer than its content length")]
    Beyond,
    /// Bytes that are no head.
    #[error("not a valid head")]
    Head(#[from] parse::Fault),
    /// Bytes that are no chunk.
    #[error("not a chunked body")]
    Chunk(#[from] chunked::Fault),
    /// One interim response after another.
    #[error("too many interim responses")]
    Interims,
    /// A success that is no switch of protocols, where the client would take it for one.
    #[error("it did not switch protocols, and said that all was well")]
    Unswitched,
}

/// What became of a request that has no response.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub error: Error,
    /// The request again, where no byte of it reached a shop.
    pub unsent: Option<Box<Request>>,
}

/// Whether a request may go out once more, when a connection that had been used
/// before ends without a byte of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// It is safe (RFC 9110 §9.2.1), has no body, and no rule watches it.
    Safe,
    /// Some pages work once, and a POST may be an order.
    Never,
}

/// One worker's way to the shops.
#[derive(Debug)]
pub struct Client {
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    pool: Arc<pool::Pool>,
    links: http2::Links,
    /// Ends the sweeping of the pool.
    _end: DropGuard,
}

impl Client {
    /// A client with an empty pool. To be made on the runtime that will use it.
    pub fn new(settings: Arc<Settings>, counters: Arc<Counters>, tracker: &TaskTracker) -> Self {
        let pool = Arc::new(pool::Pool::new(Arc::clone(&settings)));
        let end = CancellationToken::new();
        let sweeping = pool::sweep(Arc::downgrade(&pool), settings.pool_idle, end.clone());
        tracker.spawn(sweeping);
        let links = http2::Links::new(Arc::clone(&settings), Arc::clone(&counters));
        Self {
            links,
            settings,
            counters,
            pool,
            _end: end.drop_guard(),
        }
    }

    /// Asks the shop. The request's fields have been through [`headers::to_shop`]; those of the
    /// response have been through [`headers::from_shop`]. An extended CONNECT (RFC 8441) must be
    /// for `websocket`; the shop is asked for an upgrade.
    ///
    /// Dropping the future, or the response's body, cancels the request.
    ///
    /// # Errors
    ///
    /// See [`Error`]; nothing has reached the client then.
    pub async fn send(
        &self,
        upstream: &Upstream,
        request: Request,
        resend: Resend,
    ) -> Result<Response<Body>, Failed> {
        if upstream.protocol == Protocol::Http2 {
            // What it takes is not to lie in every request's future.
            return Box::pin(self.links.send(upstream, request, resend)).await;
        }
        let shelf = self.pool.shelf(upstream);
        let Some(connection) = shelf.take() else {
            // Seldom: what it takes is not to lie in every request's future.
            let Request {
                head,
                body,
                interim,
            } = request;
            let first = self.dialled(upstream, shelf, (head, interim), Again::Whole(body));
            return Box::pin(first).await;
        };
        let Request {
            mut head,
            body,
            interim,
        } = request;
        let upload = Again::Whole(body).upload(&mut head)?;
        let mut exchange = Exchange::new(connection, shelf, upload, interim);
        match poll_fn(|cx| exchange.poll_head(cx)).await {
            Ok(answer) => Ok(exchange.into_response(answer)),
            Err(error) => Box::pin(self.again(upstream, (head, exchange), error, resend)).await,
        }
    }

    /// Asks once more, if that may be done, after a pooled connection came to nothing.
    async fn again(
        &self,
        upstream: &Upstream,
        (head, exchange): (Box<RequestHead>, Box<Exchange>),
        error: Error,
        resend: Resend,
    ) -> Result<Response<Body>, Failed> {
        let (shelf, interim) = exchange.ways();
        let again = Again::of(*exchange, &error, resend).ok_or(error)?;
        self.counters.add(Event::ForwardRetried);
        self.dialled(upstream, shelf, (head, interim), again).await
    }

    /// Asks by a new connection.
    async fn dialled(
        &self,
        upstream: &Upstream,
        shelf: Arc<pool::Shelf>,
        (mut head, interim): (Box<RequestHead>, Interim),
        again: Again,
    ) -> Result<Response<Body>, Failed> {
        let connection = match dial::dial(upstream, &self.settings).await {
            Ok(connection) => connection,
            Err(error) => {
                let unsent = again.into_body().map(|body| {
                    Box::new(Request {
                        head,
                        body,
                        interim,
                    })
                });
                return Err(Failed { error, unsent });
            }
        };
        let upload = again.upload(&mut head)?;
        let mut exchange = Exchange::new(connection, shelf, upload, interim);
        let answer = poll_fn(|cx| exchange.poll_head(cx)).await?;
        Ok(exchange.into_response(answer))
    }
}

/// What there is of a request, before it goes out or for its second try.
enum Again {
    /// Its head and its body, of which nothing was taken.
    Whole(Incoming),
    /// As it was to be written, not a byte of which was.
    Unsent(Box<Upload>),
    /// Its head; all of it has gone out once, and it has no body.
    Safe,
}

impl Again {
    /// What is left after a connection that had been used before came to nothing; none if the
    /// request must not go out once more.
    fn of(exchange: Exchange, error: &Error, resend: Resend) -> Option<Self> {
        if !exchange.is_unheard(error) {
            return None;
        }
        let upload = exchange.into_upload();
        if upload.is_unsent() {
            return Some(Self::Unsent(Box::new(upload)));
        }
        (resend == Resend::Safe && upload.is_bodiless()).then_some(Self::Safe)
    }

    fn upload(self, head: &mut RequestHead) -> Result<Upload, Error> {
        let body = match self {
            Self::Whole(body) => body,
            Self::Safe => Incoming::empty(),
            Self::Unsent(upload) => return Ok(*upload),
        };
        Upload::new(head, body).map_err(|error| Error::Broken(Fault::Io(error)))
    }

    /// The body, where no byte of the request can have reached a shop.
    fn into_body(self) -> Option<Incoming> {
        match self {
            Self::Whole(body) => Some(body),
            Self::Unsent(upload) => upload.into_body(),
            Self::Safe => None,
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self {
            error,
            unsent: None,
        }
    }
}
