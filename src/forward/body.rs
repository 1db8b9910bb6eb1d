//! The response's body on its way to the client.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::exchange::Exchange;
use super::{Error, http2};
use crate::message::{self, Fields, Frame};
use crate::store::upstreams::Busy;

/// A response body that streams: what is not polled is not read from the shop.
///
/// With its last frame the connection goes back to the pool; dropped before, it
/// is closed (by HTTP/2: the stream is reset), which tells the shop to stop. A body that ends early is an
/// [`Error`], never a clean end. A request body that is still on its way is sent on
/// while this is polled.
#[derive(Debug)]
pub struct Body {
    /// What came with the head.
    first: Option<Bytes>,
    /// Where the rest comes from.
    source: Source,
    trailers: Option<Box<Fields>>,
    /// Whether the head told the length.
    sized: bool,
    /// Marks the upstream as busy until this is let go.
    busy: Option<Busy>,
}

#[derive(Debug)]
enum Source {
    /// It is over.
    None,
    Http1(Box<Exchange>),
    Http2(Box<http2::Exchange>),
}

impl Body {
    pub(super) const fn empty() -> Self {
        Self {
            first: None,
            source: Source::None,
            trailers: None,
            sized: true,
            busy: None,
        }
    }

    /// Holds the mark of a busy upstream to its own end.
    pub(super) fn occupies(&mut self, busy: Option<Busy>) {
        self.busy = busy;
    }

    /// The body of a response whose head has come.
    pub(super) fn new(mut exchange: Box<Exchange>) -> Self {
        let mut body = Self::empty();
        body.sized = exchange.inflow().is_whole() || exchange.inflow().left().is_some();
        // What is wrong with it is told when it is asked for.
        match exchange.take() {
            Ok(Some(Frame::Data(data))) => body.first = Some(data),
            Ok(Some(Frame::Trailers(trailers))) => body.trailers = Some(Box::new(trailers)),
            Ok(None) | Err(_) => {}
        }
        if exchange.inflow().is_whole() {
            body.trailers = body.trailers.or(exchange.finish().map(Box::new));
        } else {
            body.source = Source::Http1(exchange);
        }
        body
    }

    /// The same by HTTP/2.
    pub(super) fn of_stream(exchange: Box<http2::Exchange>) -> Self {
        let mut body = Self::empty();
        body.sized = exchange.left().is_some();
        if !exchange.is_end() {
            body.source = Source::Http2(exchange);
        }
        body
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, Error>>> {
        let Source::Http2(exchange) = &mut self.source else {
            return Poll::Ready(None);
        };
        let frame = ready!(exchange.poll_frame(cx));
        if !matches!(&frame, Ok(Some(Frame::Data(_)))) || exchange.is_end() {
            self.source = Source::None;
        }
        Poll::Ready(frame.transpose())
    }
}

impl message::Body for Body {
    type Error = Error;

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::Data(first))));
        }
        let exchange = match &mut self.source {
            Source::Http1(exchange) => exchange,
            Source::Http2(_) => return self.poll_stream(cx),
            Source::None => {
                return Poll::Ready(
                    self.trailers
                        .take()
                        .map(|trailers| Ok(Frame::Trailers(*trailers))),
                );
            }
        };
        let frame = ready!(exchange.poll_frame(cx));
        if frame.is_err() {
            self.source = Source::None;
        } else if exchange.inflow().is_whole()
            && let Source::Http1(exchange) = std::mem::replace(&mut self.source, Source::None)
        {
            self.trailers = exchange.finish().map(Box::new);
        }
        Poll::Ready(frame.transpose())
    }

    /// The request body, which the client may want to be rid of before it reads.
    fn advance(&mut self, cx: &mut Context<'_>) {
        match &mut self.source {
            Source::Http1(exchange) => exchange.advance(cx),
            Source::Http2(exchange) => exchange.advance(cx),
            Source::None => {}
        }
    }

    fn left(&self) -> Option<u64> {
        if !self.sized {
            return None;
        }
        let first = self.first.as_ref().map_or(0, Bytes::len);
        let rest = match &self.source {
            Source::Http1(exchange) => exchange.inflow().left(),
            Source::Http2(exchange) => exchange.left(),
            Source::None => None,
        };
        u64::try_from(first).ok()?.checked_add(rest.unwrap_or(0))
    }

    fn is_end(&self) -> bool {
        let is_over = match &self.source {
            Source::None => true,
            Source::Http1(_) => false,
            Source::Http2(exchange) => exchange.is_end(),
        };
        is_over && self.first.is_none() && self.trailers.is_none()
    }
}
