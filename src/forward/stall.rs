//! Silence: how long a body may keep its reader waiting.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Made with the first wait, set again only when it rings: a body that flows costs no timer.
#[derive(Debug)]
pub(super) struct Stall {
    limit: Duration,
    since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    pub(super) const fn new(limit: Duration) -> Self {
        Self {
            limit,
            since: None,
            sleep: None,
        }
    }

    /// Something came.
    pub(super) const fn moved(&mut self) {
        self.since = None;
    }

    /// Nothing came. Ready when nothing has come for too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let deadline = since + self.limit;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        while sleep.as_mut().poll(cx).is_ready() {
            if deadline <= sleep.deadline() {
                return Poll::Ready(self.limit);
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
