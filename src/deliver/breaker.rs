//! Whether a destination is up, as its own answers say. Pure.
//!
//! After some failures in a row it rests: nothing is sent to it, and no postback spends an attempt
//! on it. Then one is tried; while those that are tried fail, it rests longer each time. When one
//! is answered, one more at once may follow with every answer, so that what has piled up does not
//! fall upon a network that has just come back.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff::jittered;

/// When a destination rests, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// So many failures in a row; at least 1.
    pub after: u32,
    /// The first rest; doubled each time.
    pub first: Duration,
    /// The longest one.
    pub longest: Duration,
}

/// Where a destination stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is sent to.
    Up,
    /// It failed several times in a row, and nothing is sent to it.
    Resting,
    /// It has rested: few are sent to it, and more as they are answered.
    Trying,
}

/// What an attempt's end says of the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It answered.
    Up,
    /// It could not be reached, did not answer, or was too busy; it may have asked for time.
    Down(Option<Duration>),
}

/// What a sign changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It begins to rest, for so long.
    Rests(Duration),
    /// It answers again.
    Answers,
}

/// One destination's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breaker {
    phase: Phase,
    /// Rests since it was last up, less what has been answered.
    rests: u32,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Up { failures: u32 },
    Resting { until: Instant },
    Trying { room: usize },
}

impl Default for Breaker {
    fn default() -> Self {
        let phase = Phase::Up { failures: 0 };
        Self { phase, rests: 0 }
    }
}

impl Breaker {
    /// How many may be under way at once, of `most`.
    pub(super) fn room(&self, most: usize, now: Instant) -> usize {
        match self.phase {
            Phase::Up { .. } => most,
            Phase::Resting { until } if now < until => 0,
            Phase::Resting { .. } => most.min(1),
            Phase::Trying { room } => most.min(room),
        }
    }

    /// When it has rested, if it rests.
    pub(super) fn opens(&self, now: Instant) -> Option<Instant> {
        match self.phase {
            Phase::Resting { until } if now < until => Some(until),
            _ => None,
        }
    }

    /// Where it stands.
    pub(super) fn state(&self, now: Instant) -> State {
        match self.phase {
            Phase::Up { .. } => State::Up,
            Phase::Resting { until } if now < until => State::Resting,
            Phase::Resting { .. } | Phase::Trying { .. } => State::Trying,
        }
    }

    /// Takes the end of an attempt into account, `most` being allowed at once; `jitter` is 0 to 1000.
    pub(super) fn heard(
        &mut self,
        sign: Sign,
        (terms, most): (Terms, usize),
        now: Instant,
        jitter: u16,
    ) -> Option<Change> {
        match (self.phase, sign) {
            (Phase::Up { .. }, Sign::Up) => {
                self.phase = Phase::Up { failures: 0 };
                None
            }
            (Phase::Up { failures }, Sign::Down(_)) if failures + 1 < terms.after => {
                self.phase = Phase::Up {
                    failures: failures + 1,
                };
                None
            }
            // One that had begun before the rest did.
            (Phase::Resting { until }, Sign::Down(_)) if now < until => None,
            (_, Sign::Down(asked)) => Some(self.rest(terms, asked, now, jitter)),
            (Phase::Resting { .. }, Sign::Up) => self.rise(2, most),
            (Phase::Trying { room }, Sign::Up) => self.rise(room.saturating_add(1), most),
        }
    }

    fn rest(&mut self, terms: Terms, asked: Option<Duration>, now: Instant, jitter: u16) -> Change {
        let factor = 1_u32.checked_shl(self.rests).unwrap_or(u32::MAX);
        let own = terms.first.saturating_mul(factor).min(terms.longest);
        let asked = asked.unwrap_or_default().min(terms.longest);
        let wait = jittered(own.max(asked), jitter);
        self.rests = self.rests.saturating_add(1);
        self.phase = Phase::Resting { until: now + wait };
        Change::Rests(wait)
    }

