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

    /// Longest name in bytes that leaves room for it.
    pub const LIMIT: usize = LIMIT - Self::ASIDE.len();

    /// Whether an operator may give this name.
    pub fn is_usable(&self) -> bool {
        self.as_str().len() <= Self::LIMIT && !self.as_str().ends_with(Self::ASIDE)
    }

    /// Where an order of this namespace stands aside: the id is free for another one.
    #[must_use]
    pub fn aside(&self) -> Self {
        Self(format!("{self}{}", Self::ASIDE).into())
    }
}

impl Default for GroupName {
    /// The group of stores that name none.
    fn default() -> Self {
        Self("all".into())
    }
}
