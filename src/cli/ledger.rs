//! `refgate ledger`: looking after the ledger, also while refgate runs.

use std::io;
use std::path::PathBuf;

use super::by::By;
use super::say::{Error, inert, json};
use crate::actor::{Actor, Reason};
use crate::clock::Time;
use crate::config::Settings;
use crate::ledger::{Backup, Compacted, Custody, Deed, Ledger, SteppedBack};
use crate::record::spool::Spool;

/// What is done with the ledger.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Look whether it is sound, and whether it is the one that was used before; exits 1 if not
    Check,
    /// Copy it into a new file, as it is at one moment
    Backup {
        /// The file, which must not be there yet
        file: PathBuf,
    },
    /// Give back free space; while refgate runs in small steps
    Compact,
    /// Take it for right as it stands, and for this configuration's: what is due in it is sent
    ///
    /// For a ledger that is new where one was, or older than it was: nothing is sent by it until then. What was sent
    /// meanwhile and is not in it may be sent again: compare with the networks first.
    Accept(Accept),
    /// Take it back by one version, for the refgate before this one; end this one first
    Downgrade(Downgrade),
}

/// Whether it is meant.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Downgrade {
    /// Do it. Without it what would be done is shown, and nothing is done
    #[arg(long)]
    pub yes: bool,
}

/// Why it is right.
#[derive(Clone, Debug, clap::Args)]
pub struct Accept {
    /// Why, kept on record
    #[arg(long)]
    pub reason: Reason,
    /// Who says so
    #[command(flatten)]
    pub by: By,
}

/// Does what is said, but the step back.
///
/// # Errors
/// The ledger is not sound; its own, or the output's.
pub async fn run(
    command: &Command,
    (settings, ledger): (&Settings, &Ledger),
    who: impl Fn(&By) -> Actor,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    match command {
        Command::Check => check(settings, ledger, as_json, out).await,
        Command::Backup { file } => {
            let backup = ledger.backup(file.clone()).await?;
            tell_backup(&backup, as_json, out)
        }
        Command::Compact => tell_compacted(ledger.compact().await?, as_json, out),
        Command::Accept(args) => {
            let actor = who(&args.by);
            accept(args, (settings, ledger), actor, as_json, out).await
        }
        Command::Downgrade(args) => downgrade(args, settings, as_json, out).await,
    }
}

/// Takes the ledger back by one version, or says what that would come to.
///
/// # Errors
/// Orders wait in the spool, which the older refgate may not read; the ledger's, or the output's.
pub async fn downgrade(
    args: &Downgrade,
    settings: &Settings,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let keys = settings.capture.keys.clone();
    let spool = Spool::new(settings.record.spool.clone(), keys);
    let waiting = spool.waiting().map_err(Error::Spool)?;
    if waiting > 0 {
        return Err(Error::Spooled(waiting));
    }
    let stepped = Ledger::step_back(&settings.ledger, args.yes).await?;
    if as_json {
        let done = args.yes;
        return json(out, &serde_json::json!({ "done": done, "step": stepped }));
    }
    tell_stepped(&stepped, args.yes, out)
}

fn tell_stepped(stepped: &SteppedBack, done: bool, out: &mut dyn io::Write) -> Result<(), Error> {
    let SteppedBack { from, to, .. } = stepped;
    match done {
        true => writeln!(
            out,
            "The ledger was of version {from} and is of version {to}: the refgate before this one can use it."
        )?,
        false => writeln!(
            out,
            "The ledger is of version {from}, and would be of version {to}, for the refgate before this one:"
        )?,
    }
    for doubt in &stepped.doubts {
        let (count, of, was) = (doubt.count, &doubt.of, inert(&doubt.was));
        writeln!(
            out,
            "- It knows no `{was}`: {count} {of} held so are held as `{}` there, and as `{was}` again when it is brought up to date.",
            doubt.becomes
        )?;
    }
    for (count, words) in [
        (
            stepped.known_orders,
            "orders are known without their row, which it does not look at: a confirmation of one is a new order to it",
        ),
        (stepped.pauses, "destinations are paused: it sends to them"),
        (
            stepped.webhooks,
            "postbacks to webhooks are due: it knows no webhooks, and holds them until you release or cancel them",
        ),
    ] {
        if count > 0 {
            writeln!(out, "- {count} {words}.")?;
        }
    }
    writeln!(
        out,
        "- It asks for no proof that a visit bought, and has no guard: it credits what this one would hold."
    )?;
    writeln!(
        out,
        "What version {from} added stays in it, and is found again when it is brought up to date."
    )?;
    if !done {
        writeln!(out, "Nothing was done. With --yes it is.")?;
    }
    Ok(())
}

fn custody(settings: &Settings) -> Custody {
    Custody::new(settings.whose(), &settings.record.spool)
}

async fn check(
    settings: &Settings,
    ledger: &Ledger,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let faults = ledger.check().await?;
    let doubts = ledger.doubts(&custody(settings)).await?;
    if as_json {
        json(
            out,
            &serde_json::json!({ "faults": faults, "doubts": doubts }),
        )?;
    } else {
        for fault in &faults {
            writeln!(out, "{}", inert(fault))?;
        }
        for doubt in &doubts {
            writeln!(
                out,
                "not accepted: {}; see `refgate ledger accept`",
                inert(doubt)
            )?;
        }
        if faults.is_empty() && doubts.is_empty() {
            writeln!(out, "The ledger is sound.")?;
        }
    }
    match faults.len() + doubts.len() {
        0 => Ok(()),
        count => Err(Error::Unsound(count)),
    }
}

async fn accept(
    args: &Accept,
    (settings, ledger): (&Settings, &Ledger),
    actor: Actor,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let doubts = ledger.doubts(&custody(settings)).await?;
    if !doubts.is_empty() {
        let deed = Deed {
            actor,
            verb: "",
            subject: None,
            reason: Some(args.reason.as_str().to_owned()),
        };
        let whose = Some(settings.whose());
        ledger.accept(whose, deed, Time::now()).await?;
    }
    if as_json {
        return json(out, &serde_json::json!({ "accepted": doubts }));
    }
    for doubt in &doubts {
        writeln!(out, "Accepted, although {}.", inert(doubt))?;
    }
    match doubts.is_empty() {
        true => writeln!(
            out,
            "There is nothing to accept: the ledger is the one that was used before."
        )?,
        false => writeln!(out, "What is due in it is sent.")?,
    }
    Ok(())
}

fn tell_backup(backup: &Backup, as_json: bool, out: &mut dyn io::Write) -> Result<(), Error> {
    if as_json {
        return json(out, backup);
    }
    let file = inert(&backup.file.display().to_string());
    let (bytes, orders) = (backup.bytes, backup.orders);
    writeln!(out, "{file}: {bytes} bytes, {orders} orders, sound.")?;
    Ok(())
}

fn tell_compacted(done: Compacted, as_json: bool, out: &mut dyn io::Write) -> Result<(), Error> {
    if as_json {
        return json(out, &done);
    }
    match done.before {
        0 => writeln!(out, "Its free space is used again.")?,
        before => writeln!(out, "It had {before} bytes and has {}.", done.after)?,
    }
    if done.free > 0 {
        let free = done.free;
        writeln!(
            out,
            "{free} bytes are free in it, and are used again; they can be given back while refgate does not run."
        )?;
    }
    Ok(())
}
