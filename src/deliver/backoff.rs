//! A verdict → the postback's next state and when it is sent again. Pure.

use std::time::Duration;

use super::verdict::Judged;
use super::{Dedupe, Settings};
use crate::clock::Time;
use crate::postback::{State, Verdict};

/// What becomes of a postback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// Its next state.
    pub state: State,
    /// When it is sent again, if it is.
    pub due: Option<Time>,
    /// Why, in words.
    pub cause: String,
}

/// The attempt that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Which one it was, from 1; counted anew after a resend.
    pub attempt: u32,
    /// Whether the network may have counted an earlier one, before a resend or after.
    pub heard: bool,
    /// What its network deduplicates by.
    pub dedupe: Dedupe,
    /// When it ended.
    pub now: Time,
    /// 0 to 1000, drawn anew each time: spreads the repeats.
    pub jitter: u16,
}

/// The waits around `schedule`: 80 % to 120 %, in thousandths.
const SPREAD: (u32, u32) = (800, 1200);

/// Decides what becomes of a postback after one attempt.
///
/// What was not processed, and what is unclear where the network deduplicates by order, is sent
/// again by the schedule. When that is used up it is dead, or asked about if an attempt may have been counted.
pub fn next(settings: &Settings, judged: &Judged, tried: Tried) -> Next {
    let words = judged.words.clone();
    match judged.verdict {
        Verdict::Accepted => ended(State::Accepted, words),
        Verdict::Rejected => ended(State::Rejected, words),
        Verdict::Duplicate if tried.heard => ended(State::Duplicate, words),
        Verdict::Duplicate => ended(
            State::Duplicate,
            format!("a lost sale: the network had it before it was told: {words}"),
        ),
        Verdict::NotProcessed => match due(settings, judged, tried) {
            Some(due) => again(due, words),
            None if tried.heard => ended(State::Unclear, given_up(tried, &words)),
            None => ended(State::Dead, given_up(tried, &words)),
        },
        Verdict::Unclear if tried.dedupe != Dedupe::Order => ended(State::Unclear, words),
        Verdict::Unclear => match due(settings, judged, tried) {
            Some(due) => again(due, words),
            None => ended(State::Unclear, given_up(tried, &words)),
        },
    }
}

const fn ended(state: State, cause: String) -> Next {
    Next {
        state,
        due: None,
        cause,
    }
}

const fn again(due: Time, cause: String) -> Next {
    Next {
        state: State::Due,
        due: Some(due),
        cause,
    }
}

fn given_up(tried: Tried, words: &str) -> String {
    format!("given up after {} attempts: {words}", tried.attempt)
}

/// When to send again: by the schedule, or later if the network asks for it; none when the schedule is used up.
fn due(settings: &Settings, judged: &Judged, tried: Tried) -> Option<Time> {
    let used = usize::try_from(tried.attempt.saturating_sub(1)).ok()?;
    let planned = jittered(*settings.schedule.get(used)?, tried.jitter);
    let asked = judged.retry_after.as_deref();
    let asked = asked.and_then(|text| retry_after(text, tried.now));
    let asked = asked.unwrap_or_default().min(settings.retry_after_limit);
    Some(tried.now.plus(planned.max(asked)))
}

/// `wait`, 80 % to 120 % of it.
pub(super) fn jittered(wait: Duration, jitter: u16) -> Duration {
    let (least, most) = SPREAD;
    let factor = least + (most - least) * u32::from(jitter.min(1000)) / 1000;
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis.saturating_mul(u64::from(factor)) / 1000)
}

