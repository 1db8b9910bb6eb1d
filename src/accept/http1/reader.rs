//! A request's body on its way to whoever takes it, and the client's end behind it.
//!
//! Nothing is read that nobody waits for; so a client can send no faster than the
//! body is taken. Once the body has come, the connection is only watched: a client
//! that closes, its sending side even, has gone away.

use std::task::{Context, Poll, ready};

use super::framing::{Asked, Extent};
use crate::message::chunked::{Decoder, Fault, Step};
use crate::message::incoming::{Broken, Taker, pipe};
use crate::message::parse::Limits;
use crate::message::{Feed, Fields, Frame, Incoming};
use crate::wire::Wire;

/// Of a body that nobody takes, so much is read to keep the connection.
const DISCARDED: u64 = 64 * 1024;

/// Frames handed over at once: tiny chunks would otherwise take far more room than their bytes.
const FRAMES: usize = 16;

/// The request side of an exchange.
#[derive(Debug)]
pub(super) struct Reader {
    due: Due,
    /// None: nobody takes what comes, so it is discarded.
    feed: Option<Feed>,
    /// So much may still be discarded.
    discard: u64,
    /// The client may still be waiting for a 100 before it sends the body.
    expects: bool,
    /// The client sends no more.
    gone: bool,
    limits: Limits,
}

/// What is still to come of the body.
#[derive(Debug)]
enum Due {
    Nothing,
    Length(u64),
    Chunks(Decoder),
    /// It will never be whole.
    Broken,
}

/// What the reader has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The taker has something to look at.
    Fed,
    /// The client has gone away.
    Gone,
}

impl Reader {
    /// At the front of the body, and the body's other end. `limits` bound its trailers.
    pub(super) fn new(asked: &Asked, limits: Limits) -> (Self, Incoming) {
        let (due, length) = match asked.extent {
            Extent::Nothing => (Due::Nothing, Some(0)),
            Extent::Length(length) => (Due::Length(length), Some(length)),
            Extent::Chunked => (Due::Chunks(Decoder::new(limits)), None),
        };
        let (feed, body) = match due {
            Due::Nothing => (None, Incoming::empty()),
            _ => {
                let (feed, body) = pipe(length);
                (Some(feed), body)
            }
        };
        let reader = Self {
            due,
            feed,
            discard: DISCARDED,
            expects: asked.expects,
            gone: false,
            limits,
        };
        (reader, body)
    }

    /// Whether the whole body has come.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self.due, Due::Nothing)
    }

    /// Whether the next request can be found behind this body without much ado.
    pub(super) const fn may_end(&self) -> bool {
        let taken = self.feed.is_some();
        match &self.due {
            Due::Nothing => true,
            Due::Broken => false,
            // Nobody has asked the client for it, and nobody will.
            Due::Length(_) | Due::Chunks(_) if self.expects => false,
            Due::Length(left) => taken || *left <= self.discard,
            Due::Chunks(_) => taken || self.discard > 0,
        }
    }

    /// What has come already goes to the taker at once.
    pub(super) fn begin(&mut self, wire: &mut Wire) {
        if self.is_due() && !wire.rest.is_empty() {
            self.advance(wire);
        }
    }

    /// Nobody takes the rest.
    pub(super) fn forget(&mut self) {
        self.feed = None;
    }

    /// Reads what the taker waits for. To be polled again when the taker has looked.
    pub(super) fn poll(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<Seen> {
        if self.gone {
            return Poll::Ready(Seen::Gone);
        }
        while self.is_due() {
            if let Some(feed) = &self.feed
                && ready!(feed.poll_taker(cx)) == Taker::Gone
            {
                self.feed = None;
            }
            if self.feed.is_none() && self.discard == 0 {
                return Poll::Pending;
            }
            if self.advance(wire) {
                return Poll::Ready(Seen::Fed);
            }
            if self.is_due()
                && let Ok(0) | Err(_) = ready!(wire.poll_fill(cx, self.expected()))
            {
                // The taker is told; what it makes of that, it makes at once.
                self.gone = true;
                self.fail(Broken::Gone);
                return Poll::Ready(Seen::Fed);
            }
        }
        self.watch(wire, cx)
    }

    const fn is_due(&self) -> bool {
        matches!(self.due, Due::Length(_) | Due::Chunks(_))
    }

    /// Nothing is due: what comes is the next request, or the client's end.
    fn watch(&self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<Seen> {
        while self.is_done() && wire.rest.len() < self.limits.bytes {
            if let Ok(0) | Err(_) = ready!(wire.poll_fill(cx, 0)) {
                return Poll::Ready(Seen::Gone);
            }
        }
        Poll::Pending
    }

    /// Moves what was read to the taker; whether the taker has something new.
    fn advance(&mut self, wire: &mut Wire) -> bool {
        let mut frames = 0;
        while frames < FRAMES {
            match self.step(&wire.rest) {
                Ok(Step::Skip(length)) => wire.skip(length),
                Ok(Step::Data(_) | Step::More) if wire.rest.is_empty() => break,
                Ok(Step::More) => break,
                Ok(Step::Data(left)) => {
                    let left = usize::try_from(left).unwrap_or(usize::MAX);
                    let length = self.give(left.min(wire.rest.len()), wire);
                    self.took(length);
                    frames += usize::from(self.feed.is_some());
                }
                Ok(Step::End(trailers, length)) => {
                    wire.skip(length);
                    return self.end(trailers);
                }
                Err(_fault) => return self.fail(Broken::Invalid),
            }
            if self.feed.is_none() && self.discard == 0 {
                break;
            }
        }
        frames > 0
    }

    /// What stands at the front of the bytes.
    fn step(&mut self, bytes: &[u8]) -> Result<Step, Fault> {
        match &mut self.due {
            Due::Nothing | Due::Broken => Ok(Step::More),
            Due::Length(0) => Ok(Step::End(Fields::default(), 0)),
            Due::Length(left) => Ok(Step::Data(*left)),
            Due::Chunks(decoder) => decoder.step(bytes),
        }
    }

    fn give(&mut self, length: usize, wire: &mut Wire) -> u64 {
        let long = u64::try_from(length).unwrap_or(u64::MAX);
        match &self.feed {
            Some(feed) => feed.push(Frame::Data(wire.take(length))),
            None => {
                self.discard = self.discard.saturating_sub(long);
                wire.skip(length);
            }
        }
        self.expects = false;
        long
    }

    const fn took(&mut self, length: u64) {
        match &mut self.due {
            Due::Nothing | Due::Broken => {}
            Due::Length(left) => *left = left.saturating_sub(length),
            Due::Chunks(decoder) => decoder.data(length),
        }
    }

    /// The body is whole; whether there was somebody to be told.
    fn end(&mut self, trailers: Fields) -> bool {
        self.due = Due::Nothing;
        let Some(feed) = self.feed.take() else {
            return false;
        };
        if !trailers.is_empty() {
            feed.push(Frame::Trailers(trailers));
        }
        feed.end();
        true
    }

    /// The body will never be whole; whether there was somebody to be told.
    fn fail(&mut self, why: Broken) -> bool {
        self.due = Due::Broken;
        let Some(feed) = self.feed.take() else {
            return false;
        };
        feed.fail(why);
        true
    }

    /// How many bytes are known to come.
    fn expected(&mut self) -> usize {
        if self.feed.is_none() {
            return 0;
        }
        match self.step(&[]) {
            Ok(Step::Data(left)) => usize::try_from(left).unwrap_or(usize::MAX),
            _ => 0,
        }
    }
}
