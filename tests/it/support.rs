//! What the tests share.

pub(crate) mod arrival;
pub(crate) mod config;
pub(crate) mod daemon;
pub(crate) mod front;
pub(crate) mod http2;
pub(crate) mod log;
pub(crate) mod message;
pub(crate) mod observe;
pub(crate) mod office;
pub(crate) mod origin;
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod relay;
pub(crate) mod sale;
pub(crate) mod sealed;
pub(crate) mod shop;
pub(crate) mod sources;
pub(crate) mod tls;
pub(crate) mod wire;
