//! HTTP/2 on one connection, the server's side (RFC 9113).
//!
//! One task does everything: it reads frames, polls the handlers of those streams that
//! were woken, and writes what came of it with one call. A stream is no task, and
//! nothing goes through a channel.
//!
//! - `rota` says whose turn it is.
//! - `receive` takes frames apart, `headers` and `control` do what they say.
//! - `exchange` polls handlers and bodies and writes responses.
//! - `leave` ends the connection, in peace or not.
//!
//! What a client may make us hold or do is bounded everywhere; what is above a bound
//! costs it the stream or the connection, never the other clients.

mod budget;
mod clock;
mod control;
mod exchange;
mod fault;
mod flow;
mod frame;
mod headers;
mod hpack;
mod leave;
mod link;
mod name;
mod output;
mod past;
mod receive;
mod request;
mod response;
mod rota;
mod settings;
mod stream;
mod streams;
#[cfg(test)]
mod tests;
mod tunnel;
mod value;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tracing::debug;

use self::clock::Clock;
use self::leave::Leaving;
use self::link::Link;
use self::receive::Intake;
use self::rota::{Place, Post, Rota};
use self::streams::Streams;
use super::Peer;
use super::Shared;
use crate::message::{Body, Request, Response};
use crate::wire::Wire;

/// Rounds of reading, polling and writing before other connections have their turn.
const ROUNDS: usize = 16;

/// What answers a request.
pub(super) trait Service: Clone + Send + 'static {
    /// A response under way.
    type Answer: Future<Output = Response<Self::Body>> + Send + 'static;
    /// Its body.
    type Body: Body;

    /// Begins to answer.
    fn ask(&self, peer: Peer, request: Request) -> Self::Answer;
}

