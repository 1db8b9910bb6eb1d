//! The demo: a shop, a network and a shopper on loopback.
//!
//! For a person to try refgate with, and for the tests of every stage. They know nothing of
//! refgate and speak to it over TCP only; [`scene`] puts the real proxy between them.

pub mod network;
pub mod purchase;
pub mod scene;
pub mod shop;
pub mod shopper;
