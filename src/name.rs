//! The names an operator gives to things: one type each, so that a store is
//! never taken for a network.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest name in bytes.
pub const LIMIT: usize = 64;

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was given.
    #[error("an empty name")]
    Empty,
    /// More than [`LIMIT`] bytes.
    #[error("a name longer than {LIMIT} bytes")]
    Long,
    /// Something else than letters, digits, `_`, `-` and `.`.
    #[error("{0:?} in a name: letters, digits, '_', '-' and '.' are allowed")]
    Character(char),
}

fn parse(text: &str) -> Result<Arc<str>, Error> {
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if text.len() > LIMIT {
        return Err(Error::Long);
    }
    let strange = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    match text.chars().find(strange) {
        Some(c) => Err(Error::Character(c)),
        None => Ok(text.into()),
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

names! {
    /// A store: a set of hosts served from one upstream.
    StoreName;
    /// A destination, who is told of a sale: a network, or a webhook of the operator's own.
    NetworkName;
    /// A route rule.
    RuleName;
    /// Where an order id is unique; stores that share one upstream share one.
    Namespace;
    /// Stores that share visits; a cookie of another group is nothing.
    GroupName;
    /// A configuration: tells whose a ledger is.
    ConfigName;
}

impl Namespace {
    /// How the namespace ends where orders stand that claim no id.
    pub const ASIDE: &str = ".aside";

    /// Longest name in bytes that leaves room for it, and for a digit.
    pub const LIMIT: usize = LIMIT - Self::ASIDE.len() - 1;

    /// Whether an operator may give this name.
    pub fn is_usable(&self) -> bool {
        self.as_str().len() <= Self::LIMIT && !self.is_aside()
    }

    /// Whether orders stand here that claim no id.
    pub fn is_aside(&self) -> bool {
        self.place().is_some()
    }

    /// Where an order stands aside that cannot stand here: the id is free for another one. `main` leads to `main.aside`, that
    /// to `main.aside2`, and so on; none after the ninth.
    pub fn aside(&self) -> Option<Self> {
        let aside = match self.place() {
            None => format!("{self}{}", Self::ASIDE),
            Some((_name, 9..)) => return None,
            Some((name, place)) => format!("{name}{}{}", Self::ASIDE, place + 1),
        };
        Some(Self(aside.into()))
    }

    /// The namespace in which these ids are claimed: `main` of `main.aside2`, and of itself.
    pub fn claimed(&self) -> Self {
        self.place()
            .map_or_else(|| self.clone(), |(name, _place)| Self(name.into()))
    }

    /// Whether orders stand here that claim no id of `other`.
    pub fn is_aside_of(&self, other: &Self) -> bool {
        self.place()
            .is_some_and(|(name, _place)| name == other.as_str())
    }

    /// Of one that stands aside, the name without that, and its place: 1 for `main.aside`.
    fn place(&self) -> Option<(&str, u8)> {
        let (name, place) = self.as_str().rsplit_once(Self::ASIDE)?;
        match place.as_bytes() {
            [] => Some((name, 1)),
            [digit @ b'2'..=b'9'] => Some((name, digit - b'0')),
            _ => None,
        }
    }
}

impl Default for GroupName {
    /// The group of stores that name none.
    fn default() -> Self {
        Self("all".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(name: &str) -> Namespace {
        name.parse().unwrap()
    }

    #[test]
    fn an_order_stands_aside_nine_times_and_no_operator_names_such_a_place() {
        let mut place = orders("main");
        let mut names = Vec::new();
        while let Some(next) = place.aside() {
            assert!(next.is_aside() && !next.is_usable(), "{next}");
            names.push(next.to_string());
            place = next;
        }
        assert_eq!(names.len(), 9, "{names:?}");
        assert_eq!(names[..2], ["main.aside", "main.aside2"]);
        assert_eq!(names[8], "main.aside9");
        for name in &names {
            assert_eq!(orders(name).claimed(), orders("main"));
            assert!(orders(name).is_aside_of(&orders("main")) && !orders(name).is_aside_of(&place));
        }
        for own in ["main", "main.aside1", "main.aside.eu"] {
            assert_eq!(orders(own).claimed(), orders(own));
            assert!(!orders(own).is_aside_of(&orders("main")));
        }
        for usable in ["main", "main.aside1", "main.aside22", "main.aside.eu"] {
            assert!(orders(usable).is_usable(), "{usable}");
        }
        let long = orders(&"a".repeat(Namespace::LIMIT));
        let last = std::iter::successors(Some(long), Namespace::aside).last();
        assert_eq!(last.unwrap().as_str().len(), LIMIT);
    }
}
