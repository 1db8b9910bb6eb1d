//! What the tests share.

pub(crate) mod config;
pub(crate) mod observe;
pub(crate) mod log;
pub(crate) mod office;
pub(crate) mod sale;
pub(crate) mod sources;
