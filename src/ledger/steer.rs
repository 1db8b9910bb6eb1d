//! Steering: what the operator makes of postbacks, and what becomes of their orders by it. The judgement is the
//! same in every engine.
//!
//! An order's standing follows: it is credited from the moment that somebody is told, or is to be told, of it on the
//! operator's word; and it is nobody's when every postback of it is dead without an attempt. The webhooks that are told
//! of such orders are told of it, each time that it comes to stand so.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Engine, Error, Follows, LIST, Ledger, PostbackFilter};
use crate::actor::{Actor, Reason};
use crate::clock::Time;
use crate::order::{Doubt, SALE};
use crate::postback::{Postback, PostbackId, State};

/// Postbacks that are steered in one commit. What many more are, are so many commits: an order waits for one of
/// them at most.
pub const BATCH: usize = 100;

/// From one commit to the next: longer than SQLite waits between two looks at a lock that another process has.
const BREATH: Duration = Duration::from_millis(50);

/// What is done with postbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Sent again, though the network may have it: the schedule begins anew.
    Resend,
    /// Kept back before it is sent.
    Hold,
    /// What was held goes its way.
    Release,
    /// Nobody is told of it any more.
    Cancel,
    /// The network has it, as the operator knows from elsewhere.
    Accept,
    /// What was held is owed to nobody.
    Refuse,
    /// The network does not count it, as the operator knows from elsewhere.
    Reject,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 7] = [
        Self::Resend,
        Self::Hold,
        Self::Release,
        Self::Cancel,
        Self::Accept,
        Self::Refuse,
        Self::Reject,
    ];

    /// The states from which it is ever done. An open attempt is never interfered with.
    pub const fn states(self) -> &'static [State] {
        match self {
            Self::Resend => &[
                State::Unclear,
                State::Rejected,
                State::Dead,
                State::Held,
                State::Accepted,
                State::Duplicate,
            ],
            Self::Hold => &[State::Due],
            Self::Release | Self::Refuse => &[State::Held],
            Self::Cancel => &[State::Due, State::Held, State::Unclear, State::Dead],
            Self::Accept => &[State::Unclear, State::Dead, State::Rejected, State::Held],
            Self::Reject => &[
                State::Unclear,
                State::Dead,
                State::Accepted,
                State::Duplicate,
            ],
        }
    }

    /// Those from which it is done where nobody insists: what the network has is not sent again.
    pub fn usual(self) -> Vec<State> {
        let counted = |state: &State| matches!(state, State::Accepted | State::Duplicate);
        let again = |state: &State| self == Self::Resend && counted(state);
        let states = self.states().iter().copied();
        states.filter(|state| !again(state)).collect()
    }

    /// Why it is not done with this postback where nobody insists; none if it is.
    pub fn refuses(self, was: &Postback) -> Option<Refusal> {
        self.refuses_from(was, &self.usual())
    }

    fn refuses_from(self, was: &Postback, from: &[State]) -> Option<Refusal> {
        let (id, state) = (was.id, was.state);
        if !self.states().contains(&state) || !from.contains(&state) {
            return Some(Refusal::State { id, state });
        }
        let unsendable = self.becomes() == State::Due && was.amount.is_none();
        unsendable.then_some(Refusal::NoAmount(id))
    }

    /// What it makes of a postback.
    pub const fn becomes(self) -> State {
        match self {
            Self::Resend | Self::Release => State::Due,
            Self::Hold => State::Held,
            Self::Cancel | Self::Refuse => State::Dead,
            Self::Accept => State::Accepted,
            Self::Reject => State::Rejected,
        }
    }

    /// What it is, done: `released`.
    pub const fn done(self) -> &'static str {
        match self {
            Self::Resend => "resent",
            Self::Hold => "held",
            Self::Release => "released",
            Self::Cancel => "cancelled",
            Self::Accept => "accepted",
            Self::Refuse => "refused",
            Self::Reject => "rejected",
        }
    }

    /// How it begins the cause that the ledger keeps.
    const fn words(self) -> &'static str {
        match self {
            Self::Accept => "the network has it",
            Self::Reject => "the network does not count it",
            other => other.done(),
        }
    }
}

/// Which postbacks are steered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those of these numbers.
    These(Vec<PostbackId>),
    /// All of these that are in one of the states named, at most [`LIST`].
    All(PostbackFilter),
}

/// The operator's word on postbacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steer {
    /// Which.
    pub which: Which,
    /// What is done with them.
    pub action: Action,
    /// The states in which one may be: of [`Action::states`], mostly [`Action::usual`].
    pub from: Vec<State>,
    /// Why, kept in the order's history.
    pub reason: Reason,
    /// Who says so, kept beside it.
    pub actor: Actor,
    /// What follows of it by the configuration.
    pub follows: Follows,
}

/// What became of one postback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steered {
    /// Which.
    pub id: PostbackId,
    /// As it now stands, or why nothing was done.
    pub done: Result<Moved, Refusal>,
}

/// Why steering ended before its end. What was done by then is done.
#[derive(Clone, Debug, thiserror::Error)]
#[error("stopped after {} postbacks, {left} were not come to", steered.len())]
pub struct Stopped {
    /// What became of those that it came to.
    pub steered: Vec<Steered>,
    /// How many it did not come to.
    pub left: usize,
    /// Why.
    pub source: Error,
}

/// A postback that was steered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// What it was.
    pub was: State,
    /// As it now stands.
    pub postback: Postback,
}

