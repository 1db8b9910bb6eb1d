//! A visit: what the sealed cookie says of a visitor. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::click::Click;
use crate::clock::Time;

/// Which click is paid for when there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribution {
    /// The newest one, across networks. The default everywhere (domain.md §4).
    LastClick,
    /// The oldest one that is still within the window.
    FirstClick,
}

/// What joins the exchanges of one visitor: 128 random bits, in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VisitId(pub u128);

impl fmt::Display for VisitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for VisitId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

impl TryFrom<String> for VisitId {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<VisitId> for String {
    fn from(id: VisitId) -> Self {
        id.to_string()
    }
}

/// A visitor who came over at least one affiliate's link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// Random; given with the first click.
    pub id: VisitId,
    /// At most one per network, oldest first; never empty.
    pub clicks: Vec<Click>,
    /// When a checkout step was last seen.
    pub checkout: Option<Time>,
}

impl Visit {
    /// The click that an order at `now` is owed to, if one is within `window`.
    pub fn credited(
        &self,
        attribution: Attribution,
        window: Duration,
        now: Time,
    ) -> Option<&Click> {
        let live = self
            .clicks
            .iter()
            .filter(|click| now.since(click.at) <= window);
        match attribution {
            Attribution::LastClick => live.max_by_key(|click| click.at),
            Attribution::FirstClick => live.min_by_key(|click| click.at),
        }
    }
}
