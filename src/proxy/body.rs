//! What the client gets: the shop's bytes as they come, or a few words of our own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tracing::warn;

use crate::event::{Counters, Event};
use crate::forward;
use crate::watch::{self, Relay};

/// The body of every answer.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    Shop(forward::Body, Arc<Counters>),
    Watched(Relay),
    Own(Bytes),
    Announced(u64),
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

    /// None, where the head speaks of `length` bytes (304).
    pub(super) const fn announced(length: u64) -> Self {
        Self(Kind::Announced(length))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = watch::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, watch::Error>>> {
        match &mut self.0 {
            Kind::Shop(body, counters) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                if let Some(Err(error)) = &frame {
                    // The client sees it too: its connection ends without the end of the body.
                    counters.add(Event::ShopTruncated);
                    warn!("{error}");
                }
                Poll::Ready(frame.map(|frame| frame.map_err(watch::Error::from)))
            }
            Kind::Watched(relay) => Pin::new(relay).poll_frame(cx),
            Kind::Own(text) if text.is_empty() => Poll::Ready(None),
            Kind::Own(text) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
            Kind::Announced(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Shop(body, _) => body.is_end_stream(),
            Kind::Watched(relay) => relay.is_end_stream(),
            Kind::Own(text) => text.is_empty(),
            Kind::Announced(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Shop(body, _) => body.size_hint(),
            Kind::Watched(relay) => relay.size_hint(),
            Kind::Own(text) => SizeHint::with_exact(u64::try_from(text.len()).unwrap_or(u64::MAX)),
            Kind::Announced(length) => SizeHint::with_exact(*length),
        }
    }
}
