//! The body on its way: to the shopper as it comes, into the copy beside it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use super::relay::Piece;
use crate::forward;
use crate::message::{Body as _, Frame, body};
use crate::observe::Copy;

/// How the shopper's message will end, so what has to be held back of it.
pub(super) enum Ending {
    /// With the last of so many bytes, still to come.
    Length(u64),
    /// With a terminator of its own: no byte has to be held back.
    Terminator,
    /// With the connection (HTTP/1.0): the newest byte is held back, for it may be the last.
    Close(Option<Bytes>),
}

/// How long, and for how many, exchanges go on without their shopper.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    pub(super) timeout: Duration,
    pub(super) places: Arc<Semaphore>,
}

/// A body under way.
pub(super) struct Pump {
    /// Where the shopper's pieces go; none once he has gone.
    shopper: Option<mpsc::Sender<Piece>>,
    /// The body's copy.
    copy: Copy,
    ending: Ending,
    patience: Patience,
    /// Taken when the shopper goes.
    place: Option<OwnedSemaphorePermit>,
    /// Until when to read on, since he has gone.
    deadline: Option<Instant>,
}

/// How a body ended.
pub(super) enum End {
    /// It is whole, but for what is held back of the message.
    Whole(Whole),
    /// The shop broke off, or the shopper had gone and it took too long: no order.
    Cut(Cut),
}

/// A body that came whole.
pub(super) struct Whole {
    /// The copy; none if it was larger than its limit.
    pub(super) body: Option<Bytes>,
    /// The last byte, or the trailers.
    held: Option<Frame>,
    shopper: Option<mpsc::Sender<Piece>>,
}

/// Why a body did not come whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Shop,
    Abandoned,
}

impl Pump {
    /// `place` is there if the shopper has gone already.
    pub(super) const fn new(
        shopper: mpsc::Sender<Piece>,
        copy: Copy,
        ending: Ending,
        patience: Patience,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            shopper: Some(shopper),
            copy,
            ending,
            patience,
            place,
            deadline: None,
        }
    }

    /// Reads `shop` to its end, at the shopper's pace while he is there.
    pub(super) async fn run(mut self, mut shop: forward::Body) -> End {
        let held = loop {
            let Ok(frame) = self.next(&mut shop).await else {
                return End::Cut(Cut::Abandoned);
            };
            let frame = match frame {
                None => break self.ending.newest().map(Frame::Data),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    self.pass(Piece::Broken(error)).await;
                    return End::Cut(Cut::Shop);
                }
            };
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(trailers) => {
                    // Its end is still to be taken, or the connection could not be used again.
                    self.next(&mut shop).await.ok();
                    break self.ending.newest().map(Frame::Data).or(Some(trailers));
                }
            };
            self.copy.push(&data);
            if self.shopper.is_none() && self.copy.is_over() {
                return End::Cut(Cut::Abandoned);
            }
            if let Some(last) = self.pass_but_last(data).await {
                break Some(Frame::Data(last));
            }
        };
        // The connection to the shop goes back to its pool while the order is entered.
        drop(shop);
        End::Whole(Whole {
            body: self.copy.finish(),
            held,
            shopper: self.shopper,
        })
    }

    /// The next frame; an error when the shopper has gone and it takes too long.
    async fn next(
        &self,
        shop: &mut forward::Body,
    ) -> Result<Option<Result<Frame, forward::Error>>, tokio::time::error::Elapsed> {
        match self.deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, body::next(shop)).await,
            None => Ok(body::next(shop).await),
        }
    }

    /// Passes `data` on, but for the message's last byte, which is returned when it has come.
    async fn pass_but_last(&mut self, data: Bytes) -> Option<Bytes> {
        if data.is_empty() {
            return None;
        }
        let mut before = data;
        let last = match &mut self.ending {
            Ending::Terminator => None,
            Ending::Length(left) => {
                let length = u64::try_from(before.len()).unwrap_or(u64::MAX);
                *left = left.saturating_sub(length);
                (*left == 0).then(|| split_last(&mut before))
            }
            Ending::Close(newest) => {
                let earlier = newest.replace(split_last(&mut before));
                if let Some(earlier) = earlier {
                    self.pass(Piece::Frame(Frame::Data(earlier))).await;
                }
                None
            }
        };
        if !before.is_empty() {
            self.pass(Piece::Frame(Frame::Data(before))).await;
        }
        last
    }

    async fn pass(&mut self, piece: Piece) {
        let Some(shopper) = &self.shopper else { return };
        if shopper.send(piece).await.is_ok() {
            return;
        }
        self.shopper = None;
        if self.place.is_none() {
            self.place = Arc::clone(&self.patience.places).try_acquire_owned().ok();
        }
        let now = Instant::now();
        self.deadline = Some(match &self.place {
            Some(_place) => now + self.patience.timeout,
            None => now,
        });
    }
}

impl Ending {
    /// How a message with this body ends for a client that speaks HTTP/1.1, or an older one.
    pub(super) fn of(body: &forward::Body, is_old: bool) -> Self {
        match body.left() {
            Some(length) => Self::Length(length),
            None if is_old => Self::Close(None),
            None => Self::Terminator,
        }
    }

    fn newest(&mut self) -> Option<Bytes> {
        match self {
            Self::Close(newest) => newest.take(),
            Self::Length(_) | Self::Terminator => None,
        }
    }
}

/// Takes the last byte off.
fn split_last(data: &mut Bytes) -> Bytes {
    data.split_off(data.len().saturating_sub(1))
}

impl Whole {
    /// Lets the end of the message go out. A shopper who has gone misses nothing of ours.
    pub(super) async fn release(self) {
        let Some(shopper) = self.shopper else { return };
        if let Some(held) = self.held
            && shopper.send(Piece::Frame(held)).await.is_err()
        {
            return;
        }
        shopper.send(Piece::End).await.ok();
    }
}
