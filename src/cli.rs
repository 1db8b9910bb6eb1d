//! The command line: one file a subcommand.

pub mod explain;
pub mod import;
pub mod orders;
pub mod postbacks;
pub mod say;
