//! `refgate postbacks`: list them, show one, steer them.

use std::io;

use super::pause::words;
use super::say::{Error, inert, json, table};
use super::steer::{self, Hand, Order, Targets};
use super::{decisions, export};
use crate::actor::Reason;
use crate::ledger::{Action, Ledger, Pause, Told};
use crate::postback::{Postback, PostbackId, Verdict};
use crate::steering::which::Filter;

/// What to do with postbacks.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done with postbacks.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// List them, newest first
    List(List),
    /// Show one with every attempt
    Show {
        /// The postback's number
        id: PostbackId,
    },
    /// Send them again: the network may count and pay them twice
    ///
    /// For postbacks that are unclear, rejected, dead or held. Ask the network first whether it has
    /// the conversion, unless it is known to deduplicate by order.
    Resend(Again),
    /// Keep back what is due, until it is released
    Hold(Freely),
    /// Let what is held go its way
    Release(Freely),
    /// Tell nobody of what is due, held, unclear or dead: it is dead then
    Cancel(Reasoned),
    /// Take down that the network has what is unclear, dead, rejected or held: it is accepted then
    Accept(Reasoned),
    /// Take down that the network does not count what is accepted, duplicate, unclear or dead: it is rejected then
    Reject(Reasoned),
    /// Write them for another program, oldest first; `import` understands it
    Export(export::Postbacks),
    /// Do what a file says with them, as `export` writes it: it is shown first, and done with --yes
    Import(decisions::Args),
}

/// Which postbacks to list.
#[derive(Clone, Debug, clap::Args)]
pub struct List {
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
}

/// Which postbacks to send again.
#[derive(Clone, Debug, clap::Args)]
pub struct Again {
    /// Which, and by whom.
    #[command(flatten)]
    pub targets: Targets,
    /// Why, kept in the order's history
    #[arg(long, default_value = "by the operator")]
    pub reason: Reason,
    /// Also one that the network has accepted, or called a duplicate
    #[arg(long)]
    pub force: bool,
    /// With a filter: also what somebody decided, rejected or cancelled or refused or held it, by hand or by a rule of `held`
    #[arg(long)]
    pub decided: bool,
}

/// Which postbacks, where no reason needs to be given.
#[derive(Clone, Debug, clap::Args)]
pub struct Freely {
    /// Which, and by whom.
    #[command(flatten)]
    pub targets: Targets,
    /// Why, kept in the order's history
    #[arg(long, default_value = "by the operator")]
    pub reason: Reason,
}

/// Which postbacks, where money is at stake.
#[derive(Clone, Debug, clap::Args)]
pub struct Reasoned {
    /// Which, and by whom.
    #[command(flatten)]
    pub targets: Targets,
    /// Why, kept in the order's history
    #[arg(long)]
    pub reason: Reason,
}

/// Does it.
///
/// # Errors
/// The ledger's, or the output's; a postback that is not in a state for it.
pub async fn run(
    args: &Args,
    ledger: &Ledger,
    hand: &Hand,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let order = match &args.command {
        Command::List(which) => return list(which, ledger, as_json, out).await,
        Command::Show { id } => {
            let told = ledger.postback(*id).await?;
            return if as_json {
                json(out, &told)
            } else {
                show(&told, &ledger.pauses().await?, out)
            };
        }
        Command::Export(args) => return export::postbacks(args, ledger, as_json, out).await,
        Command::Import(args) => return decisions::run(args, ledger, hand, as_json, out).await,
        Command::Resend(again) => resend(again),
        Command::Hold(freely) => freely.order(Action::Hold),
        Command::Release(freely) => freely.order(Action::Release),
        Command::Cancel(reasoned) => reasoned.order(Action::Cancel),
        Command::Accept(reasoned) => reasoned.order(Action::Accept),
        Command::Reject(reasoned) => reasoned.order(Action::Reject),
    };
    steer::run(order, ledger, hand, as_json, out).await
}