/// Why a postback was not steered. It stands as it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none.
    #[error("there is no postback {0}")]
    NoPostback(PostbackId),
    /// It is in none of the states from which that is done.
    #[error("postback {id} is {state}")]
    State {
        /// Which.
        id: PostbackId,
        /// Where it stands.
        state: State,
    },
    /// What it is worth could not be read, so it cannot be sent.
    #[error("postback {0} has no amount")]
    NoAmount(PostbackId),
    /// Another order of the same id is told of, or is about to be, which may be the same sale.
    #[error(
        "postback {id} may be the sale that postback {told} tells of already: same order id, same buyer or amount. Take that one \
         back first, or enter this one with the network by hand"
    )]
    Told {
        /// Which.
        id: PostbackId,
        /// By which one it is told.
        told: PostbackId,
    },
}

impl Refusal {
    /// Of which postback.
    pub const fn id(&self) -> PostbackId {
        match self {
            Self::NoPostback(id)
            | Self::State { id, .. }
            | Self::NoAmount(id)
            | Self::Told { id, .. } => *id,
        }
    }
}

impl Steer {
    /// Whether it has a network told of a sale where nobody insists: then no rival of the order may be told too.
    pub(super) fn pays(&self) -> bool {
        let insists = self.anew() && self.from.contains(&State::Accepted);
        self.action.becomes() == State::Due && !insists
    }

    /// The postback as it stands afterwards; `told` is one of a rival's, by which the same sale is told.
    pub(super) fn moved(
        &self,
        was: &Postback,
        told: Option<PostbackId>,
        now: Time,
    ) -> Result<Postback, Refusal> {
        if let Some(refusal) = self.action.refuses_from(was, &self.from) {
            return Err(refusal);
        }
        if let Some(told) = told.filter(|_| self.pays() && was.event == SALE) {
            return Err(Refusal::Told { id: was.id, told });
        }
        let state = self.action.becomes();
        Ok(Postback {
            state,
            due: (state == State::Due).then(|| self.due(was, now)),
            doubt: self.doubt(),
            cause: Some(self.cause()),
            spent: if self.anew() { was.attempts } else { was.spent },
            ..was.clone()
        })
    }

    /// When it is sent. What is sent again is asked for by name, and does not wait.
    fn due(&self, was: &Postback, now: Time) -> Time {
        let wait = self.follows.send_after.get(&was.destination);
        match (self.action, wait) {
            (Action::Release, Some(wait)) => was.at.plus(*wait).max(now),
            _ => now,
        }
    }

    /// Whether the schedule begins anew.
    pub(super) fn anew(&self) -> bool {
        self.action == Action::Resend
    }

    /// Whether it may have made something due.
    pub(super) fn makes_due(&self) -> bool {
        self.action.becomes() == State::Due || !self.follows.webhooks.is_empty()
    }

    /// Why it is held then, if it is.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        (self.action == Action::Hold).then_some(Doubt::Operator)
    }

    /// The cause that is kept.
    pub(super) fn cause(&self) -> String {
        format!("{}: {}", self.action.words(), self.reason)
    }

    /// What comes before an order's words when its standing changes by it.
    pub(super) fn before_why(&self) -> String {
        let Self { action, actor, .. } = self;
        format!("{} by {actor}: {}; before: ", action.done(), self.reason)
    }

    /// What an order of that standing becomes: `alive` is how many of its postbacks are not dead without an attempt.
    pub(super) fn turns(&self, standing: &str, alive: i64) -> Option<&'static str> {
        match self.action.becomes() {
            State::Due | State::Accepted => (standing != "credited").then_some("credited"),
            State::Dead => (standing != "organic" && alive == 0).then_some("organic"),
            _ => None,
        }
    }
}

impl Ledger {
    /// Steers postbacks by the operator's word; what became of each, by their numbers. A claim on one that was
    /// `due` ends by it: whoever holds it cannot begin it any more.
    ///
    /// In commits of [`BATCH`] each.
    ///
    /// # Errors
    /// The database's, with what the commits before it did.
    pub async fn steer(&self, steer: Steer, now: Time) -> Result<Vec<Steered>, Stopped> {
        let mut steered = Vec::new();
        let ids = self.meant(&steer).await.map_err(|source| Stopped {
            steered: Vec::new(),
            left: 0,
            source,
        })?;
        let steer = Arc::new(steer);
        for (number, batch) in ids.chunks(BATCH).enumerate() {
            if number > 0 {
                tokio::time::sleep(BREATH).await;
            }
            let (steer, batch) = (Arc::clone(&steer), batch.to_vec());
            let due = Arc::clone(&self.due);
            let done = match &*self.engine {
                Engine::Sqlite(sqlite) => sqlite.steer(steer, batch, now, due).await,
                Engine::Postgres(postgres) => postgres.steer(steer, batch, now, due).await,
            };
            match done {
                Ok(done) => steered.extend(done),
                Err(source) => {
                    let left = ids.len() - steered.len();
                    return Err(Stopped {
                        steered,
                        left,
                        source,
                    });
                }
            }
        }
        Ok(steered)
    }

    /// The numbers of those that are meant, each once.
    async fn meant(&self, steer: &Steer) -> Result<Vec<PostbackId>, Error> {
        let mut ids = match &steer.which {
            Which::These(ids) => ids.clone(),
            Which::All(filter) => {
                let asked =
                    |state: &&State| filter.states.is_empty() || filter.states.contains(*state);
                let states: Vec<State> = steer.from.iter().filter(asked).copied().collect();
                if states.is_empty() {
                    return Ok(Vec::new());
                }
                let filter = PostbackFilter {
                    states,
                    ..filter.clone()
                };
                let found = self.postbacks(filter, LIST).await?;
                found.iter().map(|postback| postback.id).collect()
            }
        };
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}
