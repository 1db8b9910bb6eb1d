//! Proof: what shows that the visit which a click brought has bought, and did not only look.
//!
//! Anybody can open an old confirmation, one that a friend sent him, or the page of an order that was
//! made by phone. None of that is a sale of his.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Doubt, OrderId};
use crate::clock::Time;
use crate::session::Mark;

/// What shows that a visit bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// It was at the checkout then.
    Checkout(Time),
    /// The page had what only a confirmation's first view carries.
    FirstView,
    /// The order's id is above the floor: it was placed after the installation.
    AboveFloor,
    /// The operator's word: whoever sees this confirmation has bought.
    Trusted,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkout(at) => write!(f, "checkout step at {at}"),
            Self::FirstView => f.write_str("first view of the confirmation"),
            Self::AboveFloor => f.write_str("its id is above the id_floor"),
            Self::Trusted => f.write_str("the rule trusts any view"),
        }
    }
}

/// What a rule and the page that it read have to say, beside the visit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The page has the mark of a first view.
    pub first_view: bool,
    /// The last id before the installation.
    pub floor: Option<IdFloor>,
    /// Any view is trusted.
    pub trusted: bool,
    /// Who looks, as keyed hashes; none of one who has refused to be remembered.
    pub shopper: Vec<Mark>,
    /// What is wrong with him.
    pub suspicion: Option<Suspicion>,
}

/// What is wrong with a look at a confirmation, beside what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// By which the order is held.
    pub doubt: Doubt,
    /// In words for the operator.
    pub words: String,
}

impl Evidence {
    /// What proves that the order `id` was bought just now, whoever looks.
    pub fn proof(&self, id: &OrderId) -> Option<Proof> {
        let above = || self.floor.as_ref()?.is_below(id);
        if self.first_view {
            Some(Proof::FirstView)
        } else if above() == Some(true) {
            Some(Proof::AboveFloor)
        } else {
            self.trusted.then_some(Proof::Trusted)
        }
    }

    /// The floor, if the order `id` does not lie above it: then it is older than the installation.
    pub fn too_low(&self, id: &OrderId) -> Option<&IdFloor> {
        let floor = self.floor.as_ref()?;
        (floor.is_below(id) == Some(false)).then_some(floor)
    }
}

/// The last order's id before the installation: digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdFloor(String);

/// A text that is no floor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id of other characters than digits")]
pub struct FloorError;

impl FromStr for IdFloor {
    type Err = FloorError;

    fn from_str(text: &str) -> Result<Self, FloorError> {
        match digits(text) {
            Some(digits) => Ok(Self(digits.to_owned())),
            None => Err(FloorError),
        }
    }
}

impl IdFloor {
    /// Whether it lies below `id`, compared as numbers; none if that is no number.
    pub fn is_below(&self, id: &OrderId) -> Option<bool> {
        let id = digits(id.as_str())?;
        // Of two numbers without zeros in front the longer one is larger.
        Some((id.len(), id) > (self.0.len(), &self.0))
    }
}

impl fmt::Display for IdFloor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.0.is_empty() { "0" } else { &self.0 };
        f.write_str(digits)
    }
}

/// The digits without the zeros in front; none if there is anything else.
fn digits(text: &str) -> Option<&str> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_compared_as_numbers_of_any_length() {
        let below = |floor: &str, id: &str| {
            let floor: IdFloor = floor.parse().unwrap();
            floor.is_below(&id.parse().unwrap())
        };
        let long = "9".repeat(100);
        for (floor, id, expected) in [
            ("1000", "1001", Some(true)),
            ("1000", "1000", Some(false)),
            ("1000", "999", Some(false)),
            ("999", "1000", Some(true)),
            ("0099", "000100", Some(true)),
            ("1000", "0999", Some(false)),
            ("0", "1", Some(true)),
            ("0", "0", Some(false)),
            ("1000", &long, Some(true)),
            ("1000", "R1001", None),
            ("1000", "1001-1", None),
        ] {
            assert_eq!(below(floor, id), expected, "{floor} {id}");
        }
        for text in ["", "R1", "1.5", "-1", " 1"] {
            assert_eq!(text.parse::<IdFloor>(), Err(FloorError), "{text:?}");
        }
        assert_eq!("000".parse::<IdFloor>().unwrap().to_string(), "0");
        assert_eq!("010".parse::<IdFloor>().unwrap().to_string(), "10");
    }

    #[test]
    fn what_is_surer_is_named_first() {
        let id = "1001".parse().unwrap();
        let mut evidence = Evidence::default();
        assert_eq!(evidence.proof(&id), None);
        evidence.trusted = true;
        assert_eq!(evidence.proof(&id), Some(Proof::Trusted));
        evidence.floor = Some("1000".parse().unwrap());
        assert_eq!(evidence.proof(&id), Some(Proof::AboveFloor));
        assert_eq!(evidence.too_low(&id), None);
        evidence.first_view = true;
        assert_eq!(evidence.proof(&id), Some(Proof::FirstView));
        let old = "1000".parse().unwrap();
        assert_eq!(evidence.too_low(&old), evidence.floor.as_ref());
        assert_eq!(evidence.too_low(&"R7".parse().unwrap()), None);
    }
}
