//! The response's body, and what becomes of its stream when nobody reads on.

use std::sync::Arc;

use h2::RecvStream;

use crate::forward::http2::link::Link;

/// The receiving half of a stream.
#[derive(Debug)]
pub(super) struct Receiving {
    /// None only when it is dropped.
    stream: Option<RecvStream>,
    link: Arc<Link>,
    /// Whether all has come, and gone, but for the stream's end.
    pub(super) settled: bool,
}

impl Receiving {
    pub(super) const fn new(stream: RecvStream, link: Arc<Link>) -> Self {
        Self {
            stream: Some(stream),
            link,
            settled: false,
        }
    }

    pub(super) const fn stream(&mut self) -> Option<&mut RecvStream> {
        self.stream.as_mut()
    }

    /// Whether nothing more comes, neither bytes nor trailers.
    pub(super) fn is_end(&self) -> bool {
        self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    pub(super) fn into_stream(mut self) -> Option<RecvStream> {
        self.stream.take()
    }
}

impl Drop for Receiving {
    /// A stream of which everything has come but its end is not reset: a shop that sees one
    /// reset after the other takes that for an attack.
    fn drop(&mut self) {
        if self.settled
            && !self.is_end()
            && let Some(stream) = self.stream.take()
        {
            self.link.see_off(stream);
        }
    }
}