    /// One was answered: so many may follow at once. Not all rests are forgotten by it.
    fn rise(&mut self, room: usize, most: usize) -> Option<Change> {
        if room < most {
            self.rests = self.rests.saturating_sub(1);
            self.phase = Phase::Trying { room };
            return None;
        }
        *self = Self::default();
        Some(Change::Answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: u16 = 500;
    const DOWN: Sign = Sign::Down(None);

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn terms() -> (Terms, usize) {
        let terms = Terms {
            after: 3,
            first: seconds(30),
            longest: seconds(100),
        };
        (terms, 4)
    }

    fn heard(breaker: &mut Breaker, sign: Sign, now: Instant) -> Option<Change> {
        breaker.heard(sign, terms(), now, MIDDLE)
    }

    /// One that rests from `now` on.
    fn resting(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        let changes = [DOWN; 3].map(|sign| heard(&mut breaker, sign, now));
        assert_eq!(changes, [None, None, Some(Change::Rests(seconds(30)))]);
        breaker
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for sign in [DOWN, DOWN, Sign::Up, DOWN, DOWN, Sign::Up] {
            assert_eq!(heard(&mut breaker, sign, now), None);
            assert_eq!((breaker.room(4, now), breaker.opens(now)), (4, None));
        }
    }

    #[test]
    fn it_rests_and_is_tried_with_one() {
        let now = Instant::now();
        let mut breaker = resting(now);
        let end = now + seconds(30);
        assert_eq!((breaker.room(4, now), breaker.opens(now)), (0, Some(end)));
        assert_eq!(breaker.state(now), State::Resting);
        // What was under way when the rest began says nothing new.
        assert_eq!(heard(&mut breaker, DOWN, now + seconds(10)), None);
        assert_eq!(breaker.opens(now), Some(end));
        assert_eq!((breaker.room(4, end), breaker.opens(end)), (1, None));
        assert_eq!(breaker.state(end), State::Trying);
    }

    #[test]
    fn it_rests_longer_each_time_up_to_the_longest() {
        let mut now = Instant::now();
        let mut breaker = resting(now);
        for wait in [60, 100, 100] {
            now += seconds(1000);
            let change = heard(&mut breaker, DOWN, now);
            assert_eq!(change, Some(Change::Rests(seconds(wait))));
        }
        now += seconds(1000);
        let spread = [0, 1000].map(|jitter| breaker.clone().heard(DOWN, terms(), now, jitter));
        let ends = [80, 120].map(|wait| Some(Change::Rests(seconds(wait))));
        assert_eq!(spread, ends);
    }

    #[test]
    fn it_rests_as_long_as_it_asks_for_within_the_longest() {
        let now = Instant::now();
        for (asked, wait) in [(5, 30), (70, 70), (5000, 100)] {
            let mut breaker = Breaker::default();
            let sign = Sign::Down(Some(seconds(asked)));
            let [_, _, last] = [sign; 3].map(|sign| heard(&mut breaker, sign, now));
            assert_eq!(last, Some(Change::Rests(seconds(wait))));
        }
    }

    #[test]
    fn it_comes_back_by_one_more_with_each_answer() {
        let mut now = Instant::now();
        let mut breaker = resting(now);
        now += seconds(30);
        let mut rooms = Vec::new();
        let changes = [Sign::Up; 3].map(|sign| {
            let change = heard(&mut breaker, sign, now);
            rooms.push(breaker.room(4, now));
            change
        });
        assert_eq!(changes, [None, None, Some(Change::Answers)]);
        assert_eq!(rooms, [2, 3, 4]);
        assert_eq!(breaker.state(now), State::Up);
        // And begins anew: three failures, the first rest.
        let changes = [DOWN; 3].map(|sign| heard(&mut breaker, sign, now));
        assert_eq!(changes, [None, None, Some(Change::Rests(seconds(30)))]);
    }

    #[test]
    fn one_failure_while_it_is_tried_is_enough() {
        let mut now = Instant::now();
        let mut breaker = resting(now);
        now += seconds(1000);
        assert_eq!(
            heard(&mut breaker, DOWN, now),
            Some(Change::Rests(seconds(60)))
        );
        now += seconds(1000);
        assert_eq!(heard(&mut breaker, Sign::Up, now), None);
        // The answer took back one doubling.
        assert_eq!(
            heard(&mut breaker, DOWN, now),
            Some(Change::Rests(seconds(60)))
        );
    }
}
