//! The one timer of a connection: set where it would ring too late, asked when it rings.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::accept::Settings;

/// What a connection waits for, and since when. A deadline that moves away costs nothing.
#[derive(Debug)]
pub(super) struct Clock {
    /// The preface and the first SETTINGS, or the rest of a header block, are to come.
    pub(super) head: Option<Instant>,
    /// There is no stream.
    pub(super) idle: Option<Instant>,
    /// The socket takes nothing of what waits.
    pub(super) stuck: Option<Instant>,
    /// A stream has data that its window does not allow; the earliest since the clock last rang.
    pub(super) blocked: Option<Instant>,
    limits: Limits,
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    head: Duration,
    idle: Duration,
    stall: Duration,
}

/// What is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// A head did not come.
    Head,
    /// Nothing was asked.
    Idle,
    /// Nothing was taken.
    Stuck,
    /// A stream, at least, may be blocked for too long: look at each.
    Blocked,
}

impl Clock {
    pub(super) const fn new(settings: &Settings) -> Self {
        Self {
            head: None,
            idle: None,
            stuck: None,
            blocked: None,
            limits: Limits {
                head: settings.head_timeout,
                idle: settings.idle_timeout,
                stall: settings.stall_timeout,
            },
            sleep: None,
            armed: false,
        }
    }

    /// Whether a stream that has been blocked since then is so for too long.
    pub(super) fn is_stalled(&self, since: Instant, now: Instant) -> bool {
        now >= since + self.limits.stall
    }

    fn deadlines(&self) -> [(Option<Instant>, Late); 4] {
        let Limits { head, idle, stall } = self.limits;
        [
            (self.stuck.map(|since| since + stall), Late::Stuck),
            (self.head.map(|since| since + head), Late::Head),
            (self.idle.map(|since| since + idle), Late::Idle),
            (self.blocked.map(|since| since + stall), Late::Blocked),
        ]
    }

    /// Sees to it that the task of `cx` is woken at the next deadline; ready if one has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Late> {
        let deadlines = self.deadlines().into_iter();
        let next = deadlines.filter_map(|(deadline, _)| deadline).min();
        let Some(next) = next else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next)));
        if self.armed && sleep.deadline() <= next {
            return Poll::Pending;
        }
        if sleep.deadline() != next {
            sleep.as_mut().reset(next);
        }
        if sleep.as_mut().poll(cx).is_pending() {
            self.armed = true;
            return Poll::Pending;
        }
        self.armed = false;
        let mut passed = self.deadlines().into_iter();
        let passed = passed.find(|(deadline, _)| deadline.is_some_and(|at| at <= next));
        passed.map_or(Poll::Pending, |(_, late)| Poll::Ready(late))
    }

    /// The timer has rung: it is set again by the next [`Clock::poll`].
    pub(super) const fn rang(&mut self) {
        self.armed = false;
    }
}
