//! `refgate key`: keys that seal cookies.

use std::io;

use super::say;
use crate::config::keys;

/// What to do with keys.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Print a new key: a line for the key file, or the value of a variable
    ///
    /// The first key of a key file seals, every one opens: put a new key on top and keep
    /// the old one until the window is over.
    New,
}

/// Prints a new key.
///
/// # Errors
/// The system gives no random bytes, or nobody reads.
pub(super) fn run(args: &Args, as_json: bool, out: &mut dyn io::Write) -> Result<(), super::Error> {
    let Command::New = args.command;
    let key = keys::create()?;
    if as_json {
        say::json(out, &serde_json::json!({ "key": key }))?;
    } else {
        writeln!(out, "{key}")?;
    }
    Ok(())
}
