//! What the ledger is asked and what it answers: the words of its verbs.

use std::time::Duration;

use serde::Serialize;

use super::error::Error;
use super::known::KnownOrder;
use super::row::{self, Columns, to_word, unreadable};
use crate::actor::Actor;
use crate::click::Click;
use crate::clock::Time;
use crate::name::NetworkName;
use crate::order::{Candidate, Doubt, Order, Sighting};
use crate::postback::{Attempt, AttemptId, Outcome, Postback, PostbackId, State, Verdict};

/// What became of an entered sighting. The order as it now stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entered {
    /// The first sighting of the order.
    New(Order),
    /// The order was known; this sighting gave what was missing.
    Completed(Order),
    /// The order was known and did not change.
    Again(Order),
    /// The order is known without its row: nothing of the sighting was kept. The order as the sighting tells it.
    Known(Order, KnownOrder),
    /// The order is another one than those that go by its id, and there is no place left for it: it was noted with one of
    /// them and is in the ledger no further. The order as the sighting tells it.
    NoPlace(Order),
}

impl Entered {
    /// The order as it now stands.
    pub const fn order(&self) -> &Order {
        match self {
            Self::New(order)
            | Self::Completed(order)
            | Self::Again(order)
            | Self::Known(order, _)
            | Self::NoPlace(order) => order,
        }
    }
}

/// What a sighting of a known id is.
pub(super) enum Again {
    /// One more of that order, or nothing further.
    This(Box<Entered>),
    /// One of another order, still to be entered.
    Another(Box<Candidate>),
}

impl Again {
    /// What there is no place for, by the id that it has in the shop.
    pub(super) fn no_place(candidate: &Candidate) -> Self {
        let mut order = candidate.order.clone();
        order.key.namespace = order.key.namespace.claimed();
        Self::This(Entered::NoPlace(order).into())
    }
}

/// How an attempt ended, and what becomes of its postback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Which postback; it must be `sending`.
    pub postback: PostbackId,
    /// Which attempt; it must be open.
    pub attempt: AttemptId,
    /// How it ended.
    pub outcome: Outcome,
    /// What the postback becomes: anything but `sending`.
    pub state: State,
    /// When to send again: with `due` only, at once if none.
    pub due: Option<Time>,
    /// What it waits for: with `held` only.
    pub doubt: Option<Doubt>,
    /// Why, in words.
    pub cause: Option<String>,
}

impl Settlement {
    /// The doubt as its column has it.
    pub(super) fn doubt_word(&self) -> Result<Option<String>, Error> {
        let doubt = self.doubt.filter(|_| self.state == State::Held);
        doubt
            .map(|doubt| to_word("postbacks.doubt", &doubt))
            .transpose()
    }

    /// Whether it is the network's answer, so that it stands where it comes late: to an attempt that
    /// was taken for interrupted. It says more than "unclear".
    pub(super) const fn is_answer(&self) -> bool {
        matches!(
            (self.outcome.verdict, self.state),
            (Verdict::Accepted, State::Accepted)
                | (Verdict::Rejected, State::Rejected)
                | (Verdict::Duplicate, State::Duplicate)
        )
    }

    /// What the postback becomes by a late answer, if it does: what waits for the operator or for a repeat does,
    /// which is then not sent again, and what was given up or taken back meanwhile.
    pub(super) fn late(&self, was: State) -> Option<State> {
        let waits = matches!(was, State::Unclear | State::Due | State::Held | State::Dead);
        waits.then_some(self.state)
    }

    /// Why, where it comes late.
    pub(super) fn late_cause(&self) -> String {
        let (attempt, words) = (self.attempt, &self.outcome.words);
        format!("late answer to attempt {attempt}: {words}")
    }
}

/// All that the ledger knows of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Story {
    /// The order as it stands.
    pub order: Order,
    /// How often it was seen.
    pub seen: u64,
    /// The sightings kept, oldest first: at most [`super::SIGHTINGS`].
    pub sightings: Vec<Seen>,
    /// Who was told.
    pub postbacks: Vec<Told>,
    /// Every change of its standing and of its postbacks' states, oldest first.
    pub history: Vec<Transition>,
}

impl Story {
    /// The click by which `network` is owed the order.
    pub fn click_of(&self, network: &NetworkName) -> Option<&Click> {
        self.order.click_of(self.bought(), network)
    }

    /// The sighting of the visit that bought: the first one may have come without.
    pub fn bought(&self) -> Option<&Sighting> {
        let sightings = || self.sightings.iter().map(|seen| &seen.sighting);
        let is_it = |sighting: &&Sighting| {
            let visit = sighting.visit.as_ref().map(|visit| visit.id);
            visit.is_some() && visit == self.order.visit
        };
        sightings().find(is_it).or_else(|| sightings().next())
    }
}

/// A sighting as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// What was seen.
    pub sighting: Sighting,
    /// What in it contradicts the order, in words.
    pub notes: Vec<String>,
}

/// A postback with its attempts, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The postback.
    pub postback: Postback,
    /// What was sent, what came back.
    pub attempts: Vec<Attempt>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// Of which postback; of the order itself if none.
    pub postback: Option<PostbackId>,
    /// When.
    pub at: Time,
    /// What it was; none when it was entered.
    pub was: Option<String>,
    /// What it became.
    pub became: String,
    /// Why, in words.
    pub cause: Option<String>,
    /// Who did it by hand; refgate itself if none.
    pub actor: Option<Actor>,
}

/// How many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Orders owed to a click.
    pub credited: u64,
    /// Orders owed to nobody.
    pub organic: u64,
    /// Orders in doubt.
    pub held: u64,
    /// Postbacks in each state, in the order of [`State::ALL`].
    pub postbacks: Vec<(State, u64)>,
}

/// How many postbacks to one destination are not told yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unsettled {
    /// To whom.
    pub destination: NetworkName,
    /// To be sent.
    pub due: u64,
    /// Waiting for the operator.
    pub held: u64,
    /// Told or not: nobody knows.
    pub unclear: u64,
}

impl Unsettled {
    /// What [`Self::read`] reads.
    pub(super) const SQL: &str = "SELECT destination,
        sum(CASE state WHEN 'due' THEN 1 ELSE 0 END) AS due,
        sum(CASE state WHEN 'held' THEN 1 ELSE 0 END) AS held,
        sum(CASE state WHEN 'unclear' THEN 1 ELSE 0 END) AS unclear
        FROM postbacks WHERE state IN ('due', 'held', 'unclear') GROUP BY destination";

    pub(super) fn read(row: &dyn Columns) -> Result<Self, Error> {
        let count = |name| {
            let number = row.number(name)?;
            u64::try_from(number).map_err(|error| unreadable("postbacks", error))
        };
        Ok(Self {
            destination: row::destination(row)?,
            due: count("due")?,
            held: count("held")?,
            unclear: count("unclear")?,
        })
    }
}

/// The settings that durability rests on, as SQLite reports them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durability {
    /// `wal`.
    pub journal_mode: String,
    /// 2 is `FULL`: every commit is synced (SQLite's documentation of `PRAGMA synchronous`).
    pub synchronous: i64,
    /// Whether a sync also empties the drive's cache, where the system tells the two apart (macOS).
    pub fullfsync: bool,
    /// How long a locked file is waited for.
    pub busy_timeout: Duration,
}
