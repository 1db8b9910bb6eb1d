//! Whether orders come as they should: by the time that the operator expects, or by experience. Pure.
//!
//! By experience means: so many minutes with somebody at the checkout for each order, on average. Many
//! times as many without one are no chance, whatever the hour: a night without shoppers counts nothing.

use std::time::Duration;

use crate::clock::Time;

/// So many times the average is no chance: with independent orders, once in a million.
const TIMES: u64 = 14;

/// What is taken for the average before there is experience.
const GUESS: u64 = 7;

/// So many orders are experience.
const EXPERIENCE: u64 = 20;

/// Older orders count half, again and again.
const HALVED: u64 = 1_000;

/// However many pass the checkout, it is no alarm sooner.
const LEAST: Duration = Duration::from_secs(2 * 3600);

/// One store's.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    /// Checkouts and orders at the last look.
    totals: (u64, u64),
    /// The last order, or the start.
    since: Time,
    /// Minutes with somebody at the checkout since then.
    quiet: u64,
    /// The last of them.
    minute: Option<i64>,
    /// Looks at which there was an order, and minutes that they took; the older ones count less.
    learned: (u64, u64),
}

impl Orders {
    /// From now on; `totals` are those of the counters.
    pub(super) const fn new(totals: (u64, u64), now: Time) -> Self {
        Self {
            totals,
            since: now,
            quiet: 0,
            minute: None,
            learned: (0, 0),
        }
    }

    /// Takes the counters into account; for how long no order has come, if that is too long.
    ///
    /// `expected` is within what time the operator expects one; `watched`: whether the checkout is seen at all.
    pub(super) fn look(
        &mut self,
        totals: (u64, u64),
        (expected, watched): (Option<Duration>, bool),
        now: Time,
    ) -> Option<Duration> {
        let (before, minute) = (
            std::mem::replace(&mut self.totals, totals),
            now.millis() / 60_000,
        );
        if totals.0 != before.0 && self.minute != Some(minute) {
            self.minute = Some(minute);
            self.quiet = self.quiet.saturating_add(1);
        }
        if totals.1 != before.1 {
            self.learn();
            self.since = now;
            self.quiet = 0;
            return None;
        }
        // The clock was put back.
        self.since = self.since.min(now);
        let silence = now.since(self.since);
        let is_over = match expected {
            Some(within) => silence >= within && (self.quiet > 0 || !watched),
            None => silence >= LEAST && self.quiet >= TIMES * self.average(),
        };
        is_over.then_some(silence)
    }

    fn learn(&mut self) {
        let (orders, minutes) = self.learned;
        // One that came without a checkout seen says that it is not always seen.
        self.learned = (orders + 1, minutes + self.quiet.max(1));
        if orders >= HALVED {
            self.learned = (self.learned.0 / 2, self.learned.1 / 2);
        }
    }

    /// Minutes with somebody at the checkout for each order, rounded up.
    fn average(&self) -> u64 {
        match self.learned {
            (orders, minutes) if orders >= EXPERIENCE => minutes.div_ceil(orders),
            _ => GUESS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_795_392_000_000);

    /// A store by the minute.
    struct Day {
        orders: Orders,
        totals: (u64, u64),
        minute: u64,
        expected: Option<Duration>,
        watched: bool,
    }

    impl Day {
        fn new() -> Self {
            Self {
                orders: Orders::new((0, 0), NOW),
                totals: (0, 0),
                minute: 0,
                expected: None,
                watched: true,
            }
        }

        /// So many minutes, each with what comes; the first of them that is an alarm.
        fn minutes(&mut self, count: u64, what: impl Fn(u64) -> (u64, u64)) -> Option<u64> {
            let mut first = None;
            for minute in 0..count {
                let (checkouts, orders) = what(minute);
                self.totals = (self.totals.0 + checkouts, self.totals.1 + orders);
                self.minute += 1;
                let now = NOW.plus(Duration::from_secs(60 * self.minute));
                let terms = (self.expected, self.watched);
                if self.orders.look(self.totals, terms, now).is_some() {
                    first = first.or(Some(minute));
                }
            }
            first
        }
    }

    #[test]
    fn a_busy_store_without_orders_is_an_alarm_after_two_hours() {
        let mut day = Day::new();
        assert_eq!(day.minutes(600, |_| (9, 3)), None);
        assert_eq!(day.minutes(600, |_| (9, 0)), Some(119));
        assert_eq!(day.minutes(1, |_| (9, 1)), None, "the next order ends it");
        assert_eq!(day.minutes(60, |_| (9, 0)), None);
    }

    #[test]
    fn a_quiet_store_and_a_night_are_none() {
        let mut day = Day::new();
        // Somebody at the checkout each half hour, and one of three buys.
        let sells = |minute: u64| {
            (
                u64::from(minute.is_multiple_of(30)),
                u64::from(minute.is_multiple_of(90)),
            )
        };
        assert_eq!(day.minutes(30 * 90, sells), None);
        assert_eq!(day.minutes(3 * 1440, |_| (0, 0)), None, "a long weekend");
        // Fourteen times three checkouts, of which one a half hour.
        let found = day.minutes(3000, |minute| (u64::from(minute.is_multiple_of(30)), 0));
        let found = found.unwrap() / 30;
        assert!((38..=42).contains(&found), "{found}");
    }

    #[test]
    fn one_shopper_who_reloads_is_one_minute() {
        let mut day = Day::new();
        assert_eq!(day.minutes(90, |_| (500, 0)), None);
        assert_eq!(day.minutes(2000, |_| (0, 0)), None);
        // And a store in which no order was ever seen says so all the same.
        assert_eq!(day.minutes(60, |_| (1, 0)), Some(7));
    }

    #[test]
    fn what_the_operator_expects_goes_by_the_clock() {
        let mut day = Day::new();
        day.expected = Some(Duration::from_secs(6 * 3600));
        assert_eq!(
            day.minutes(1000, |_| (0, 0)),
            None,
            "nobody was at the checkout"
        );
        assert_eq!(day.minutes(5, |_| (1, 0)), Some(0));
        day.minutes(1, |_| (0, 1));
        day.watched = false;
        assert_eq!(day.minutes(1000, |_| (0, 0)), Some(359));
    }
}
