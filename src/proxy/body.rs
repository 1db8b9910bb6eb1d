//! What the client gets: the shop's bytes as they come, or a few words of our own.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tracing::warn;

use crate::event::{Counters, Event};
use crate::forward;
use crate::message::{self, Frame};
use crate::watch::{self, Relay};

/// The body of every answer.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    Shop(forward::Body, Arc<Counters>),
    Watched(Relay),
    Own(Bytes),
}

impl Body {
    /// The shop's, unchanged.
    pub(super) const fn shop(body: forward::Body, counters: Arc<Counters>) -> Self {
        Self(Kind::Shop(body, counters))
    }

    /// The shop's, by way of the task that watches it.
    pub(super) const fn watched(relay: Relay) -> Self {
        Self(Kind::Watched(relay))
    }

    /// A few words of our own.
    pub(super) const fn own(text: Bytes) -> Self {
        Self(Kind::Own(text))
    }
}

impl message::Body for Body {
    type Error = watch::Error;

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, watch::Error>>> {
        match &mut self.0 {
            Kind::Shop(body, counters) => {
                let frame = ready!(body.poll_frame(cx));
                if let Some(Err(error)) = &frame {
                    // The client sees it too: its connection ends without the end of the body.
                    counters.add(Event::ShopTruncated);
                    warn!("{error}");
                }
                Poll::Ready(frame.map(|frame| frame.map_err(watch::Error::from)))
            }
            Kind::Watched(relay) => relay.poll_frame(cx),
            Kind::Own(text) if text.is_empty() => Poll::Ready(None),
            Kind::Own(text) => Poll::Ready(Some(Ok(Frame::Data(std::mem::take(text))))),
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        match &mut self.0 {
            Kind::Shop(body, _) => body.advance(cx),
            // The task that watches it goes on by itself.
            Kind::Watched(_) | Kind::Own(_) => {}
        }
    }

    fn left(&self) -> Option<u64> {
        match &self.0 {
            Kind::Shop(body, _) => body.left(),
            Kind::Watched(relay) => relay.left(),
            Kind::Own(text) => u64::try_from(text.len()).ok(),
        }
    }

    fn is_end(&self) -> bool {
        match &self.0 {
            Kind::Shop(body, _) => body.is_end(),
            Kind::Watched(relay) => relay.is_end(),
            Kind::Own(text) => text.is_empty(),
        }
    }
}
