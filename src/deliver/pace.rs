//! At most so many in a span of time, evenly spread. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// At most `count` in any span of `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// In how long.
    pub per: Duration,
}

/// What may go out together, so that a loop that wakes late keeps up: a tenth of a second's.
const TOGETHER: Duration = Duration::from_millis(100);

/// How far the sends to one destination have used up their rate: the generic cell rate algorithm.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// When everything that was sent would have gone out evenly.
    paid: Option<Instant>,
}

impl Rate {
    /// How many may go out together; at least 1.
    fn together(self) -> u32 {
        let per = self.per.as_millis().max(1);
        let most = u128::from(self.count) * TOGETHER.as_millis() / per;
        u32::try_from(most)
            .unwrap_or(u32::MAX)
            .clamp(1, self.count.max(1))
    }

    /// From one to the next. Those that go out together are taken off, so that no span has more than `count`.
    fn apart(self) -> Duration {
        let spread = self.count.saturating_sub(self.together()).saturating_add(1);
        self.per / spread.max(1)
    }
}

impl Pace {
    /// How many may go out at `now`.
    pub(super) fn room(&self, rate: Rate, now: Instant) -> usize {
        let apart = rate.apart().as_nanos().max(1);
        let used = self.ahead(now).as_nanos().div_ceil(apart);
        let left = u128::from(rate.together()).saturating_sub(used);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// When the next one may go out, if not now.
    pub(super) fn opens(&self, rate: Rate, now: Instant) -> Option<Instant> {
        if self.room(rate, now) > 0 {
            return None;
        }
        let slack = rate.apart() * (rate.together() - 1);
        Some(now + self.ahead(now).saturating_sub(slack))
    }

    /// One goes out.
    pub(super) fn spend(&mut self, rate: Rate, now: Instant) {
        let from = self.paid.map_or(now, |paid| paid.max(now));
        self.paid = Some(from + rate.apart());
    }

    fn ahead(&self, now: Instant) -> Duration {
        self.paid
            .map_or(Duration::ZERO, |paid| paid.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(count: u32, millis: u64) -> Rate {
        Rate {
            count,
            per: Duration::from_millis(millis),
        }
    }

    #[test]
    fn ten_a_second_are_one_each_tenth() {
        let (rate, start) = (rate(10, 1000), Instant::now());
        let mut pace = Pace::default();
        assert_eq!(pace.room(rate, start), 1);
        pace.spend(rate, start);
        assert_eq!(pace.room(rate, start), 0);
        let next = start + Duration::from_millis(100);
        assert_eq!(pace.opens(rate, start), Some(next));
        assert_eq!(pace.room(rate, next), 1);
        assert_eq!(pace.opens(rate, next), None);
        // Time that was not used is not saved up.
        let later = start + Duration::from_secs(3600);
        assert_eq!(pace.room(rate, later), 1);
    }

    proptest! {
        /// Whoever takes all that he may, whenever he may, stays within every span, and gets close to the rate.
        /// No configuration has a span shorter than a second.
        #[test]
        fn no_span_has_more_than_the_rate(count in 1_u32..500, per in 1_000_u64..5_000, late in 0_u64..50) {
            let (rate, start) = (rate(count, per), Instant::now());
            let mut pace = Pace::default();
            let (mut now, mut sent) = (start, Vec::new());
            while sent.len() < 1_500 {
                for _ in 0..pace.room(rate, now) {
                    pace.spend(rate, now);
                    sent.push(now);
                }
                now = pace.opens(rate, now).unwrap() + Duration::from_micros(late * 10);
            }
            let many = usize::try_from(count).unwrap();
            for pair in sent.windows(many + 1) {
                // Whole nanoseconds are lost where a span is divided.
                let least = rate.per - Duration::from_nanos(u64::from(count) + 1).min(rate.per);
                prop_assert!(pair[many] - pair[0] >= least, "{:?} of {rate:?}", pair[many] - pair[0]);
            }
            if late == 0 {
                let took = *sent.last().unwrap() - start;
                let ideal = rate.per * 1_500 / count;
                prop_assert!(took <= ideal * 5 / 4 + rate.per, "{took:?} for {ideal:?}");
            }
        }
    }
}
