//! A click: which network's link brought the visitor, with which values, when.

mod came;

pub use came::{By, Came, Leg};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::name::NetworkName;

/// What the link carried, by the parameter's name: `affiliate_id` → `123456`.
///
/// Every value has passed the pattern and length that the operator stated.
pub type Values = BTreeMap<String, String>;

/// Whose link it was, for people: the partner's id where it has the usual name, otherwise all that the link carried.
pub fn partner(values: &Values) -> String {
    if let Some(id) = values.get("affiliate_id") {
        return id.clone();
    }
    let pairs = values.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(", ")
}

/// What the values of a network's link identify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identifies {
    /// The partner: every visitor of his carries the same (TUNE's partner id).
    Partner,
    /// This one click: the same values never come from a second one (TUNE's transaction id).
    Click,
}

/// One arrival over an affiliate's link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Click {
    /// Whose link it was.
    pub network: NetworkName,
    /// The values of the network's parameters.
    pub values: Values,
    /// When the link was followed; the window counts from here.
    pub at: Time,
    /// How it came to the store that has it.
    #[serde(default, skip_serializing_if = "Came::is_empty")]
    pub came: Came,
}

impl Click {
    /// Whether it is the same click, however it came here.
    pub fn is(&self, other: &Self) -> bool {
        (&self.network, &self.values, self.at) == (&other.network, &other.values, other.at)
    }
}

/// Makes `clicks`, oldest first, shorter for what has too little room: how the oldest came is forgotten before any click
/// is, then the oldest click; false if there is nothing left to give way.
pub fn give_way(clicks: &mut Vec<Click>) -> bool {
    if let Some(told) = clicks.iter_mut().find(|click| !click.came.is_empty()) {
        told.came = Came::default();
        return true;
    }
    let gives = clicks.len() > 1;
    if gives {
        clicks.remove(0);
    }
    gives
}
