//! Observe: watch the responses that a rule names; the shopper's bytes stay the shop's.
//!
//! Pure but for [`pool`]: [`Rules::request`] tells from a request's head whether a
//! rule means it, [`Watch::response`] from the response's head, and
//! [`Matched::read`] reads a copy of the body. Nothing here holds the shopper up,
//! and whatever a shop sends, nothing here fails but the reading.

mod agree;
mod charset;
pub mod copy;
pub mod decode;
pub mod explain;
pub mod fault;
mod gather;
mod guard;
pub mod html;
mod json;
pub mod pixel;
pub mod pool;
pub mod reading;
pub mod rule;
pub mod rules;
pub mod saved;
mod target;
mod text;
pub mod watch;

use std::time::Duration;

pub use copy::Copy;
pub use fault::Fault;
pub use pool::Pool;
pub use reading::Reading;
pub use rules::{Decision, RequestHead, Rules};
pub use watch::{Matched, Watch};

/// What is watched, and how much is kept of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The rules, in the order of the configuration.
    pub rules: Vec<rule::Rule>,
    /// What pages should not load from, as it would count an order once more.
    pub pixels: pixel::Pixels,
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
