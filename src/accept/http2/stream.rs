//! One stream: a request, what is done for it, its response (RFC 9113 §5.1).

use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::Instant;

use super::fault::Code;
use super::flow::{Credit, Window};
use super::settings::STREAM_WINDOW;
use super::tunnel::Tunnel;
use crate::message::incoming::Broken;
use crate::message::{Body, Feed, Fields, Frame, Incoming};

/// A stream that is not over: "open" until the client has said everything, "half-closed
/// (remote)" from then on. Only a tunnel is ever "half-closed (local)".
#[derive(Debug)]
pub(super) struct Stream<B> {
    pub(super) id: u32,
    /// The client has said everything: `END_STREAM` came.
    pub(super) heard: bool,
    /// The request was HEAD: whatever the head says, no content follows it.
    pub(super) bare: bool,
    pub(super) work: Work<B>,
    /// The request's body, unless the head was all of it.
    pub(super) upload: Option<Upload>,
    /// What we may send.
    pub(super) window: Window,
    /// Taken from the body and not sent yet.
    pub(super) ahead: Bytes,
    /// It stands in the line of those that want to send.
    pub(super) queued: bool,
    /// Since when its window, or the connection's, lets nothing through.
    pub(super) blocked: Option<Instant>,
}

/// What is done for a stream.
#[derive(Debug)]
pub(super) enum Work<B> {
    /// The service has it. With an extended CONNECT, what the client sends meanwhile is kept
    /// for the tunnel.
    Asking(Option<Incoming>),
    /// The response is on its way.
    Answering(B),
    /// Bytes both ways.
    Tunnel(Box<Tunnel>),
}

/// A piece of what goes to the client.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(Fields),
    End,
    Broken(Code),
}

impl<B: Body> Work<B> {
    /// The next piece for the client.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        match self {
            Self::Asking(_) => Poll::Pending,
            Self::Answering(body) => body.poll_frame(cx).map(|frame| match frame {
                Some(Ok(Frame::Data(data))) => Piece::Data(data),
                Some(Ok(Frame::Trailers(fields))) => Piece::Trailers(fields),
                Some(Err(error)) => {
                    tracing::debug!(%error, "a body broke off");
                    Piece::Broken(Code::Internal)
                }
                None => Piece::End,
            }),
            Self::Tunnel(tunnel) => tunnel.poll_down(cx).map(|bytes| match bytes {
                Ok(bytes) if bytes.is_empty() => Piece::End,
                Ok(bytes) => Piece::Data(bytes),
                Err(error) => {
                    tracing::debug!(%error, "a tunnel broke off");
                    Piece::Broken(Code::Connect)
                }
            }),
        }
    }

    /// Does what no piece holds up.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) {
        if let Self::Answering(body) = self {
            body.advance(cx);
        }
    }

    /// Whether it is known that no further piece comes.
    pub(super) fn is_end(&self) -> bool {
        matches!(self, Self::Answering(body) if body.is_end())
    }

    pub(super) const fn is_tunnel(&self) -> bool {
        matches!(self, Self::Tunnel(_))
    }
}

/// A request's body as it comes.
#[derive(Debug)]
pub(super) struct Upload {
    feed: Feed,
    /// Bytes still to come, where `content-length` said it.
    expected: Option<u64>,
    credit: Credit,
    /// Bytes that came and were not taken yet.
    held: usize,
}

/// Bytes that were taken, and what to tell the client about its windows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    pub(super) bytes: usize,
    pub(super) window: Option<u32>,
}

impl Upload {
    pub(super) const fn new(feed: Feed, expected: Option<u64>) -> Self {
        Self {
            feed,
            expected,
            credit: Credit::new(STREAM_WINDOW),
            held: 0,
        }
    }

    /// A DATA frame begins: `whole` bytes of payload with `data` of data. What came without
    /// being data is given back at once.
    ///
    /// # Errors
    /// The stream's: more than its window, or than its `content-length` (RFC 9113 §8.1.1).
    pub(super) fn begin(&mut self, whole: usize, data: usize) -> Result<Option<u32>, Code> {
        self.credit
            .take(whole)
            .map_err(|_overdrawn| Code::FlowControl)?;
        if let Some(expected) = &mut self.expected {
            let data = u64::try_from(data).unwrap_or(u64::MAX);
            *expected = expected.checked_sub(data).ok_or(Code::Protocol)?;
        }
        Ok(self.credit.give(whole - data))
    }

    /// Data came.
    pub(super) fn push(&mut self, data: Bytes) {
        self.held += data.len();
        self.feed.push(Frame::Data(data));
    }

    /// Everything came, and these trailers.
    ///
    /// # Errors
    /// The stream's: less came than `content-length` said.
    pub(super) fn end(&mut self, trailers: Fields) -> Result<(), Code> {
        if self.expected.is_some_and(|left| left > 0) {
            return Err(Code::Protocol);
        }
        if !trailers.is_empty() {
            self.feed.push(Frame::Trailers(trailers));
        }
        self.feed.finish();
        Ok(())
    }

    /// It will never be whole, by the client's fault.
    pub(super) fn fail(self) {
        self.feed.fail(Broken::Invalid);
    }

    /// What was taken since this was last asked.
    pub(super) fn taken(&mut self, cx: &mut Context<'_>) -> Taken {
        let bytes = self.feed.taken(cx);
        if bytes == 0 {
            return Taken::default();
        }
        self.held = self.held.saturating_sub(bytes);
        Taken {
            bytes,
            window: self.credit.give(bytes),
        }
    }

    /// Bytes that nobody will take any more.
    pub(super) const fn held(&self) -> usize {
        self.held
    }
}
