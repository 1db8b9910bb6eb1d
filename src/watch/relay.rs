//! The shopper's end of a watched body.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::forward::Error;

/// What one poll of a body gives.
pub(super) type Piece = Result<Frame<Bytes>, Error>;

/// Pieces that wait for the shopper; the next one is not read from the shop
/// before he has taken one.
const WAITING: usize = 1;

/// A body whose pieces come from the watching task.
#[derive(Debug)]
pub struct Relay {
    pieces: mpsc::Receiver<Piece>,
    size: SizeHint,
    /// A clean end was seen: the task closed the channel after the last piece.
    ended: bool,
}

/// A relay and the sender that feeds it; `size` is the shop's.
///
/// Dropping the sender ends the body cleanly, so a fault has to be sent.
pub(super) fn relay(size: SizeHint) -> (mpsc::Sender<Piece>, Relay) {
    let (sender, pieces) = mpsc::channel(WAITING);
    let relay = Relay {
        pieces,
        size,
        ended: false,
    };
    (sender, relay)
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let piece = std::task::ready!(self.pieces.poll_recv(cx));
        self.ended = piece.is_none();
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.size.clone()
    }
}
