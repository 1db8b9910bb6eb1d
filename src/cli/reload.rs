//! `refgate reload`: the one that runs reads its configuration again.

use std::io::{self, Write};

use super::ask::{self, Args, ask};
use super::say::inert;
use crate::admin::Settings;

/// Why it did not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be asked.
    #[error(transparent)]
    Ask(#[from] ask::Error),
    /// The one that runs has another opinion of its configuration.
    #[error("not reloaded, the configuration before stays in force:\n{0}")]
    Refused(String),
    /// Nobody reads what is written.
    #[error("cannot write the answer")]
    Write(#[from] io::Error),
}

/// Asks the one at `admin`, and says what came of it.
///
/// # Errors
/// It cannot be asked, or refuses.
pub fn run(
    admin: Option<&Settings>,
    (args, user): (&Args, Option<&str>),
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let (status, words) = ask(admin, args, ("POST /reload", user))?;
    let words = words.lines().map(inert).collect::<Vec<_>>().join("\n");
    if status != 200 {
        return Err(Error::Refused(words));
    }
    if json {
        writeln!(out, "{}", serde_json::json!({ "reloaded": words }))?;
    } else {
        writeln!(out, "{words}")?;
    }
    Ok(())
}
