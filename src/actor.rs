//! Who steers, and why: what an action is recorded with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name in bytes.
pub const LIMIT: usize = 64;

/// Who did something by hand, as the record shows it.
///
/// Trimmed, not empty, at most [`LIMIT`] bytes, without control characters. Recorded, not proven: whoever may
/// write the ledger may also write its record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Actor(String);

/// Why a text names no actor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing but white space.
    #[error("an empty name")]
    Empty,
    /// More than [`LIMIT`] bytes.
    #[error("a name longer than {LIMIT} bytes")]
    Long,
    /// A control character within it.
    #[error("a control character in a name")]
    Control,
}

impl Actor {
    /// refgate itself, where nobody asked.
    pub fn refgate() -> Self {
        Self("refgate".to_owned())
    }

    /// Somebody who did not say who he is.
    pub fn unknown() -> Self {
        Self("unknown".to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Actor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::Empty);
        }
        if text.len() > LIMIT {
            return Err(Error::Long);
        }
        if text.chars().any(char::is_control) {
            return Err(Error::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Actor {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Longest reason in bytes.
pub const REASON_LIMIT: usize = 500;

/// Why somebody did something by hand, in his own words: trimmed, not empty, at most [`REASON_LIMIT`] bytes,
/// without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

/// Why a text is no reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReasonError {
    /// Nothing but white space.
    #[error("an empty reason")]
    Empty,
    /// More than [`REASON_LIMIT`] bytes.
    #[error("a reason longer than {REASON_LIMIT} bytes")]
    Long,
    /// A control character within it.
    #[error("a control character in a reason")]
    Control,
}

impl Reason {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, ReasonError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ReasonError::Empty);
        }
        if text.len() > REASON_LIMIT {
            return Err(ReasonError::Long);
        }
        if text.chars().any(char::is_control) {
            return Err(ReasonError::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Reason {
    type Error = ReasonError;

    fn try_from(text: String) -> Result<Self, ReasonError> {
        text.parse()
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
