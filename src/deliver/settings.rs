//! What delivering must know: who is told, how, and what the answers mean.

use std::collections::HashMap;
use std::time::Duration;

use regex::Regex;

use super::breaker::Terms;
use super::egress::Egress;
use super::holds::Holds;
use super::pace::Rate;
use super::template::Template;
use super::webhook::Key;
use crate::name::NetworkName;
use crate::postback::{Mode, Verdict};
use crate::secret::Secret;

/// How postbacks are sent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who is told, by name.
    pub destinations: HashMap<NetworkName, Destination>,
    /// Waits before the second, third, … attempt; after the last one a postback is dead.
    pub schedule: Vec<Duration>,
    /// For DNS, TCP and TLS together.
    pub connect_timeout: Duration,
    /// For the whole attempt.
    pub timeout: Duration,
    /// The way out.
    pub egress: Egress,
    /// Postbacks under way at once, to all destinations together.
    pub concurrency: usize,
    /// When a destination is left alone, and how long.
    pub rest: Terms,
    /// Largest answer read, in bytes.
    pub answer_limit: usize,
    /// A `Retry-After` is believed up to here.
    pub retry_after_limit: Duration,
    /// When what is held goes on by itself.
    pub holds: Holds,
}

/// One destination.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The URL to fill.
    pub template: Template,
    /// What must not be seen of it.
    pub secrets: Vec<Secret>,
    /// With what it is signed, if it is a webhook of the operator's own: posted, and its answer's status read.
    pub webhook: Option<Key>,
    /// What an answer means: the first that matches.
    pub answers: Vec<Answer>,
    /// What the network itself deduplicates by.
    pub dedupe: Dedupe,
    /// Postbacks under way to it at once.
    pub concurrency: usize,
    /// How many may be sent to it in a span of time; any number if none.
    pub rate: Option<Rate>,
    /// Whether it is told.
    pub mode: Mode,
    /// So many rejections in a row with the same words pause it; never if none.
    pub pause_after: Option<u32>,
}

/// What a network deduplicates by, so that a repeat is safe or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dedupe {
    /// Nothing: a repeat is paid twice. The default.
    None,
    /// The click's id (TUNE's transaction id).
    Click,
    /// The order's id (TUNE's unique id): an unclear postback may be repeated.
    Order,
}

/// What an answer of a network means.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status; any if none.
    pub status: Option<u16>,
    /// What its body must match; anything if none.
    pub body: Option<Regex>,
    /// What it means.
    pub means: Verdict,
    /// Finds the network's words in the body (group 1, or the whole match).
    pub reason: Option<Regex>,
}
