//! The body on its way: to the shopper as it comes, into the copy beside it.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::relay::Piece;
use crate::forward;
use crate::observe::Copy;

/// A body under way.
pub(super) struct Pump {
    /// Where the shopper's pieces go; none once he has gone.
    shopper: Option<mpsc::Sender<Piece>>,
    /// The body's copy.
    copy: Copy,
    /// Bytes still to come, where the head says how many.
    left: Option<u64>,
    /// How long to read on after the shopper has gone.
    patience: Duration,
    /// Until when, since he has.
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
    held: Option<Frame<Bytes>>,
    shopper: Option<mpsc::Sender<Piece>>,
}

/// Why a body did not come whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Shop,
    Abandoned,
}

impl Pump {
    pub(super) const fn new(
        shopper: mpsc::Sender<Piece>,
        copy: Copy,
        length: Option<u64>,
        patience: Duration,
    ) -> Self {
        Self {
            shopper: Some(shopper),
            copy,
            left: length,
            patience,
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
                None => break None,
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    self.pass(Piece::Broken(error)).await;
                    return End::Cut(Cut::Shop);
                }
            };
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(trailers) => break Some(trailers),
            };
            self.copy.push(&data);
            if self.shopper.is_none() && self.copy.is_over() {
                return End::Cut(Cut::Abandoned);
            }
            match self.last(&data) {
                None => self.pass(Piece::Frame(Frame::data(data))).await,
                Some((before, last)) => {
                    if !before.is_empty() {
                        self.pass(Piece::Frame(Frame::data(before))).await;
                    }
                    break Some(Frame::data(last));
                }
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
    ) -> Result<Option<Result<Frame<Bytes>, forward::Error>>, tokio::time::error::Elapsed> {
        match self.deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, shop.frame()).await,
            None => Ok(shop.frame().await),
        }
    }

    /// If `data` brings the last byte of a body of known length: what comes before it, and it.
    fn last(&mut self, data: &Bytes) -> Option<(Bytes, Bytes)> {
        let left = self.left.as_mut()?;
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        *left = left.saturating_sub(length);
        if *left > 0 || data.is_empty() {
            return None;
        }
        let mut before = data.clone();
        let last = before.split_off(data.len().saturating_sub(1));
        Some((before, last))
    }

    async fn pass(&mut self, piece: Piece) {
        let Some(shopper) = &self.shopper else { return };
        if shopper.send(piece).await.is_err() {
            self.shopper = None;
            self.deadline = Some(Instant::now() + self.patience);
        }
    }
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

/// The length that the head promises.
pub(super) fn length(body: &forward::Body) -> Option<u64> {
    body.size_hint().exact()
}
