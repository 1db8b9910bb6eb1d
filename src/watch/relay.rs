//! The shopper's end of a watched body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::forward;

/// Pieces that wait for the shopper; the next one is not read from the shop
/// before he has taken one.
const WAITING: usize = 1;

/// Why a watched body has no clean end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The shop's body broke off.
    #[error(transparent)]
    Shop(#[from] forward::Error),
    /// The watching task is gone without having said that it is the end.
    #[error("the task that watches the response is gone")]
    Gone,
}

/// What the watching task sends.
#[derive(Debug)]
pub(super) enum Piece {
    Frame(Frame<Bytes>),
    Broken(forward::Error),
    /// The clean end. Without it the shopper is shown that something is missing.
    End,
}

/// A body whose pieces come from the watching task.
#[derive(Debug)]
pub struct Relay {
    pieces: mpsc::Receiver<Piece>,
    size: SizeHint,
    ended: bool,
}

/// A relay and the sender that feeds it; `size` is the shop's.
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
        if self.ended {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.pieces.poll_recv(cx)) {
            Some(Piece::Frame(frame)) => Some(Ok(frame)),
            Some(Piece::Broken(error)) => Some(Err(error.into())),
            Some(Piece::End) => {
                self.ended = true;
                None
            }
            None => Some(Err(Error::Gone)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
