//! refgate stands in front of an unmodified shop and credits affiliates for its sales.
//!
//! Modules stand in layers; one imports only from the layers above its own
//! (`tests/it/layers.rs` sees to it).

// Beneath the words: how threads share.
pub mod current;
pub mod shards;

// The words: parsed, bounded, pure.
pub mod actor;
pub mod cause;
pub mod clock;
pub mod consent;
pub mod inert;
pub mod money;
pub mod name;
pub mod seal;
pub mod secret;

// What is wrong until it is not any more.
pub mod alarm;

// What has happened.
pub mod event;

// The words of HTTP, and the bytes beneath them; pages taken apart.
pub mod html;
pub mod message;
pub mod wire;

// The words made of words.
pub mod click;
pub mod store;

// What a visitor carries, here and at the shop.
pub mod session;
pub mod visit;

// What goes along from one store to its sibling.
pub mod hand_over;

// What a sale becomes.
pub mod order;

// What a network is told.
pub mod postback;

// The stages: each on its own, each with its own settings.
pub mod accept;
pub mod access;
pub mod capture;
pub mod decorate;
pub mod forward;
pub mod ledger;
pub mod observe;

// Who is no shopper.
pub mod exclude;

// Certificates from an authority.
pub mod acme;

// The order path.
pub mod deliver;
pub mod record;

// A watched exchange.
pub mod watch;

// The request path.
pub mod proxy;

// What the operator asks for.
pub mod reload;

// What the operator does with postbacks.
pub mod steering;

// What the operator looks at, and steers by.
pub mod admin;

// What the operator wrote: fills every stage's settings.
pub mod config;

// Everything put together.
pub mod app;

// Something to see without a shop or a network of one's own.
pub mod demo;

// The command line.
pub mod cli;
