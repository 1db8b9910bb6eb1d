//! What refgate promises, seen from outside: one module a stage.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops where what it needs is not there"
)]

mod accept;
mod admin;
mod alarms;
mod bad_input;
mod capture;
mod config;
mod cookie;
mod custody;
mod deliver;
mod demo;
mod forward;
mod hand_over;
mod house;
mod http1;
mod journey;
mod layers;
mod ledger;
mod observe;
mod operating;
mod operator;
mod order;
mod pages;
mod pausing;
mod record;
mod reload;
mod replicas;
mod rotation;
mod steer;
mod supervise;
mod support;
mod tls;
mod trusted;
mod upstreams;
mod watch;
