//! What the tests share.

pub(crate) mod log;
pub(crate) mod office;
pub(crate) mod sale;
