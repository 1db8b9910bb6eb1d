//! What several stages' tests need.

pub(crate) mod sources;
