//! A body: polled for its frames, so that nobody reads faster than somebody writes.

use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::Fields;

/// A piece of a body.
#[derive(Debug)]
pub enum Frame {
    /// Bytes, never none.
    Data(Bytes),
    /// The trailer section (RFC 9110 §6.5); nothing comes behind it.
    Trailers(Fields),
}

impl Frame {
    /// The bytes, or the frame again.
    ///
    /// # Errors
    /// The trailers.
    pub fn into_data(self) -> Result<Bytes, Self> {
        match self {
            Self::Data(data) => Ok(data),
            trailers @ Self::Trailers(_) => Err(trailers),
        }
    }
}

/// A body under way.
pub trait Body: Send + Unpin {
    /// Why it broke off.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The next frame; none at a clean end. What is not polled is not read from
    /// whoever sends it. After the end or an error it gives none.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, Self::Error>>>;

    /// Does what a frame that nobody has room for need not hold up: to be called while the
    /// frames' reader is slow. Here there is nothing of that kind.
    fn advance(&mut self, _cx: &mut Context<'_>) {}

    /// The bytes still to come, where that is known.
    fn left(&self) -> Option<u64>;

    /// Whether it is known that nothing more comes, neither bytes nor trailers.
    fn is_end(&self) -> bool {
        self.left() == Some(0)
    }
}

/// The next frame of `body`, as [`Body::poll_frame`]. Cancel-safe.
///
/// # Errors
/// The body broke off.
pub async fn next<B: Body + ?Sized>(body: &mut B) -> Option<Result<Frame, B::Error>> {
    poll_fn(|cx| body.poll_frame(cx)).await
}
