//! What refgate promises, seen from outside: one module a stage.

#![expect(clippy::expect_used, reason = "what fails here fails its test")]

mod house;
mod layers;
mod support;
