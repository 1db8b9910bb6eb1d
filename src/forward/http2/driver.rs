//! What keeps one connection going: the only task of it.
//!
//! While an answer is due and nothing at all comes, the shop is asked for a sign of
//! life (PING; RFC 9113 §6.7). One that gives none gets no new requests on this
//! connection, and after a while the connection is given up. A connection that is
//! unused is never asked anything.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::Connection;
use h2::{Ping, PingPong};
use tokio::time::Instant;
use tracing::debug;

use super::super::clock::Clock;
use super::ear::{Ear, Heard};
use super::link::Link;
use super::shelf::Shelf;

/// From one look at whether anything comes to the next.
const BEAT: Duration = Duration::from_secs(5);

/// Silent looks in a row with which new requests go elsewhere; the first one asks for a sign of life.
const DOUBT: u32 = 2;

/// Silent looks in a row with which it is over.
const DEATH: u32 = 4;

/// The task's state.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) connection: Connection<Ear, Bytes>,
    pub(super) heard: Heard,
    pub(super) link: Arc<Link>,
    pub(super) shelf: Weak<Shelf>,
    /// How long it may lie unused.
    pub(super) idle: Duration,
}

/// When it is looked at, and what was seen.
#[derive(Debug)]
struct Pulse {
    ping: Option<PingPong>,
    silence: Silence,
    next: Instant,
    clock: Clock,
}

/// How often in a row nothing had come although something was due.
#[derive(Debug, Default)]
struct Silence(u32);

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing.
    None,
    /// The shop is asked for a sign of life.
    Ask,
    /// New requests go elsewhere.
    Doubt,
    /// The connection is over.
    End,
}

impl Silence {
    /// With one more look: whether anything had come, and whether anything was due.
    fn look(&mut self, heard: bool, due: bool) -> Step {
        if heard {
            self.0 = 0;
        } else if due || self.0 > 0 {
            self.0 += 1;
        }
        match self.0 {
            0 => Step::None,
            1 => Step::Ask,
            DEATH.. => Step::End,
            DOUBT.. => Step::Doubt,
        }
    }
}

impl Driver {
    /// Until the connection has ended. It ends by itself when it is retired and no stream is left.
    pub(super) async fn run(mut self) {
        let mut pulse = Pulse {
            ping: self.connection.ping_pong(),
            silence: Silence::default(),
            next: Instant::now() + BEAT,
            clock: Clock::default(),
        };
        poll_fn(|cx| self.poll(&mut pulse, cx)).await;
        self.link.retire();
        self.link.forget_ending();
        if let Some(shelf) = self.shelf.upgrade() {
            shelf.forget_ended();
        }
    }

    fn poll(&mut self, pulse: &mut Pulse, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut self.connection).poll(cx) {
                if let Err(error) = ended {
                    debug!(%error, "a connection to the shop broke");
                }
                return Poll::Ready(());
            }
            self.link.settle();
            // Not only with the next look: requests that went elsewhere may come back.
            if pulse.silence.0 > 0 && self.heard.take() {
                pulse.revive(&self.link);
            }
            let idle = self.link.idle_end(self.idle);
            let until = idle.map_or(pulse.next, |idle| idle.min(pulse.next));
            ready!(pulse.clock.poll(until, cx));
            let now = Instant::now();
            if idle.is_some_and(|idle| idle <= now) {
                self.link.retire();
            }
            if pulse.next <= now {
                pulse.next = now + BEAT;
                if self.beat(pulse) {
                    debug!("the shop gave no sign of life; its connection is given up");
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Whether it is over.
    fn beat(&self, pulse: &mut Pulse) -> bool {
        self.link.forget_ending();
        let due = self.link.take_asked();
        let heard = self.heard.take();
        match pulse.silence.look(heard, due) {
            Step::None if heard => pulse.revive(&self.link),
            Step::None => {}
            Step::Ask => {
                // It fails where one is under way already, and that one will do.
                let ping = pulse.ping.as_mut();
                ping.and_then(|ping| ping.send_ping(Ping::opaque()).ok());
            }
            Step::Doubt => self.link.doubt(true),
            Step::End => return true,
        }
        false
    }
}

impl Pulse {
    /// Something came.
    fn revive(&mut self, link: &Link) {
        self.silence = Silence::default();
        link.doubt(false);
        if let Some(ping) = &mut self.ping {
            // Takes the answer in, so that the next one can be asked for.
            let _answered = ping.poll_pong(&mut Context::from_waker(Waker::noop()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_silence_where_something_is_due_ends_a_connection() {
        let mut silence = Silence::default();
        // What had come, what was due, and what is done.
        for (number, (heard, due, step)) in [
            (true, true, Step::None),
            (false, false, Step::None),
            (true, false, Step::None),
            (false, true, Step::Ask),
            (true, true, Step::None),
            (false, true, Step::Ask),
            (false, false, Step::Doubt),
            (true, false, Step::None),
            (false, false, Step::None),
            (false, true, Step::Ask),
            (false, false, Step::Doubt),
            (false, false, Step::Doubt),
            (false, false, Step::End),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(silence.look(heard, due), step, "look {number}");
        }
    }
}
