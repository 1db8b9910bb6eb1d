//! Every stage as the one beside it sees it.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test stops where what it needs is not there"
)]

mod ledger;
mod operator;
mod order;
mod record;
mod support;
