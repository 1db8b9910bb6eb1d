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
    head: Option<Instant>,
    /// There is no stream.
    idle: Option<Instant>,
    /// The socket takes nothing of what waits.
    stuck: Option<Instant>,
    /// A stream has data that its window does not allow; the earliest since the clock last rang.
    blocked: Option<Instant>,
    /// It has been idle for so long that it owns nothing but its socket.
    parked: bool,
    limits: Limits,
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
    /// Something else is waited for than when this was last asked.
    news: bool,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    head: Duration,
    idle: Duration,
    stall: Duration,
}

/// A connection that has been idle for so long is likely to stay it.
const PARK: Duration = Duration::from_secs(1);

/// What is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// Nothing was asked for a while: memory may be let go.
    Park,
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
            parked: false,
            limits: Limits {
                head: settings.head_timeout,
                idle: settings.idle_timeout,
                stall: settings.stall_timeout,
            },
            sleep: None,
            armed: false,
            news: false,
        }
    }

    /// Whether a stream that has been blocked since then is so for too long.
    pub(super) fn is_stalled(&self, since: Instant, now: Instant) -> bool {
        now >= since + self.limits.stall
    }

    /// A request's head, or another one, is owed; or not.
    pub(super) fn owe_head(&mut self, owed: bool) {
        self.news |= set(&mut self.head, owed);
    }

    /// There is no stream, or there is one.
    pub(super) fn be_idle(&mut self, idle: bool) {
        let begins = set(&mut self.idle, idle);
        self.parked &= !begins;
        self.news |= begins;
    }

    /// It is idle and owns nothing any more.
    pub(super) const fn park(&mut self) {
        self.parked = true;
        self.news = true;
    }

    /// The socket takes nothing, or does.
    pub(super) fn be_stuck(&mut self, stuck: bool) {
        self.news |= set(&mut self.stuck, stuck);
    }

    /// A stream has been blocked since then.
    pub(super) fn block(&mut self, since: Instant) {
        self.news |= self.blocked.is_none();
        self.blocked = Some(self.blocked.map_or(since, |known| known.min(since)));
    }

    /// Whether what waits to be written is not taken.
    pub(super) const fn is_stuck(&self) -> bool {
        self.stuck.is_some()
    }

    /// Forgets the streams that were blocked.
    pub(super) const fn unblock(&mut self) {
        self.blocked = None;
    }

    fn deadlines(&self) -> [(Option<Instant>, Late); 5] {
        let Limits { head, idle, stall } = self.limits;
        let park = self.idle.filter(|_| !self.parked);
        [
            (self.stuck.map(|since| since + stall), Late::Stuck),
            (self.head.map(|since| since + head), Late::Head),
            (self.idle.map(|since| since + idle), Late::Idle),
            (self.blocked.map(|since| since + stall), Late::Blocked),
            (park.map(|since| since + PARK), Late::Park),
        ]
    }

    /// Sees to it that the task of `cx` is woken at the next deadline; ready if one has passed.
    /// A deadline that has moved away since it was last asked costs nothing.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Late> {
        if !std::mem::take(&mut self.news) {
            return Poll::Pending;
        }
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
        self.rang();
        let mut passed = self.deadlines().into_iter();
        let passed = passed.find(|(deadline, _)| deadline.is_some_and(|at| at <= next));
        passed.map_or(Poll::Pending, |(_, late)| Poll::Ready(late))
    }

    /// The timer has rung: what it was set for is looked at by the next [`Clock::poll`].
    pub(super) const fn rang(&mut self) {
        self.armed = false;
        self.news = true;
    }
}

/// Begins to wait, if that is new, or waits no longer; whether it began.
fn set(since: &mut Option<Instant>, waits: bool) -> bool {
    let begins = waits && since.is_none();
    if begins {
        *since = Some(Instant::now());
    } else if !waits {
        *since = None;
    }
    begins
}
