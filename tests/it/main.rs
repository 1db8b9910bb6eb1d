//! Every stage as the one beside it sees it.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where what it needs is not there"
)]

mod config;
mod ledger;
mod observe;
mod pages;
mod support;
mod watch;
