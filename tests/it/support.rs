//! What the tests share.

pub(crate) mod message;
pub(crate) mod origin;
pub(crate) mod proxy;
pub(crate) mod wire;
