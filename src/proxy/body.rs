//! What the client gets: the shop's bytes as they come, or a few words of our own.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tracing::warn;

use super::account::Tail;
use crate::event::Event;
use crate::forward;
use crate::message::{self, Frame};
use crate::watch::{self, Relay};

/// The body of every answer.
#[derive(Debug)]
pub struct Body {
    kind: Kind,
    /// What is noted of it; there once the answer's head is whole.
    pub(super) tail: Option<Tail>,
}

#[derive(Debug)]
enum Kind {
    Shop(forward::Body),
    Watched(Relay),
    Own(Bytes),
}

impl Body {
    const fn new(kind: Kind) -> Self {
        Self { kind, tail: None }
    }

    /// The shop's, unchanged.
    pub(super) const fn shop(body: forward::Body) -> Self {
        Self::new(Kind::Shop(body))
    }

    /// The shop's, by way of the task that watches it.
    pub(super) const fn watched(relay: Relay) -> Self {
        Self::new(Kind::Watched(relay))
    }

    /// A few words of our own.
    pub(super) const fn own(text: Bytes) -> Self {
        Self::new(Kind::Own(text))
    }

    fn note(&mut self, frame: Option<&Result<Frame, watch::Error>>) {
        let Some(tail) = &mut self.tail else { return };
        match frame {
            Some(Ok(Frame::Data(data))) => {
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                tail.bytes = tail.bytes.saturating_add(length);
            }
            Some(Ok(Frame::Trailers(_))) => {}
            Some(Err(error)) => {
                // The client sees it too: its connection ends without the end of the body. The task
                // that watches has said so itself.
                if let Kind::Shop(_) = self.kind {
                    tail.service.counters.add(Event::ShopTruncated);
                    warn!("{error}");
                }
            }
            None => tail.ended = true,
        }
    }
}

impl message::Body for Body {
    type Error = watch::Error;

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, watch::Error>>> {
        let frame = match &mut self.kind {
            Kind::Shop(body) => {
                let frame = ready!(body.poll_frame(cx));
                frame.map(|frame| frame.map_err(watch::Error::from))
            }
            Kind::Watched(relay) => ready!(relay.poll_frame(cx)),
            Kind::Own(text) if text.is_empty() => None,
            Kind::Own(text) => Some(Ok(Frame::Data(std::mem::take(text)))),
        };
        self.note(frame.as_ref());
        Poll::Ready(frame)
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        match &mut self.kind {
            Kind::Shop(body) => body.advance(cx),
            // The task that watches it goes on by itself.
            Kind::Watched(_) | Kind::Own(_) => {}
        }
    }

    fn left(&self) -> Option<u64> {
        match &self.kind {
            Kind::Shop(body) => body.left(),
            Kind::Watched(relay) => relay.left(),
            Kind::Own(text) => u64::try_from(text.len()).ok(),
        }
    }

    fn is_end(&self) -> bool {
        match &self.kind {
            Kind::Shop(body) => body.is_end(),
            Kind::Watched(relay) => relay.is_end(),
            Kind::Own(text) => text.is_empty(),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let whole = message::Body::is_end(self);
        if let Some(tail) = &mut self.tail {
            tail.end(tail.ended || whole);
        }
    }
}
