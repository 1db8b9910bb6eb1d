//! How a postback begins, as a row has it: the same in every engine.

use std::borrow::Cow;

use super::error::Error;
use super::row::to_word;
use crate::clock::Time;
use crate::order::{Doubt, NewPostback};
use crate::postback::State;

/// How a postback that is entered or completed stands: due, at once or later, or held.
pub(super) struct Stand<'a> {
    pub(super) state: State,
    pub(super) doubt: Option<String>,
    pub(super) cause: Option<Cow<'a, str>>,
    pub(super) due: Option<i64>,
}

impl<'a> Stand<'a> {
    /// `order` is when the order was first seen; `now` when the postback is entered or completed.
    pub(super) fn of(postback: &'a NewPostback, order: Time, now: Time) -> Result<Self, Error> {
        if let Some((doubt, cause)) = &postback.held {
            return Self::held(*doubt, cause.into());
        }
        let timing = postback.timing;
        if let Some(since) = timing.live_since.filter(|since| order < *since) {
            let name = &postback.destination;
            let cause = format!("seen before {name} went live (live_since: {since})");
            return Self::held(Doubt::Shadow, cause.into());
        }
        let due = order.plus(timing.send_after).max(now);
        let waits = (due > now).then(|| format!("waits until {due}, as `send_after` says").into());
        Ok(Self {
            state: State::Due,
            doubt: None,
            cause: waits,
            due: Some(due.millis()),
        })
    }

    fn held(doubt: Doubt, cause: Cow<'a, str>) -> Result<Self, Error> {
        Ok(Self {
            state: State::Held,
            doubt: Some(to_word("postbacks.doubt", &doubt)?),
            cause: Some(cause),
            due: None,
        })
    }
}
