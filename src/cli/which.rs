//! Which postbacks a command means: their numbers, or a filter.

use std::str::FromStr;

use crate::clock::Time;
use crate::ledger::PostbackFilter;
use crate::name::{NetworkName, StoreName};
use crate::order::{Doubt, OrderId};
use crate::postback::State;

/// A filter; everything stated must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Filter {
    /// Only in this state: due, sending, accepted, duplicate, rejected, unclear, dead, held; may be given again
    #[arg(long, value_parser = state)]
    pub state: Vec<State>,
    /// Only to this network
    #[arg(long)]
    pub destination: Option<NetworkName>,
    /// Only of orders first seen in this store
    #[arg(long)]
    pub store: Option<StoreName>,
    /// Only those entered then or later, like 2026-11-23T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<Time>,
    /// Only those entered before then
    #[arg(long, value_name = "TIME")]
    pub until: Option<Time>,
    /// Only those held for this reason, like `unreadable` or `over_max_amount`
    #[arg(long)]
    pub doubt: Option<Doubt>,
    /// Only by clicks that carried this value, like `affiliate_id=123456`
    #[arg(long, value_name = "NAME=VALUE")]
    pub affiliate: Option<Pair>,
    /// Only of the order that goes by this id
    #[arg(long, value_name = "ID")]
    pub order: Option<OrderId>,
}

/// `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair(pub String, pub String);

/// There is no `=` in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a parameter and its value, like affiliate_id=123456")]
pub struct PairError;

impl FromStr for Pair {
    type Err = PairError;

    fn from_str(text: &str) -> Result<Self, PairError> {
        let (name, value) = text.split_once('=').ok_or(PairError)?;
        Ok(Self(name.to_owned(), value.to_owned()))
    }
}

impl Filter {
    /// Whether nothing is stated.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// As the ledger takes it.
    pub fn postbacks(&self) -> PostbackFilter {
        let pair = self.affiliate.clone();
        PostbackFilter {
            states: self.state.clone(),
            destination: self.destination.clone(),
            store: self.store.clone(),
            since: self.since,
            until: self.until,
            doubt: self.doubt,
            value: pair.map(|Pair(name, value)| (name, value)),
            order: self.order.clone(),
            held_before: None,
            numbers: Vec::new(),
        }
    }
}

fn state(word: &str) -> Result<State, String> {
    State::from_word(word).ok_or_else(|| {
        let words: Vec<_> = State::ALL.iter().map(|state| state.as_str()).collect();
        format!("one of {}", words.join(", "))
    })
}
