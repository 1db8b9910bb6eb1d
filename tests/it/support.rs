//! What the tests share.

pub(crate) mod office;
pub(crate) mod sale;
