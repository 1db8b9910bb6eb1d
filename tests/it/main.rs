//! What refgate promises, seen from outside: one module a stage.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops where what it needs is not there"
)]

mod config;
mod deliver;
mod demo;
mod house;
mod layers;
mod ledger;
mod operator;
mod order;
mod pages;
mod record;
mod support;
