//! The response's body on its way to the client.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use super::pool::Lease;
use super::stall::Stall;
use super::upload::Gate;
use super::{Error, RequestBody};

/// A response body that streams: what is not polled is not read from the shop.
///
/// With its last frame the connection goes back to the pool; dropped before, it
/// is closed, which tells the shop to stop. A body that ends early is an
/// [`Error`], never a clean end.
#[derive(Debug)]
pub struct Body<B: RequestBody = Incoming> {
    shop: Incoming,
    lease: Option<Lease<B>>,
    /// Kept to the end: letting go of it ends a request body that the shop never asked for.
    gate: Option<Gate>,
    stall: Stall,
}

impl<B: RequestBody> Body<B> {
    pub(super) fn new(
        shop: Incoming,
        lease: Lease<B>,
        gate: Option<Gate>,
        limit: Duration,
    ) -> Self {
        let mut body = Self {
            shop,
            lease: Some(lease),
            gate,
            stall: Stall::new(limit),
        };
        if body.shop.is_end_stream() {
            body.finish();
        }
        body
    }

    /// Everything came.
    fn finish(&mut self) {
        self.gate = None;
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl<B: RequestBody> hyper::body::Body for Body<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match Pin::new(&mut self.shop).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let limit = ready!(self.stall.poll(cx));
                self.lease = None;
                return Poll::Ready(Some(Err(Error::BodyTimeout(limit))));
            }
        };
        self.stall.moved();
        match frame {
            None => self.finish(),
            Some(Ok(_)) if self.shop.is_end_stream() => self.finish(),
            Some(Ok(_)) => {}
            Some(Err(_)) => self.lease = None,
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Error::Truncated)))
    }

    fn is_end_stream(&self) -> bool {
        self.shop.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.shop.size_hint()
    }
}
