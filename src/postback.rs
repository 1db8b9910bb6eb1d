//! A postback: one conversion told to one destination, and every attempt at it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::click::Values;
use crate::clock::Time;
use crate::money::Money;
use crate::name::NetworkName;
use crate::order::{Doubt, OrderKey};

/// A postback's number in the ledger.
pub type PostbackId = i64;

/// An attempt's number in the ledger.
pub type AttemptId = i64;

/// Whether a destination is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    #[default]
    Live,
    /// Everything happens but the sending: postbacks are held.
    Shadow,
}

/// Where a postback stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// To be sent when its time has come.
    Due,
    /// An attempt is open: committed before its first byte left.
    Sending,
    /// The network counted it.
    Accepted,
    /// The network says that it has it already.
    Duplicate,
    /// The network refused it. Final.
    Rejected,
    /// It may have been counted or not; the operator is asked.
    Unclear,
    /// Given up: every retry was used.
    Dead,
    /// Waits for the operator.
    Held,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Due,
        Self::Sending,
        Self::Accepted,
        Self::Duplicate,
        Self::Rejected,
        Self::Unclear,
        Self::Dead,
        Self::Held,
    ];

    /// The state's word, in the ledger and everywhere else.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Rejected => "rejected",
            Self::Unclear => "unclear",
            Self::Dead => "dead",
            Self::Held => "held",
        }
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A postback as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postback {
    /// Its number.
    pub id: PostbackId,
    /// The order told of.
    pub order: OrderKey,
    /// Who is told.
    pub destination: NetworkName,
    /// What happened: `sale`.
    pub event: String,
    /// Tells renewals of one order apart; 0 for the sale.
    pub sequence: u32,
    /// The click's values, to fill the template with.
    pub values: Values,
    /// In the destination's currency; none while it could not be read.
    pub amount: Option<Money>,
    /// Where it stands.
    pub state: State,
    /// Why it is held, if it is.
    pub doubt: Option<Doubt>,
    /// The state's cause in words: the network's, or ours.
    pub cause: Option<String>,
    /// When it was entered.
    pub at: Time,
    /// When it is to be sent (again).
    pub due: Option<Time>,
    /// How many attempts were begun.
    pub attempts: u32,
    /// How many of them came before the operator's last resend: the schedule starts anew after them.
    pub spent: u32,
}

/// What an attempt's end says of the conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Counted.
    Accepted,
    /// The network has it already.
    Duplicate,
    /// Refused, by the network's own word.
    Rejected,
    /// Provably not processed: not sent (DNS, connect, TLS), or 429/503.
    NotProcessed,
    /// No telling.
    Unclear,
}

/// One send, with what came back. A secret never stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number.
    pub id: AttemptId,
    /// Of which postback.
    pub postback: PostbackId,
    /// When it was committed, before the first byte left.
    pub begun: Time,
    /// The URL, secrets masked.
    pub url: String,
    /// How it ended; none while it is open.
    pub outcome: Option<Outcome>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// When.
    pub at: Time,
    /// The answer's status, if there was an answer.
    pub status: Option<u16>,
    /// The network's words (bounded), or what went wrong.
    pub words: String,
    /// What it means.
    pub verdict: Verdict,
}
