//! HTTP/1.1 with one client: head, answer, next, until the connection ends (RFC 9112).
//!
//! An idle connection owns its socket, a timer and the way of interim responses: what
//! it takes to read a request and to write a response is the thread's, and the
//! service's future is made with the request and let go with the response.
//!
//! A client that closes its sending side has gone away: its request is cancelled.
//! Otherwise nobody would notice a closed tab before the answer is written; nginx
//! decides the same. That a client takes nothing of an answer that is on its way is
//! the kernel's to notice (`TCP_USER_TIMEOUT`, see `bind.rs`): only it knows what
//! has arrived.

mod answer;
mod clock;
mod close;
mod exchange;
mod framing;
mod reader;
mod refuse;
mod writer;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Method;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tracing::debug;

use super::{Peer, Settings, Shared};
use crate::event::Event;
use crate::message::parse::{self, Limits};
use crate::message::{Body, Interim, Request, RequestHead, Response, Tunnel};
use crate::wire::Wire;
use clock::Clock;
use close::Last;
use exchange::{End, Line};
use framing::Asked;
use refuse::{Refusal, Shape};

/// Empty lines before a request; some clients send one.
const BLANK: usize = 64;

/// Fields in a request's head (431 above it).
const FIELDS: usize = 256;

/// Serves one connection to its end, or until it has switched protocols: then its bytes go on
/// through the tunnel, which is the caller's to run.
//
// No `async fn`: it would hold its arguments twice for as long as the connection lives.
pub(super) fn serve<S, F, B>(
    wire: Wire,
    peer: Peer,
    shared: Shared,
    service: S,
) -> impl Future<Output = Option<(Wire, Tunnel)>> + Send
where
    S: Fn(Peer, Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body,
{
    let mut connection = Connection::new(wire, &shared.settings);
    async move {
        let (settings, shutdown) = (&shared.settings, &shared.shutdown);
        let mut told = pin!(shutdown.cancelled());
        let last = loop {
            let next = poll_fn(|cx| {
                connection.poll_next(settings.head_timeout, (shutdown, told.as_mut()), cx)
            });
            let exchange = match next.await {
                Next::Request(head, asked) => {
                    let line = connection.line(shutdown);
                    let run = exchange::run(line, &service, peer, (head, asked));
                    Box::pin(run)
                }
                Next::Refused(refusal, shape) => {
                    shared.counters.add(Event::RequestRefused);
                    break Last::Refuse(refusal, shape);
                }
                Next::Over => break Last::Close,
            };
            match exchange.await {
                End::Keep => connection.expect_next(settings.idle_timeout),
                End::Tunnel(tunnel) => return Some((connection.wire, tunnel)),
                End::Last(last) => break last,
            }
        };
        Box::pin(connection.end(last)).await;
        None
    }
}

/// What comes where a request may begin.
enum Next {
    Request(Box<RequestHead>, Asked),
    Refused(Refusal, Shape),
    /// Nothing more: the client has gone, was silent for too long, or we are to end.
    Over,
}

impl Next {
    fn of(head: Box<RequestHead>) -> Self {
        match framing::asked(&head) {
            Ok(asked) => Self::Request(head, asked),
            Err(doubt) if head.method == Method::HEAD => Self::Refused(doubt.into(), Shape::Head),
            Err(doubt) => Self::Refused(doubt.into(), Shape::Whole),
        }
    }
}

#[derive(Debug)]
struct Connection {
    wire: Wire,
    clock: Clock,
    limits: Limits,
    /// Of the last request, for the next one.
    interim: Interim,
    /// Empty lines since the last request.
    blank: usize,
    /// The client owes us a head: it has begun one, or has just come.
    in_head: bool,
    /// Our end wakes this task.
    listening: bool,
}

/// The word that everything is to end, and the wait for it.
type Ending<'a, 'b> = (
    &'a CancellationToken,
    Pin<&'a mut WaitForCancellationFuture<'b>>,
);

impl Connection {
    /// The client owes us a head.
    fn new(wire: Wire, settings: &Settings) -> Self {
        let mut connection = Self {
            wire,
            clock: Clock::default(),
            limits: Limits {
                bytes: settings.head_limit,
                fields: FIELDS,
            },
            interim: Interim::closed(),
            blank: 0,
            in_head: false,
            listening: false,
        };
        connection.expect_head(settings.head_timeout);
        connection
    }

    fn expect_head(&mut self, limit: Duration) {
        self.in_head = true;
        self.clock.set(limit);
    }

    fn expect_next(&mut self, limit: Duration) {
        self.in_head = false;
        self.clock.set(limit);
    }

    fn line<'a>(&'a mut self, shutdown: &'a CancellationToken) -> Line<'a> {
        Line {
            wire: &mut self.wire,
            clock: &mut self.clock,
            interim: &mut self.interim,
            shutdown,
            limits: self.limits,
        }
    }

    fn poll_next(
        &mut self,
        limit: Duration,
        ending: Ending<'_, '_>,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        loop {
            if !self.pass_blank() {
                return Poll::Ready(Next::Refused(Refusal::Invalid, Shape::Whole));
            }
            if !self.wire.rest.is_empty() {
                match parse::request(&self.wire.rest, self.limits) {
                    Ok(Some((head, length))) => {
                        self.wire.skip(length);
                        self.blank = 0;
                        self.clock.clear();
                        return Poll::Ready(Next::of(head));
                    }
                    Ok(None) => self.begin_head(limit),
                    Err(fault) => {
                        return Poll::Ready(Next::Refused(fault.into(), Shape::Whole));
                    }
                }
            }
            match self.wire.poll_fill(cx, 0) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0)) => return Poll::Ready(Next::Over),
                Poll::Ready(Err(error)) => {
                    debug!(%error, "a connection broke between requests");
                    return Poll::Ready(Next::Over);
                }
                Poll::Pending => break,
            }
        }
        let idle = self.wire.rest.is_empty();
        match self.clock.poll(cx) {
            Poll::Ready(()) if idle => Poll::Ready(Next::Over),
            Poll::Ready(()) => Poll::Ready(Next::Refused(Refusal::Late, Shape::Whole)),
            Poll::Pending if idle && self.is_ending(ending, cx) => Poll::Ready(Next::Over),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Empty lines before a request are nothing (RFC 9112 §2.2), and not its beginning either;
    /// false where there are too many.
    fn pass_blank(&mut self) -> bool {
        if self.wire.rest.starts_with(b"\r\n") {
            let pairs = self.wire.rest.chunks_exact(2);
            let blank = pairs.take_while(|pair| *pair == b"\r\n").count();
            self.wire.skip(2 * blank);
            self.blank = self.blank.saturating_add(blank);
        }
        self.blank <= BLANK
    }

    /// A part of a head has come. It may be long before the rest does.
    fn begin_head(&mut self, limit: Duration) {
        if !self.in_head {
            self.expect_head(limit);
        }
        self.wire.hold();
    }

    fn is_ending(&mut self, (token, wait): Ending<'_, '_>, cx: &mut Context<'_>) -> bool {
        if self.listening {
            return token.is_cancelled();
        }
        self.listening = true;
        wait.poll(cx).is_ready()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::store::Scheme;
    use crate::wire::Stream;

    #[test]
    fn an_idle_connection_is_small() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
            let listener = TcpListener::bind(any).await.unwrap();
            let addr = listener.local_addr().unwrap();
            let stream = TcpStream::connect(addr).await.unwrap();
            let peer = Peer {
                addr,
                via: None,
                scheme: Scheme::Http,
                redirect: None,
            };
            let second = Duration::from_secs(1);
            let shared = Shared {
                settings: Arc::new(Settings {
                    listen: Vec::new(),
                    tls: crate::accept::tls::Settings::default(),
                    trusted: Vec::new(),
                    workers: 1,
                    connections: 1,
                    head_limit: 1024,
                    head_timeout: second,
                    idle_timeout: second,
                    stall_timeout: second,
                    drain: second,
                }),
                counters: Arc::default(),
                shutdown: CancellationToken::new(),
            };
            // A large service is boxed while a request is under way, and only then.
            let service = |_, request: Request| async move {
                let much = [0_u8; 10_000];
                std::future::ready(()).await;
                Response::new(http::StatusCode::OK, (request.body, much).0)
            };
            let wire = Wire::new(Stream::Plain(stream));
            let connection = serve(wire, peer, shared, service);
            assert!(
                size_of_val(&connection) <= 512,
                "{}",
                size_of_val(&connection)
            );
        });
    }
}
