//! The shopper's end of a watched body.

use std::task::{Context, Poll, ready};

use tokio::sync::mpsc;

use crate::forward;
use crate::message::{Body, Frame};

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
    Frame(Frame),
    Broken(forward::Error),
    /// The clean end. Without it the shopper is shown that something is missing.
    End,
}

/// A body whose pieces come from the watching task.
#[derive(Debug)]
pub struct Relay {
    pieces: mpsc::Receiver<Piece>,
    left: Option<u64>,
    ended: bool,
}

/// A relay and the sender that feeds it; `left` is what the shop has still to send.
pub(super) fn relay(left: Option<u64>) -> (mpsc::Sender<Piece>, Relay) {
    let (sender, pieces) = mpsc::channel(WAITING);
    let relay = Relay {
        pieces,
        left,
        ended: false,
    };
    (sender, relay)
}

impl Body for Relay {
    type Error = Error;

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.pieces.poll_recv(cx)) {
            Some(Piece::Frame(frame)) => {
                if let Frame::Data(data) = &frame {
                    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    self.left = self.left.map(|left| left.saturating_sub(length));
                }
                Some(Ok(frame))
            }
            Some(Piece::Broken(error)) => Some(Err(error.into())),
            Some(Piece::End) => {
                self.ended = true;
                None
            }
            None => Some(Err(Error::Gone)),
        })
    }

    fn left(&self) -> Option<u64> {
        self.left
    }

    fn is_end(&self) -> bool {
        self.ended
    }
}
