//! `refgate go NAME`: a paused destination is sent to again.

use std::io;

use super::by::By;
use super::pause::words;
use super::say::{Error, json};
use crate::actor::Actor;
use crate::clock::Time;
use crate::deliver::Settings;
use crate::ledger::Ledger;
use crate::name::NetworkName;

/// Who is told again.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The network or webhook
    pub name: NetworkName,
    /// Who says so
    #[command(flatten)]
    pub by: By,
}

/// Lifts the pause.
///
/// # Errors
/// The ledger's, or the output's. A destination that is not configured any more may go: its postbacks are held then.
pub async fn run(
    args: &Args,
    (settings, ledger): (&Settings, &Ledger),
    actor: Actor,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let name = &args.name;
    let lifted = ledger.go(name.clone(), actor, Time::now()).await?;
    if lifted.is_none() {
        super::pause::known(name, settings)?;
    }
    if as_json {
        return json(out, &lifted);
    }
    match lifted {
        Some(pause) => writeln!(
            out,
            "{name} is sent to again within a second or so. It was paused {}.",
            words(&pause)
        )?,
        None => writeln!(out, "{name} is not paused.")?,
    }
    Ok(())
}
