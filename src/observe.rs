//! Observe: watch the responses that a rule names; the shopper's bytes stay the shop's.

pub mod rule;

use std::time::Duration;

/// What is watched, and how much is kept of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The rules, in the order of the configuration.
    pub rules: Vec<rule::Rule>,
    /// Largest copy of a body, as sent, in bytes.
    pub body_limit: usize,
    /// Largest decoded body in bytes.
    pub decoded_limit: usize,
    /// How long reading one copy may take.
    pub read_timeout: Duration,
    /// How long an exchange is read on after its client went away.
    pub abandoned_timeout: Duration,
    /// Threads that read copies.
    pub readers: usize,
}
