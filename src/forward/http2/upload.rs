//! A request's body on its way into its stream, as fast as the shop takes it.
//!
//! As by HTTP/1.1: where the client waits for it, the body is not taken before the
//! shop's 100, or before patience ends; and what is not taken from the client is not
//! read from it.

use std::task::{Context, Poll};

use bytes::Bytes;
use h2::SendStream;
use tokio::time::Instant;

use super::super::headers::may_trail;
use super::super::upload::Stage;
use super::fields;
use crate::message::incoming::Broken;
use crate::message::{Body as _, Fields, Frame, Incoming};

/// A body under way.
#[derive(Debug)]
pub(super) struct Upload {
    body: Incoming,
    /// Taken from the client, not sent yet.
    next: Bytes,
    /// Bytes still to be taken, where the head told it.
    left: Option<u64>,
    phase: Phase,
    /// Whether any of it was sent.
    touched: bool,
    /// Since when nothing has moved.
    since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It ended with the head.
    None,
    /// It waits for the shop's 100.
    Held,
    /// It is taken.
    Open,
    /// All of it is sent.
    Sent,
    /// It will never be whole.
    Stopped,
}

impl Upload {
    /// Of a request with these fields.
    pub(super) fn new(fields: &Fields, body: Incoming, bodiless: bool) -> Self {
        let expected = fields.get("expect");
        let held = expected.is_some_and(|expected| expected.eq_ignore_ascii_case(b"100-continue"));
        Self {
            next: Bytes::new(),
            left: body.left(),
            phase: match (bodiless, held) {
                (true, _) => Phase::None,
                (false, true) => Phase::Held,
                (false, false) => Phase::Open,
            },
            body,
            touched: false,
            since: None,
        }
    }

    /// Sends what can be sent; what it waits for then.
    pub(super) fn drive(
        &mut self,
        stream: &mut SendStream<Bytes>,
        cx: &mut Context<'_>,
    ) -> Result<Stage, Broken> {
        loop {
            match self.phase {
                Phase::None | Phase::Sent | Phase::Stopped => return Ok(Stage::Over),
                Phase::Held => return Ok(Stage::Held),
                Phase::Open if self.next.is_empty() => {
                    let Poll::Ready(frame) = self.body.poll_frame(cx) else {
                        return Ok(Stage::Client);
                    };
                    self.since = None;
                    self.take(frame.transpose()?, stream)?;
                }
                Phase::Open => {
                    if self.push(stream, cx).is_pending() {
                        return Ok(Stage::Shop);
                    }
                }
            }
        }
    }

    fn take(&mut self, frame: Option<Frame>, stream: &mut SendStream<Bytes>) -> Result<(), Broken> {
        match frame {
            Some(Frame::Data(data)) => {
                if let Some(left) = &mut self.left {
                    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    *left = left.checked_sub(length).ok_or(Broken::Invalid)?;
                }
                self.next = data;
                return Ok(());
            }
            _ if self.left.is_some_and(|left| left > 0) => return Err(Broken::Gone),
            Some(Frame::Trailers(mut trailers)) => {
                trailers.retain(|name, _| may_trail(name));
                let trailers = fields::map(&trailers).map_err(|_unfit| Broken::Invalid)?;
                self.sent(&stream.send_trailers(trailers), true);
            }
            None => self.sent(&stream.send_data(Bytes::new(), true), true),
        }
        Ok(())
    }

    /// Sends as much as there is room for; pending where there is none.
    fn push(&mut self, stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<()> {
        stream.reserve_capacity(self.next.len());
        let room = stream.capacity().min(self.next.len());
        if room == 0 {
            match stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                // The shop wants no more; why, its answer tells.
                Poll::Ready(Some(Err(_)) | None) => self.stop(),
                Poll::Pending => return Poll::Pending,
            }
            return Poll::Ready(());
        }
        let piece = self.next.split_to(room);
        let last = self.next.is_empty() && self.body.is_end() && self.left.unwrap_or(0) == 0;
        self.sent(&stream.send_data(piece, last), last);
        Poll::Ready(())
    }

    fn sent(&mut self, sent: &Result<(), h2::Error>, last: bool) {
        self.touched = true;
        self.since = None;
        match sent {
            Ok(()) if last => self.phase = Phase::Sent,
            Ok(()) => {}
            Err(_) => self.stop(),
        }
    }

    /// Lets the body go on; whether it waited for that.
    pub(super) fn open(&mut self) -> bool {
        let held = self.phase == Phase::Held;
        if held {
            self.phase = Phase::Open;
            self.since = None;
        }
        held
    }

    fn stop(&mut self) {
        self.phase = Phase::Stopped;
    }

    /// As it was, for another stream; none if any of it was sent.
    pub(super) fn again(mut self) -> Option<Self> {
        if self.phase == Phase::Stopped {
            self.phase = Phase::Open;
        }
        (!self.touched).then_some(self)
    }

    /// Whether all of it is sent.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::None | Phase::Sent)
    }

    /// Whether it ended with the head.
    pub(super) fn is_bodiless(&self) -> bool {
        self.phase == Phase::None
    }

    /// The body, where nothing was taken of it.
    pub(super) fn into_body(self) -> Option<Incoming> {
        (!self.touched && self.next.is_empty()).then_some(self.body)
    }

    /// Since when nothing has moved: from now, if something has.
    pub(super) fn since(&mut self) -> Instant {
        *self.since.get_or_insert_with(Instant::now)
    }
}