fn resend(again: &Again) -> Order<'_> {
    Order {
        targets: &again.targets,
        action: Action::Resend,
        from: match again.force {
            true => Action::Resend.states().to_vec(),
            false => Action::Resend.usual(),
        },
        reason: again.reason.clone(),
        decided: again.decided,
    }
}

impl Freely {
    fn order(&self, action: Action) -> Order<'_> {
        Order {
            targets: &self.targets,
            action,
            from: action.usual(),
            reason: self.reason.clone(),
            decided: true,
        }
    }
}

impl Reasoned {
    pub(super) fn order(&self, action: Action) -> Order<'_> {
        Order {
            targets: &self.targets,
            action,
            from: action.usual(),
            reason: self.reason.clone(),
            decided: true,
        }
    }
}

async fn list(
    which: &List,
    ledger: &Ledger,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let filter = which.filter.postbacks();
    let postbacks = ledger.postbacks(filter, which.limit).await?;
    if as_json {
        return json(out, &postbacks);
    }
    if postbacks.is_empty() {
        writeln!(out, "no postbacks")?;
        return Ok(());
    }
    table_of(&postbacks, out)
}

/// Postbacks, one a line.
pub(super) fn table_of(postbacks: &[Postback], out: &mut dyn io::Write) -> Result<(), Error> {
    let rows: Vec<_> = postbacks.iter().map(row).collect();
    table(
        out,
        ["ID", "ORDER", "TO", "AMOUNT", "STATE", "TRIES", "CAUSE"],
        &rows,
    )?;
    Ok(())
}

fn row(postback: &Postback) -> [String; 7] {
    [
        postback.id.to_string(),
        postback.order.to_string(),
        postback.destination.to_string(),
        amount(postback),
        postback.state.to_string(),
        postback.attempts.to_string(),
        postback.cause.clone().unwrap_or_default(),
    ]
}

pub(super) fn amount(postback: &Postback) -> String {
    postback
        .amount
        .map_or_else(|| "unknown".to_owned(), |amount| amount.to_string())
}

/// Writes one postback with its attempts.
pub(super) fn show(told: &Told, pauses: &[Pause], out: &mut dyn io::Write) -> Result<(), Error> {
    let postback = &told.postback;
    let Postback {
        id,
        destination,
        event,
        state,
        ..
    } = postback;
    let (order, amount) = (inert(&postback.order.to_string()), amount(postback));
    let event = inert(event);
    writeln!(
        out,
        "Postback {id}: {state}, {amount} to {destination} ({event} of order {order})"
    )?;
    if let Some(cause) = &postback.cause {
        writeln!(out, "  because  {}", inert(cause))?;
    }
    if let Some(due) = postback.due {
        writeln!(out, "  due      {due}")?;
        let paused = pauses
            .iter()
            .find(|pause| pause.destination == *destination);
        if let Some(pause) = paused {
            writeln!(out, "  paused   {}", words(pause))?;
        }
    }
    for attempt in &told.attempts {
        writeln!(out, "  attempt {} at {}", attempt.id, attempt.begun)?;
        writeln!(out, "    sent      {}", inert(&attempt.url))?;
        let Some(outcome) = &attempt.outcome else {
            writeln!(out, "    open      no answer yet")?;
            continue;
        };
        let status = outcome
            .status
            .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        writeln!(out, "    answered  {status} at {}", outcome.at)?;
        writeln!(out, "    words     {}", inert(&outcome.words))?;
        writeln!(out, "    verdict   {}", verdict(outcome.verdict))?;
    }
    Ok(())
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "accepted",
        Verdict::Duplicate => "duplicate: the network has it already",
        Verdict::Rejected => "rejected, by the network's own word",
        Verdict::NotProcessed => "not processed: it can be sent again",
        Verdict::Unclear => "unclear: it may have been counted or not",
    }
}
