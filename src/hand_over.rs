//! Hand-over: what goes along from one store to its sibling on another registrable domain.
//!
//! A browser gives a store's cookie to no other registrable domain, so an address that leads
//! to a sibling carries a token in its query (`domain.md §6`).

pub mod url;
