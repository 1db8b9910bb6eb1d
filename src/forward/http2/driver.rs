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

/// Silent looks in a row: the first one asks for a sign of life, with this one new requests go elsewhere …
const DOUBT: u32 = 2;

/// … and with this one it is over.
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

/// How often nothing came although something was due.
#[derive(Debug)]
struct Pulse {
    ping: Option<PingPong>,
    silent: u32,
    next: Instant,
    clock: Clock,
}

impl Driver {
    /// Until the connection has ended. It ends by itself when it is retired and no stream is left.
    pub(super) async fn run(mut self) {
        let mut pulse = Pulse {
            ping: self.connection.ping_pong(),
            silent: 0,
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
            if pulse.silent > 0 && self.heard.take() {
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

    /// Whether the shop is dead.
    fn beat(&self, pulse: &mut Pulse) -> bool {
        self.link.forget_ending();
        let asked = self.link.take_asked();
        if self.heard.take() {
            pulse.revive(&self.link);
            return false;
        }
        if !asked && pulse.silent == 0 {
            return false;
        }
        pulse.silent += 1;
        if pulse.silent == 1
            && let Some(ping) = &mut pulse.ping
        {
            // It fails where one is under way already, and that one will do.
            ping.send_ping(Ping::opaque()).ok();
        }
        self.link.doubt(pulse.silent >= DOUBT);
        pulse.silent >= DEATH
    }
}

impl Pulse {
    /// Something came.
    fn revive(&mut self, link: &Link) {
        self.silent = 0;
        link.doubt(false);
        if let Some(ping) = &mut self.ping {
            // Takes the answer in, so that the next one can be asked for.
            let _answered = ping.poll_pong(&mut Context::from_waker(Waker::noop()));
        }
    }
}
