//! A postback's course: what its attempts so far say, and what becomes of it after the one that has ended. Pure.

use super::backoff::{self, Next, Tried};
use super::breaker::Sign;
use super::verdict::{self, Judged};
use super::{Dedupe, Settings};
use crate::clock::Time;
use crate::postback::{Attempt, AttemptId, Postback, Verdict};

/// Attempts begun since the operator last asked for one: the schedule's place.
pub(super) const fn since_resend(postback: &Postback) -> u32 {
    postback.attempts.saturating_sub(postback.spent)
}

/// Whether an attempt before `this` may have been counted.
pub(super) fn heard(attempts: &[Attempt], this: AttemptId) -> bool {
    let mut earlier = attempts.iter().filter(|attempt| attempt.id != this);
    earlier.any(may_count)
}

/// Whether an attempt since the operator last asked for one may have been counted.
pub(super) fn repeats_a_doubt(postback: &Postback, attempts: &[Attempt]) -> bool {
    let asked_again = usize::try_from(postback.spent).unwrap_or(usize::MAX);
    attempts.iter().skip(asked_again).any(may_count)
}

fn may_count(attempt: &Attempt) -> bool {
    let verdict = attempt.outcome.as_ref().map(|outcome| outcome.verdict);
    verdict != Some(Verdict::NotProcessed)
}

/// What the attempt's end says of the network itself.
pub(super) fn sign(judged: &Judged, now: Time) -> Sign {
    if verdict::is_down(judged) {
        let asked = judged.retry_after.as_deref();
        Sign::Down(asked.and_then(|text| backoff::retry_after(text, now)))
    } else {
        Sign::Up
    }
}

/// What becomes of a postback, as it was when it was claimed, whose attempt ended so.
pub(super) fn after(
    settings: &Settings,
    postback: &Postback,
    (judged, heard): (&Judged, bool),
    (now, jitter): (Time, u16),
) -> Next {
    let tried = Tried {
        // The ledger counts an attempt when it begins.
        attempt: since_resend(postback).saturating_add(1),
        heard,
        dedupe: dedupe(settings, postback),
        now,
        jitter,
    };
    backoff::next(settings, judged, tried)
}

/// What becomes of a postback whose sender is gone: its attempt may have been counted.
pub(super) fn interrupted(
    settings: &Settings,
    postback: &Postback,
    (now, jitter): (Time, u16),
) -> (Judged, Next) {
    let judged = Judged::unclear("refgate ended before the answer was kept");
    let tried = Tried {
        attempt: since_resend(postback),
        heard: true,
        dedupe: dedupe(settings, postback),
        now,
        jitter,
    };
    let next = backoff::next(settings, &judged, tried);
    (judged, next)
}

fn dedupe(settings: &Settings, postback: &Postback) -> Dedupe {
    let destination = settings.destinations.get(&postback.destination);
    destination.map_or(Dedupe::None, |destination| destination.dedupe)
}