/// Seconds or an HTTP-date (RFC 9110 §10.2.3); anything else is none.
pub(super) fn retry_after(text: &str, now: Time) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    let then = then.duration_since(std::time::UNIX_EPOCH).ok()?;
    let then = Time::from_millis(i64::try_from(then.as_millis()).ok()?);
    Some(then.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::Terms;
    use crate::deliver::egress::Egress;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;

    /// Two days, as the default of the configuration.
    fn settings() -> Settings {
        let schedule = [
            30,
            2 * MINUTE,
            10 * MINUTE,
            HOUR,
            4 * HOUR,
            12 * HOUR,
            30 * HOUR,
        ];
        Settings {
            destinations: HashMap::new(),
            schedule: schedule.map(Duration::from_secs).to_vec(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            concurrency: 8,
            rest: Terms {
                after: 5,
                first: Duration::from_secs(30),
                longest: Duration::from_secs(600),
            },
            answer_limit: 65_536,
            egress: Egress::default(),
            retry_after_limit: Duration::from_secs(6 * HOUR),
            holds: Default::default(),
        }
    }

    fn judged(verdict: Verdict, retry_after: Option<&str>) -> Judged {
        Judged {
            verdict,
            status: None,
            words: "w".to_owned(),
            retry_after: retry_after.map(str::to_owned),
            cut: false,
        }
    }

    const fn tried(attempt: u32, dedupe: Dedupe) -> Tried {
        Tried {
            attempt,
            heard: false,
            dedupe,
            now: Time::from_millis(1_000_000),
            jitter: 500,
        }
    }

    #[test]
    fn every_verdict_has_its_state() {
        use {Dedupe as D, State as S, Verdict as V};
        let cases = [
            (V::Accepted, D::None, 1, S::Accepted, "w"),
            (V::Rejected, D::Order, 3, S::Rejected, "w"),
            (
                V::Duplicate,
                D::None,
                1,
                S::Duplicate,
                "a lost sale: the network had it before it was told: w",
            ),
            (V::NotProcessed, D::None, 1, S::Due, "w"),
            (V::NotProcessed, D::None, 7, S::Due, "w"),
            (
                V::NotProcessed,
                D::None,
                8,
                S::Dead,
                "given up after 8 attempts: w",
            ),
            (
                V::NotProcessed,
                D::Order,
                8,
                S::Dead,
                "given up after 8 attempts: w",
            ),
            (V::Unclear, D::None, 1, S::Unclear, "w"),
            (V::Unclear, D::Click, 1, S::Unclear, "w"),
            (V::Unclear, D::Order, 1, S::Due, "w"),
            (
                V::Unclear,
                D::Order,
                8,
                S::Unclear,
                "given up after 8 attempts: w",
            ),
        ];
        for (verdict, dedupe, attempt, state, cause) in cases {
            let next = next(&settings(), &judged(verdict, None), tried(attempt, dedupe));
            assert_eq!(
                (next.state, next.cause.as_str()),
                (state, cause),
                "{verdict:?} {dedupe:?} {attempt}"
            );
            assert_eq!(next.due.is_some(), state == S::Due);
        }
    }

    #[test]
    fn an_earlier_attempt_that_may_have_been_counted_changes_the_end() {
        let after = |verdict, attempt| {
            let tried = Tried {
                heard: true,
                ..tried(attempt, Dedupe::Order)
            };
            let next = next(&settings(), &judged(verdict, None), tried);
            (next.state, next.cause)
        };
        let duplicate = after(Verdict::Duplicate, 2);
        assert_eq!(duplicate, (State::Duplicate, "w".to_owned()));
        assert_eq!(after(Verdict::NotProcessed, 2).0, State::Due);
        assert_eq!(after(Verdict::NotProcessed, 8).0, State::Unclear);
    }

    #[test]
    fn retries_go_on_for_two_days_with_growing_waits() {
        let settings = settings();
        let mut now = Time::from_millis(0);
        let mut waits = Vec::new();
        for attempt in 1.. {
            let at = Tried {
                now,
                ..tried(attempt, Dedupe::None)
            };
            let Some(due) = next(&settings, &judged(Verdict::NotProcessed, None), at).due else {
                break;
            };
            waits.push(due.since(now));
            now = due;
        }
        assert_eq!(waits, settings.schedule);
        assert!(waits.is_sorted());
        let lasted = now.since(Time::from_millis(0));
        assert!(lasted > Duration::from_secs(47 * HOUR) && lasted < Duration::from_secs(49 * HOUR));
    }

    #[test]
    fn retry_after_is_heard_within_bounds() {
        let wait = |asked: &str| {
            let judged = judged(Verdict::NotProcessed, Some(asked));
            let tried = tried(1, Dedupe::None);
            next(&settings(), &judged, tried)
                .due
                .unwrap()
                .since(tried.now)
        };
        let seconds = Duration::from_secs;
        assert_eq!(wait("120"), seconds(120));
        assert_eq!(wait("0"), seconds(30), "never sooner than planned");
        assert_eq!(wait("99999999999999999999999"), seconds(6 * HOUR));
        assert_eq!(wait("Thu, 01 Jan 1970 00:20:00 GMT"), seconds(200));
        assert_eq!(wait("Fri, 31 Dec 9999 23:59:59 GMT"), seconds(6 * HOUR));
        assert_eq!(
            wait("Thu, 01 Jan 1970 00:00:00 GMT"),
            seconds(30),
            "in the past"
        );
        assert_eq!(wait("-5"), seconds(30));
        assert_eq!(wait("soon"), seconds(30));
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_fifth(millis in 0..1_000_000_000_u64, jitter: u16) {
            let wait = Duration::from_millis(millis);
            let spread = jittered(wait, jitter);
            prop_assert!(spread >= wait * 4 / 5 - Duration::from_millis(1).min(wait * 4 / 5));
            prop_assert!(spread <= wait * 6 / 5);
        }
    }
}
