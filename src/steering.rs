//! Steering: the operator's word on postbacks, whether it comes by the command line or by the admin listener: which ones
//! he means, what would be done with them, and what was.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cause::Causes;
use crate::ledger::{
    Action, Error, LIST, Ledger, Moved, PostbackFilter, Refusal, Steered, Stopped,
};
use crate::money::{Decimal, Money};
use crate::postback::{Postback, PostbackId, State};

pub mod which;

/// What was done, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What.
    pub action: Action,
    /// False: it was only asked what would be done.
    pub done: bool,
    /// With how many.
    pub count: usize,
    /// What they amount to, by currency.
    pub totals: Vec<Money>,
    /// Of the count, those whose amount is unknown.
    pub without_amount: usize,
    /// They, with what they were.
    pub postbacks: Vec<Moved>,
    /// Those with which it was not done.
    pub refused: Vec<Refused>,
    /// How many a filter left out, as somebody had decided on them.
    pub left_out: usize,
    /// Why not all of it was done, where the ledger failed on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopping>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What moved.
    pub moved: Vec<Moved>,
    /// What did not.
    pub refused: Vec<Refusal>,
    /// Why it ended before its end, if it did.
    pub stopped: Option<Stop>,
}

/// The ledger failed on the way. What was done by then is done.
#[derive(Clone, Debug)]
pub struct Stop {
    /// How many were not come to.
    pub left: usize,
    /// What the ledger said.
    pub error: Error,
}

/// The same, as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stopping {
    /// How many were not come to.
    pub left: usize,
    /// What the ledger said.
    pub why: String,
}

impl Stop {
    /// As it is told.
    pub fn told(&self) -> Stopping {
        Stopping {
            left: self.left,
            why: Causes(&self.error).to_string(),
        }
    }
}

impl Outcome {
    /// What moved, what did not, and what was not come to.
    pub fn of(done: Result<Vec<Steered>, Stopped>) -> Self {
        let (steered, stopped) = match done {
            Ok(steered) => (steered, None),
            Err(Stopped {
                steered,
                left,
                source: error,
            }) => (steered, Some(Stop { left, error })),
        };
        let mut outcome = Self {
            stopped,
            ..Self::default()
        };
        for Steered { done, .. } in steered {
            match done {
                Ok(one) => outcome.moved.push(one),
                Err(refusal) => outcome.refused.push(refusal),
            }
        }
        outcome
    }

    /// How many it came to.
    pub fn count(&self) -> usize {
        self.moved.len() + self.refused.len()
    }

    /// The same; an error, if the ledger failed before anything came of it.
    ///
    /// # Errors
    /// The ledger's.
    pub fn begun(self) -> Result<Self, Error> {
        match self.stopped {
            Some(stop) if self.moved.is_empty() && self.refused.is_empty() => Err(stop.error),
            _ => Ok(self),
        }
    }
}

/// One with which nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Which.
    pub id: PostbackId,
    /// Why, and what the operator can do.
    pub why: String,
}

impl Report {
    /// What was done.
    pub fn of(action: Action, outcome: &Outcome) -> Self {
        let moved = &outcome.moved;
        let postbacks = moved.iter().map(|moved| &moved.postback);
        let unknown = postbacks.clone().filter(|one| one.amount.is_none());
        Self {
            action,
            done: true,
            count: moved.len(),
            totals: totals(postbacks.clone().map(|one| one.amount)),
            without_amount: unknown.count(),
            postbacks: moved.clone(),
            refused: outcome
                .refused
                .iter()
                .map(|refusal| Refused {
                    id: refusal.id(),
                    why: words(action, *refusal),
                })
                .collect(),
            left_out: 0,
            stopped: outcome.stopped.as_ref().map(Stop::told),
        }
    }

    /// What would be done.
    pub fn foretold(action: Action, found: Vec<Postback>) -> Self {
        let moved = found.into_iter().map(|postback| Moved {
            was: postback.state,
            postback,
        });
        let outcome = Outcome {
            moved: moved.collect(),
            ..Outcome::default()
        };
        Self {
            done: false,
            ..Self::of(action, &outcome)
        }
    }
}

/// Those that a filter means for something that is done from these states.
///
/// # Errors
/// The database's.
pub async fn meant(
    mut filter: PostbackFilter,
    from: &[State],
    ledger: &Ledger,
) -> Result<Vec<Postback>, Error> {
    let asked = |state: &State| filter.states.is_empty() || filter.states.contains(state);
    let states: Vec<State> = from.iter().copied().filter(asked).collect();
    if states.is_empty() {
        return Ok(Vec::new());
    }
    filter.states = states;
    ledger.postbacks(filter, LIST).await
}

/// How many a filter leaves out of what is done from these states, as somebody decided on them.
///
/// # Errors
/// The database's.
pub async fn left_out(
    filter: &PostbackFilter,
    from: &[State],
    ledger: &Ledger,
) -> Result<usize, Error> {
    if filter.decided != Some(false) {
        return Ok(0);
    }
    let filter = PostbackFilter {
        decided: Some(true),
        ..filter.clone()
    };
    Ok(meant(filter, from, ledger).await?.len())
}

/// Why not, and what the operator can do.
pub fn words(action: Action, refusal: Refusal) -> String {
    let Refusal::State { state, .. } = refusal else {
        return refusal.to_string();
    };
    let hint = match (action, state) {
        (_, State::Sending) => "its answer is awaited",
        (Action::Resend, State::Accepted | State::Duplicate) => {
            "the network has it; --force sends it again, and it may be paid twice"
        }
        (Action::Resend | Action::Release, State::Due) => "it will be sent by itself",
        (Action::Hold, State::Held) | (Action::Accept, State::Accepted) => "there is nothing to do",
        (Action::Release | Action::Refuse, _) => "only what is held can be",
        (Action::Hold, _) => "only what is due can be",
        (Action::Accept, State::Due) => "hold it first, or it will be sent",
        (_, _) => "the network has answered",
    };
    format!("{refusal}: {hint}")
}

/// The amounts by currency.
pub fn totals(amounts: impl Iterator<Item = Option<Money>>) -> Vec<Money> {
    let mut totals = BTreeMap::new();
    for money in amounts.flatten() {
        let total: &mut Decimal = totals.entry(money.currency).or_default();
        // Amounts are bounded where they are read, and a list is too.
        *total = total.saturating_add(money.amount);
    }
    let totals = totals.into_iter();
    totals
        .map(|(currency, amount)| Money { amount, currency })
        .collect()
}
