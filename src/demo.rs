//! The demo: a shop, a network and a shopper on loopback, for a person to try refgate with and for
//! the tests of every stage. They know nothing of refgate and speak to it over TCP only.

pub mod network;
pub mod shop;
pub mod shopper;

mod form;
