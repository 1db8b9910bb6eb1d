//! Which postbacks somebody means who does not name their numbers: a filter, as words of a command or pairs of a request.

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

/// What a filter is made of.
const NAMES: &str = "state, destination, store, since, until, doubt, affiliate, order";

impl Filter {
    /// The filter of these names and texts; several states may be named.
    ///
    /// # Errors
    /// A name that is none, or stands twice; a text that means nothing there. In words.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut filter = Self::default();
        for (name, text) in pairs {
            let pair = (name, text);
            match name {
                "state" => {
                    let state = state(text).map_err(|words| format!("state: expected {words}"))?;
                    filter.state.push(state);
                }
                "destination" => once(&mut filter.destination, pair)?,
                "store" => once(&mut filter.store, pair)?,
                "since" => once(&mut filter.since, pair)?,
                "until" => once(&mut filter.until, pair)?,
                "doubt" => once(&mut filter.doubt, pair)?,
                "affiliate" => once(&mut filter.affiliate, pair)?,
                "order" => once(&mut filter.order, pair)?,
                _ => return Err(format!("{name:?} is no filter; there are {NAMES}")),
            }
        }
        Ok(filter)
    }

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
            decided: None,
        }
    }
}

fn once<T: FromStr<Err: std::fmt::Display>>(
    slot: &mut Option<T>,
    (name, text): (&str, &str),
) -> Result<(), String> {
    let value = text.parse().map_err(|error| format!("{name}: {error}"))?;
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{name} is stated twice")),
    }
}

fn state(word: &str) -> Result<State, String> {
    State::from_word(word).ok_or_else(|| {
        let words: Vec<_> = State::ALL.iter().map(|state| state.as_str()).collect();
        format!("one of {}", words.join(", "))
    })
}