impl<S, F, B> Service for S
where
    S: Fn(Peer, Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body,
{
    type Answer = F;
    type Body = B;

    fn ask(&self, peer: Peer, request: Request) -> F {
        self(peer, request)
    }
}

/// Serves a client that has agreed to speak HTTP/2, until either side ends it.
pub(super) async fn serve<S: Service>(wire: Wire, peer: Peer, shared: Shared, service: S) {
    let shutdown = shared.shutdown.clone();
    let mut connection = Connection::new(wire, peer, shared, service);
    {
        let mut told = pin!(shutdown.cancelled());
        poll_fn(|cx| connection.poll(told.as_mut(), cx)).await;
    }
    if connection.is_whole {
        leave::close(&mut connection.wire.stream).await;
    }
}

struct Connection<S: Service> {
    wire: Wire,
    peer: Peer,
    service: S,
    streams: Streams<S::Answer, S::Body>,
    link: Link,
    intake: Intake,
    clock: Clock,
    leaving: Leaving,
    /// Neither end has broken off, so the other side may still read what we wrote.
    is_whole: bool,
    /// The socket may have bytes.
    readable: bool,
    /// The socket may take bytes.
    writable: bool,
    rota: Arc<Rota>,
    posts: Posts,
    /// Who was woken, while they are looked at.
    woken: Vec<Place>,
    /// Streams to poll.
    due: Vec<usize>,
}

/// The wakers of what is no stream.
struct Posts {
    read: Post,
    write: Post,
    clock: Post,
    told: Post,
}

impl Posts {
    fn new(rota: &Arc<Rota>) -> Self {
        let post = |place| Post::new(rota, place);
        let posts = Self {
            read: post(Place::Read),
            write: post(Place::Write),
            clock: post(Place::Clock),
            told: post(Place::Told),
        };
        posts.told.ring();
        posts
    }
}

impl<S: Service> Connection<S> {
    fn new(wire: Wire, peer: Peer, shared: Shared, service: S) -> Self {
        let Shared {
            settings, counters, ..
        } = shared;
        let rota = Arc::<Rota>::default();
        let mut link = Link::new(counters);
        let limit = settings.head_limit;
        link.output.control(|out| settings::tell(out, limit));
        let mut clock = Clock::new(&settings);
        clock.owe_head(true);
        Self {
            wire,
            peer,
            service,
            streams: Streams::new(),
            link,
            intake: Intake::new(&settings),
            clock,
            leaving: Leaving::No,
            is_whole: true,
            readable: true,
            writable: true,
            posts: Posts::new(&rota),
            rota,
            woken: Vec::new(),
            due: Vec::new(),
        }
    }

    /// Ready when the connection is over.
    fn poll(&mut self, mut told: Pin<&mut impl Future>, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ROUNDS {
            self.wake(told.as_mut(), cx);
            if self.may_read() {
                self.read();
            }
            self.poll_streams();
            self.write();
            self.leave_when_done();
            if self.is_over() {
                return Poll::Ready(());
            }
            if !self.may_read() && self.due.is_empty() && !self.has_more() && self.rota.rest() {
                self.watch();
                return Poll::Pending;
            }
        }
        self.rota.yield_now();
        Poll::Pending
    }

    /// Notes who was woken.
    fn wake(&mut self, told: Pin<&mut impl Future>, cx: &mut Context<'_>) {
        let mut woken = std::mem::take(&mut self.woken);
        self.rota.take(&mut woken, cx.waker());
        let (mut ended, mut rang) = (false, false);
        for place in woken.drain(..) {
            match place {
                Place::Read => self.readable = true,
                Place::Write => self.writable = true,
                Place::Clock => rang = true,
                Place::Told => ended = true,
                Place::Stream(at) => self.due.push(at),
            }
        }
        self.woken = woken;
        if ended {
            let mut cx = Context::from_waker(self.posts.told.waker());
            if told.poll(&mut cx).is_ready() {
                self.drain();
            }
        }
        if rang {
            self.clock.rang();
            let mut cx = Context::from_waker(self.posts.clock.waker());
            if let Poll::Ready(late) = self.clock.poll(&mut cx) {
                self.late(late);
            }
        }
    }

    fn may_read(&self) -> bool {
        self.readable && self.is_whole && self.leaving.hears() && self.link.output.is_calm()
    }

    /// Reads once and does what the frames say.
    fn read(&mut self) {
        let mut cx = Context::from_waker(self.posts.read.waker());
        match self.wire.poll_fill(&mut cx, self.intake.expected()) {
            Poll::Pending => self.readable = false,
            Poll::Ready(Ok(0)) => {
                debug!("the client closed the connection");
                self.abandon();
            }
            Poll::Ready(Ok(_)) => self.receive(),
            Poll::Ready(Err(error)) => {
                debug!(%error, "a connection broke while reading");
                self.abandon();
            }
        }
    }

    fn poll_streams(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        for at in due.drain(..) {
            self.poll_stream(at);
        }
        // Requests that were read meanwhile: none, but nothing is to be lost.
        due.append(&mut self.due);
        self.due = due;
    }

    /// Sends what may be sent, and writes it.
    fn write(&mut self) {
        self.send();
        if !self.writable || !self.is_whole {
            return;
        }
        let mut cx = Context::from_waker(self.posts.write.waker());
        loop {
            let writing = self.link.output.poll_write(&mut self.wire.stream, &mut cx);
            match writing {
                Poll::Ready(Ok(0)) => return self.clock.be_stuck(false),
                Poll::Ready(Ok(_)) => self.clock.be_stuck(false),
                Poll::Ready(Err(error)) => {
                    debug!(%error, "a connection broke while writing");
                    return self.abandon();
                }
                Poll::Pending => {
                    self.writable = false;
                    return self.clock.be_stuck(true);
                }
            }
        }
    }

    /// Whether bodies wait for room that there is.
    fn has_more(&self) -> bool {
        self.writable && !self.link.turn.is_empty()
    }

    /// Sees to the deadlines before the task rests.
    fn watch(&mut self) {
        let hears = self.leaving.hears();
        let quiet = self.streams.is_empty();
        let owes = hears && self.intake.owes_head(quiet);
        self.clock.owe_head(owes);
        self.clock.be_idle(hears && quiet);
        let mut cx = Context::from_waker(self.posts.clock.waker());
        if self.clock.poll(&mut cx).is_ready() {
            // Looked at in the next round.
            self.posts.clock.ring();
        }
    }
}
