//! What all streams of a connection share: the way back to the client, and the accounts.

use std::collections::VecDeque;
use std::sync::Arc;

use super::budget::{Budget, Spent};
use super::fault::{Code, Fault};
use super::flow::{Credit, Window};
use super::hpack::Encoder;
use super::output::Output;
use super::past::Past;
use super::settings::{CONNECTION_WINDOW, Theirs};
use super::{frame, response};
use crate::event::{Counters, Event};
use crate::message::{Fields, ResponseHead};

/// The client has used up our patience.
impl From<Spent> for Fault {
    fn from(_: Spent) -> Self {
        Self::Connection(Code::EnhanceYourCalm, "too much of what asks for nothing")
    }
}

/// Without the streams themselves, so that one of them and this can be changed side by side.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) output: Output,
    pub(super) encoder: Encoder,
    /// The client's settings.
    pub(super) theirs: Theirs,
    /// What we may send, on all streams together.
    pub(super) window: Window,
    /// What the client may send, on all streams together.
    pub(super) credit: Credit,
    /// Slots of streams that want to send, each in its turn.
    pub(super) turn: VecDeque<usize>,
    /// The highest stream that the client has opened.
    pub(super) last: u32,
    pub(super) past: Past,
    pub(super) budget: Budget,
    counters: Arc<Counters>,
}

impl Link {
    pub(super) fn new(counters: Arc<Counters>) -> Self {
        Self {
            output: Output::default(),
            encoder: Encoder::default(),
            theirs: Theirs::new(),
            window: Window::new(super::flow::INITIAL),
            credit: Credit::new(CONNECTION_WINDOW),
            turn: VecDeque::new(),
            last: 0,
            past: Past::default(),
            budget: Budget::default(),
            counters,
        }
    }

    /// Writes the head of a response; see [`response::head`].
    pub(super) fn head(&mut self, id: u32, end: bool, head: &ResponseHead, length: Option<u64>) {
        let encoder = &mut self.encoder;
        self.output
            .control(|out| response::head(encoder, out, (id, end), head, length));
    }

    /// Writes what ends a response instead of its data.
    pub(super) fn trailers(&mut self, id: u32, fields: &Fields) {
        let encoder = &mut self.encoder;
        self.output
            .control(|out| response::trailers(encoder, out, id, fields));
    }

    /// A request was refused.
    pub(super) fn refused(&self) {
        self.counters.add(Event::RequestRefused);
    }

    /// Bytes that the client sent are held no longer.
    pub(super) fn give(&mut self, bytes: usize) {
        if let Some(by) = self.credit.give(bytes) {
            self.output.control(|out| frame::window_update(out, 0, by));
        }
    }

    /// The client may send more on this stream.
    pub(super) fn open(&mut self, stream: u32, by: Option<u32>) {
        if let Some(by) = by {
            self.output
                .control(|out| frame::window_update(out, stream, by));
        }
    }

    /// Ends a stream of which the client may still send something.
    pub(super) fn reset(&mut self, stream: u32, code: Code) {
        self.past.reset(stream);
        self.output
            .control(|out| frame::rst_stream(out, stream, code));
    }

    /// Whether the client could not have opened this stream yet (RFC 9113 §5.1.1).
    pub(super) const fn is_idle(&self, stream: u32) -> bool {
        stream > self.last || stream.is_multiple_of(2)
    }
}
