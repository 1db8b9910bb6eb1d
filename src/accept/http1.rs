//! HTTP/1.1 with one client: head, answer, next, until the connection ends (RFC 9112).
//!
//! An idle connection owns its socket, a timer and nothing else: what it takes to
//! read a request and to write a response is the thread's, and the service's
//! future is made with the request and let go with the response.
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

use super::Peer;
use super::Shared;
use crate::event::{Counters, Event};
use crate::message::parse::{self, Limits};
use crate::message::{Body, Request, RequestHead, Response, Tunnel};
use crate::wire::Wire;
use clock::Clock;
use exchange::{End, Line};
use framing::Asked;
use refuse::Refusal;

/// Fields in a request's head (431 above it).
const FIELDS: usize = 256;

/// Serves one connection to its end, or until it has switched protocols: then its bytes go on
/// through the tunnel, which is the caller's to run.
pub(super) async fn serve<S, F, B>(
    wire: Wire,
    peer: Peer,
    shared: Shared,
    service: S,
) -> Option<(Wire, Tunnel)>
where
    S: Fn(Peer, Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body,
{
    let Shared {
        settings,
        counters,
        shutdown,
    } = shared;
    let limits = Limits {
        bytes: settings.head_limit,
        fields: FIELDS,
    };
    let mut told = pin!(shutdown.cancelled());
    let mut connection = Connection::new(wire, limits);
    connection.expect_head(settings.head_timeout);
    loop {
        let next = poll_fn(|cx| {
            connection.poll_head(settings.head_timeout, (&shutdown, told.as_mut()), cx)
        })
        .await;
        let request = connection.begin(next, &counters).await?;
        let line = connection.line(&shutdown);
        let exchange = exchange::run(line, service.clone(), peer, request);
        match Box::pin(exchange).await {
            End::Keep => connection.expect_next(settings.idle_timeout),
            End::Tunnel(tunnel) => return Some((connection.wire, tunnel)),
            End::Close => break connection.close().await,
            End::Linger => break connection.linger().await,
            End::Reset => break connection.reset(),
            End::Cut => break,
        }
    }
    None
}

/// What comes where a request may begin.
enum Next {
    Request(RequestHead),
    Refused(Refusal),
    /// Nothing more: the client has gone, was silent for too long, or we are to end.
    Over,
}

#[derive(Debug)]
struct Connection {
    wire: Wire,
    clock: Clock,
    limits: Limits,
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
    fn new(wire: Wire, limits: Limits) -> Self {
        Self {
            wire,
            clock: Clock::default(),
            limits,
            in_head: false,
            listening: false,
        }
    }

    fn expect_head(&mut self, limit: Duration) {
        self.in_head = true;
        self.clock.set(limit);
    }

    fn expect_next(&mut self, limit: Duration) {
        self.in_head = false;
        self.clock.set(limit);
    }

    /// The request, if there is one. Otherwise all was said and done.
    async fn begin(&mut self, next: Next, counters: &Counters) -> Option<(RequestHead, Asked)> {
        let (refusal, method) = match next {
            Next::Request(head) => match framing::asked(&head) {
                Ok(asked) => return Some((head, asked)),
                Err(doubt) => (Refusal::Doubt(doubt), Some(head.method)),
            },
            Next::Refused(refusal) => (refusal, None),
            Next::Over => {
                self.close().await;
                return None;
            }
        };
        counters.add(Event::RequestRefused);
        self.refuse(refusal, method == Some(Method::HEAD)).await;
        None
    }

    fn line<'a>(&'a mut self, shutdown: &'a CancellationToken) -> Line<'a> {
        Line {
            wire: &mut self.wire,
            clock: &mut self.clock,
            shutdown,
            limits: self.limits,
        }
    }

    fn poll_head(
        &mut self,
        limit: Duration,
        ending: Ending<'_, '_>,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        loop {
            self.pass_blank();
            if !self.wire.rest.is_empty() {
                match parse::request(&self.wire.rest, self.limits) {
                    Ok(Some((head, length))) => {
                        self.wire.skip(length);
                        self.clock.clear();
                        return Poll::Ready(Next::Request(head));
                    }
                    Ok(None) => self.begin_head(limit),
                    Err(fault) => return Poll::Ready(Next::Refused(fault.into())),
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
            Poll::Ready(()) => Poll::Ready(Next::Refused(Refusal::Late)),
            Poll::Pending if idle && self.is_ending(ending, cx) => Poll::Ready(Next::Over),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Empty lines before a request are nothing (RFC 9112 §2.2), and not its beginning either.
    fn pass_blank(&mut self) {
        if self.wire.rest.starts_with(b"\r\n") {
            let pairs = self.wire.rest.chunks_exact(2);
            let blank = pairs.take_while(|pair| *pair == b"\r\n").count();
            self.wire.skip(2 * blank);
        }
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
