//! What a comparison finds.

use serde::Serialize;

use crate::clock::Time;
use crate::money::Money;
use crate::postback::{PostbackId, State};

/// What is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The ledger says that the network has it, and it is not listed.
    Missing,
    /// Listed more often than there are postbacks of it, and not because its amount is split.
    Doubled,
    /// Listed, and not told by refgate.
    Unknown,
    /// Listed otherwise than the ledger has it.
    Differing,
    /// Unclear, and answered by the list.
    Answered,
    /// Unclear, and not listed.
    Unanswered,
}

/// What the list says of a postback that is unclear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The network counts it.
    Counted,
    /// The network lists it and does not count it.
    Refused,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The order's id: as the list has it, or else as the ledger has it.
    pub order: String,
    /// The postback, if it is one.
    pub postback: Option<PostbackId>,
    /// Where it stands.
    pub state: Option<State>,
    /// When it was entered.
    pub at: Option<Time>,
    /// As the ledger has it.
    pub here: Side,
    /// As the list has it.
    pub there: Side,
    /// How many rows the list has of it.
    pub rows: u32,
    /// The line of the first of them.
    pub line: Option<u64>,
    /// What the list answers.
    pub answer: Option<Answer>,
    /// It is so near the end of what the list covers that another list may have it.
    pub edge: bool,
    /// Nothing is known here by the id that it is listed under.
    #[serde(skip)]
    pub unseen: bool,
    /// What differs, or what is known, in words.
    pub note: String,
}

/// One side of a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Side {
    /// What it is worth, all of it together.
    pub amount: Option<Money>,
    /// Whose it is.
    pub affiliate: Option<String>,
}
