//! What refgate promises, seen from outside: one module a stage.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where what it needs is not there"
)]

mod accept;
mod forward;
mod support;
