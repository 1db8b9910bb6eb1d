//! One upstream, with what every worker knows of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::Upstream;

/// Connections that failed one after the other before an upstream is passed over.
const FAILURES: u32 = 3;

/// How long it is passed over at first.
const FIRST_REST: Duration = Duration::from_secs(5);

/// How long it is passed over at most.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// How long the one request that tries it again has for itself.
const TRIAL: Duration = Duration::from_secs(10);

/// Whether an upstream is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    Up,
    /// Not for a while: connecting to it failed.
    Resting,
    /// Not until its health checks succeed.
    Down,
}

/// One upstream. Clones share what is known of it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Where it listens, and how it is spoken to.
    pub upstream: Upstream,
    known: Arc<Known>,
}

/// What is known of it, from one configuration to the next.
#[derive(Debug, Default)]
struct Known {
    /// Requests under way, where they are counted.
    busy: AtomicUsize,
    /// Whether its health checks fail.
    down: AtomicBool,
    /// Whether there is anything to see in `trouble`.
    troubled: AtomicBool,
    /// Behind a lock, because it changes as a whole; only an upstream that failed takes it.
    trouble: Mutex<Trouble>,
}

/// What connecting to it came to.
#[derive(Debug, Default)]
struct Trouble {
    /// In a row.
    failures: u32,
    /// How often it was sent to rest since it last worked.
    rests: u32,
    /// The end of its rest, or of its trial.
    until: Option<Instant>,
    /// One request tries whether it works again.
    trial: bool,
}

/// A request under way at an upstream, until this is dropped.
#[derive(Debug)]
pub struct Busy(Arc<Known>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Member {
    pub(super) fn new(upstream: Upstream) -> Self {
        Self {
            upstream,
            known: Arc::default(),
        }
    }

    /// The same, reached as `next` says.
    pub(super) fn with(&self, next: &Upstream) -> Self {
        Self {
            upstream: next.clone(),
            known: Arc::clone(&self.known),
        }
    }

    /// A connection to it stands.
    pub fn connected(&self) {
        if self.known.troubled.load(Ordering::Relaxed) {
            *self.trouble() = Trouble::default();
            self.known.troubled.store(false, Ordering::Relaxed);
        }
    }

    /// Connecting to it failed. Returns how long it rests, if this sent it to rest.
    pub fn failed(&self, now: Instant) -> Option<Duration> {
        let mut trouble = self.trouble();
        self.known.troubled.store(true, Ordering::Relaxed);
        // Others began to connect before it was sent to rest: their failure is the same one.
        let is_known = trouble.until.is_some_and(|until| until > now) && !trouble.trial;
        trouble.failures = trouble.failures.saturating_add(1);
        if is_known || trouble.failures < FAILURES {
            return None;
        }
        let factor = 2_u32.saturating_pow(trouble.rests);
        let rest = FIRST_REST.saturating_mul(factor).min(LONGEST_REST);
        trouble.rests = trouble.rests.saturating_add(1);
        trouble.until = Some(now + rest);
        trouble.trial = false;
        Some(rest)
    }

    /// What its health checks say; also that whatever kept it from being asked is over.
    pub fn set_up(&self, up: bool) {
        self.known.down.store(!up, Ordering::Relaxed);
        if up {
            self.connected();
        }
    }

    /// Whether it is asked.
    pub fn state(&self, now: Instant) -> State {
        if self.is_down() {
            return State::Down;
        }
        if self.is_ready(|| now) {
            State::Up
        } else {
            State::Resting
        }
    }

    /// Whether its health checks say that it must not be asked.
    pub fn is_down(&self) -> bool {
        self.known.down.load(Ordering::Relaxed)
    }

    /// Whether it does not rest.
    pub(super) fn is_ready(&self, now: impl Fn() -> Instant) -> bool {
        self.rests_until().is_none_or(|until| until <= now())
    }

    /// The end of its rest, which may be over; none if it was not sent to any.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        if !self.known.troubled.load(Ordering::Relaxed) {
            return None;
        }
        self.trouble().until
    }

    /// One request tries it after its rest; for the others the rest goes on meanwhile.
    pub(super) fn try_again(&self, now: impl Fn() -> Instant) {
        if self.rests_until().is_some() {
            let mut trouble = self.trouble();
            trouble.until = Some(now() + TRIAL);
            trouble.trial = true;
        }
    }

    pub(super) fn busy(&self) -> usize {
        self.known.busy.load(Ordering::Relaxed)
    }

    pub(super) fn occupy(&self) -> Busy {
        self.known.busy.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(&self.known))
    }

    /// Nothing panics while it holds the lock.
    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.known
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
