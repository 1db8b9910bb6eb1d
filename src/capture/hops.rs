//! Whether asking a sibling store by a redirect is of use.
//!
//! A hop that does not come back has cost a shopper his page: the sibling is down, or something
//! on the way takes our parameter out. One that comes back without the marker cookie will be made
//! again with every page: the browser takes no cookies. When most hops end so, no more are made.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Time;

/// What is counted together.
const SPAN: Duration = Duration::from_secs(60);

/// So many spans are looked at, beside the present one.
const SPANS: usize = 10;

/// Spans that began longer ago say nothing of today.
const REACH: Duration = Duration::from_secs(11 * 60);

/// Fewer hops than these prove nothing.
const ENOUGH: u32 = 20;

/// How long nobody is asked after most hops went wrong.
const REST: Duration = Duration::from_secs(60 * 60);

/// The hops of the last minutes, by one configuration.
#[derive(Debug, Default)]
pub struct Hops(Mutex<Tally>);

#[derive(Debug, Default)]
struct Tally {
    spans: VecDeque<Span>,
    resting: Option<Time>,
}

#[derive(Debug)]
struct Span {
    began: Time,
    asked: u32,
    returned: u32,
}

/// What becomes of a wish to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ask; it is counted.
    Ask,
    /// Do not ask.
    Rest,
    /// Do not ask: so many of so many hops went wrong, which has just been found.
    Fails {
        /// Hops that were made.
        asked: u32,
        /// Hops that came back.
        returned: u32,
    },
}

impl Hops {
    /// Somebody is about to be asked.
    pub fn ask(&self, now: Time) -> Verdict {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tally.ask(now)
    }

    /// A hop has come back, and with the marker.
    pub fn returned(&self, now: Time) {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tally.span(now).returned += 1;
    }
}

impl Tally {
    fn ask(&mut self, now: Time) -> Verdict {
        if self.resting.is_some_and(|until| now < until) {
            return Verdict::Rest;
        }
        self.resting = None;
        let began = self.span(now).began;
        let over = self.spans.iter().filter(|span| span.began != began);
        let (asked, returned) = over.fold((0, 0), |(asked, returned), span| {
            (asked + span.asked, returned + span.returned)
        });
        if asked >= ENOUGH && returned < asked / 2 {
            self.spans.clear();
            self.resting = Some(now.plus(REST));
            return Verdict::Fails { asked, returned };
        }
        self.span(now).asked += 1;
        Verdict::Ask
    }

    /// The present span; those that are too old are forgotten.
    fn span(&mut self, now: Time) -> &mut Span {
        let fresh = Span {
            began: now,
            asked: 0,
            returned: 0,
        };
        let is_present = |span: &Span| now.since(span.began) < SPAN && span.began.since(now) < SPAN;
        let present = match self.spans.pop_back() {
            Some(last) if is_present(&last) => last,
            last => {
                self.spans.extend(last);
                fresh
            }
        };
        let is_old = |span: &Span| now.since(span.began) > REACH;
        while self.spans.len() > SPANS || self.spans.front().is_some_and(is_old) {
            self.spans.pop_front();
        }
        self.spans.push_back_mut(present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_millis(1_000 * seconds)
    }

    /// One hop a second, of which every `good`th comes back.
    fn play(hops: &Hops, from: i64, seconds: i64, good: i64) -> Option<(i64, Verdict)> {
        for second in from..from + seconds {
            match hops.ask(at(second)) {
                Verdict::Ask if second % good == 0 => hops.returned(at(second)),
                Verdict::Ask => {}
                verdict => return Some((second, verdict)),
            }
        }
        None
    }

    #[test]
    fn hops_that_come_back_go_on() {
        assert_eq!(play(&Hops::default(), 0, 2_000, 1), None);
        assert_eq!(play(&Hops::default(), 0, 2_000, 2), None);
    }

    #[test]
    fn a_minute_of_hops_that_do_not_is_enough_for_an_hour() {
        let hops = Hops::default();
        let (asked, returned) = (60, 20);
        let failed = Some((60, Verdict::Fails { asked, returned }));
        assert_eq!(play(&hops, 0, 2_000, 3), failed);
        assert_eq!(hops.ask(at(61)), Verdict::Rest);
        assert_eq!(hops.ask(at(3_659)), Verdict::Rest);
        assert_eq!(hops.ask(at(3_660)), Verdict::Ask);
    }

    #[test]
    fn a_few_prove_nothing_and_old_ones_are_forgotten() {
        let hops = Hops::default();
        for minute in 0..100 {
            assert_eq!(hops.ask(at(minute * 61)), Verdict::Ask, "{minute}");
        }
        for day in 1..100 {
            let hop = play(&hops, day * 86_400, 15, i64::MAX);
            assert_eq!(hop, None, "{day}");
        }
        let hops = Hops::default();
        for minute in 0..40 {
            // Two a minute are twenty in ten.
            let verdict = hops.ask(at(10_000 + minute * 30));
            let fails = matches!(verdict, Verdict::Fails { .. } | Verdict::Rest);
            assert_eq!(fails, minute >= 20, "{minute} {verdict:?}");
        }
    }

    #[test]
    fn a_clock_that_jumps_back_begins_a_new_span() {
        let hops = Hops::default();
        assert_eq!(play(&hops, 10_000, 30, 1), None);
        assert_eq!(play(&hops, 0, 30, 1), None);
    }
}
