//! Capture: whose visitor is this? From the request head alone, without I/O.

pub mod seal;

use std::time::Duration;

use regex::Regex;

use crate::name::NetworkName;
use crate::visit::Attribution;

/// How clicks are recognised and remembered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cookie's name without prefix: `refgate` → `__Host-refgate`.
    pub cookie: String,
    /// First seals, every one opens.
    pub keys: seal::Keys,
    /// How long a click is worth something, from its own time.
    pub window: Duration,
    /// Which click wins.
    pub attribution: Attribution,
    /// What becomes of our parameters in the target.
    pub parameter: Handling,
    /// The networks, in the order of the configuration.
    pub networks: Vec<Network>,
}

/// What becomes of a captured parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// The shop does not see it.
    Strip,
    /// The shop sees it.
    Keep,
    /// The browser is sent to the address without it.
    Redirect,
}

/// How one network's clicks are recognised.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its name.
    pub name: NetworkName,
    /// All that a link may carry; those that are required make the click.
    pub parameters: Vec<Parameter>,
}

/// One query parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The exact decoded name.
    pub name: String,
    /// What a value must match, whole.
    pub pattern: Regex,
    /// Longest value in bytes.
    pub max_length: usize,
    /// Whether there is a click without it.
    pub required: bool,
}
