//! `refgate pause NAME`: nothing more is sent to a destination, by any process on the ledger.

use std::io;

use super::by::By;
use super::say::{Error, inert, json};
use crate::actor::{Actor, Reason};
use crate::clock::Time;
use crate::deliver::Settings;
use crate::ledger::{Ledger, Pause};
use crate::name::NetworkName;

/// Whom to pause, and why.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The network or webhook
    pub name: NetworkName,
    /// Why, kept on record and shown as long as it is paused
    #[arg(long)]
    pub reason: Reason,
    /// Who says so
    #[command(flatten)]
    pub by: By,
}

/// Pauses; when it returns, no attempt begins any more.
///
/// # Errors
/// No such destination; the ledger's, or the output's.
pub async fn run(
    args: &Args,
    (settings, ledger): (&Settings, &Ledger),
    actor: Actor,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    known(&args.name, settings)?;
    let pause = Pause {
        destination: args.name.clone(),
        at: Time::now(),
        actor,
        reason: args.reason.to_string(),
    };
    let stands = ledger.pause(pause.clone()).await?;
    if as_json {
        return json(out, stands.as_ref().unwrap_or(&pause));
    }
    let name = &args.name;
    match stands {
        Some(pause) => writeln!(out, "{name} is paused already, {}.", words(&pause))?,
        None => writeln!(
            out,
            "{name} is paused: nothing is sent to it until `refgate go {name}`. What is under way may still be answered."
        )?,
    }
    Ok(())
}

/// Since when, by whom and why.
pub(super) fn words(pause: &Pause) -> String {
    let (actor, reason) = (inert(pause.actor.as_str()), inert(&pause.reason));
    format!("since {} by {actor}: {reason}", pause.at)
}

/// Nobody pauses what he has misspelt.
pub(super) fn known(name: &NetworkName, settings: &Settings) -> Result<(), Error> {
    if settings.destinations.contains_key(name) {
        return Ok(());
    }
    let mut names: Vec<&str> = settings
        .destinations
        .keys()
        .map(NetworkName::as_str)
        .collect();
    names.sort_unstable();
    Err(Error::NoDestination(name.clone(), names.join(", ")))
}
