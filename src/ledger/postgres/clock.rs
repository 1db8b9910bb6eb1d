//! Leases are by the database's clock: the one that all replicas share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::clock::Time;

/// A difference up to here is none: leases last a minute longer than what they cover.
const TOLERANCE: Duration = Duration::from_secs(1);

/// How far this machine's clock is from the database's. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock(Arc<AtomicI64>);

impl Clock {
    /// A moment of ours as the database would call it.
    pub(super) fn theirs(&self, ours: Time) -> Time {
        let skew = self.0.load(Ordering::Relaxed);
        Time::from_millis(ours.millis().saturating_add(skew))
    }

    /// How many milliseconds the database's clock is ahead.
    pub(super) fn skew(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Goes by this difference from now on, and tells the operator of one that is new.
    pub(super) fn set(&self, skew: i64) {
        let before = self.0.swap(skew, Ordering::Relaxed);
        let changed = Duration::from_millis(before.abs_diff(skew)) > TOLERANCE;
        if skew != 0 && changed {
            let seconds = skew / 1000;
            tracing::warn!(
                seconds,
                "this machine's clock is not the database's: leases go by the database's; set this machine's right"
            );
        }
    }
}

/// The difference, by a question that was asked and answered at these moments; 0 where it may be none.
pub(super) fn skew(theirs: Time, asked: Time, answered: Time) -> i64 {
    let tolerance = i64::try_from(TOLERANCE.as_millis()).unwrap_or(i64::MAX);
    let early = theirs.millis().saturating_sub(answered.millis());
    let late = theirs.millis().saturating_sub(asked.millis());
    // The truth lies between the two.
    if early > tolerance {
        early
    } else if late < -tolerance {
        late
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_a_difference_counts() {
        let at = |seconds: i64| Time::from_millis(seconds * 1000);
        assert_eq!(skew(at(100), at(100), at(100)), 0);
        assert_eq!(skew(at(101), at(100), at(100)), 0, "within the tolerance");
        assert_eq!(skew(at(103), at(100), at(104)), 0, "a slow answer");
        assert_eq!(skew(at(160), at(100), at(101)), 59_000);
        assert_eq!(skew(at(40), at(100), at(101)), -60_000);
    }

    #[test]
    fn a_moment_is_told_as_the_database_would() {
        let clock = Clock::default();
        assert_eq!(clock.theirs(Time::from_millis(5)), Time::from_millis(5));
        clock.set(-60_000);
        assert_eq!(
            clock.theirs(Time::from_millis(0)),
            Time::from_millis(-60_000)
        );
    }
}
