//! `refgate postbacks`: list them, show one, send one again.

use std::io;

use super::pause::words;
use super::say::{Error, inert, json, table};
use crate::clock::Time;
use crate::ledger::{self, Ledger, Pause, PostbackFilter, Resend, Told};
use crate::name::NetworkName;
use crate::postback::{Postback, PostbackId, State, Verdict};

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
    /// Send one again: the network may count and pay it twice
    ///
    /// For a postback that is unclear, rejected, dead or held. Ask the network first whether it has
    /// the conversion, unless it is known to deduplicate by order.
    Resend(Again),
}

/// Which postbacks to list.
#[derive(Clone, Debug, clap::Args)]
pub struct List {
    /// Only in this state: due, sending, accepted, duplicate, rejected, unclear, dead, held
    #[arg(long, value_parser = state)]
    pub state: Option<State>,
    /// Only to this network
    #[arg(long)]
    pub destination: Option<NetworkName>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
}

/// Which postback to send again.
#[derive(Clone, Debug, clap::Args)]
pub struct Again {
    /// The postback's number
    pub id: PostbackId,
    /// Why, kept in the order's history
    #[arg(long, default_value = "resent by the operator")]
    pub reason: String,
    /// Also one that the network has accepted, or called a duplicate
    #[arg(long)]
    pub force: bool,
}

fn state(word: &str) -> Result<State, String> {
    State::from_word(word).ok_or_else(|| {
        let words: Vec<_> = State::ALL.iter().map(|state| state.as_str()).collect();
        format!("one of {}", words.join(", "))
    })
}

/// Does it.
///
/// # Errors
/// The ledger's, or the output's; a state from which nothing is sent again.
pub async fn run(
    args: &Args,
    ledger: &Ledger,
    now: Time,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    match &args.command {
        Command::List(which) => list(which, ledger, as_json, out).await,
        Command::Show { id } => {
            let told = ledger.postback(*id).await?;
            if as_json {
                json(out, &told)
            } else {
                show(&told, &ledger.pauses().await?, out)
            }
        }
        Command::Resend(again) => resend(again, ledger, now, as_json, out).await,
    }
}

async fn list(
    which: &List,
    ledger: &Ledger,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let filter = PostbackFilter {
        state: which.state,
        destination: which.destination.clone(),
    };
    let postbacks = ledger.postbacks(filter, which.limit).await?;
    if as_json {
        return json(out, &postbacks);
    }
    if postbacks.is_empty() {
        writeln!(out, "no postbacks")?;
        return Ok(());
    }
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

fn amount(postback: &Postback) -> String {
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

async fn resend(
    again: &Again,
    ledger: &Ledger,
    now: Time,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let before = ledger.postback(again.id).await?.postback;
    let mut from = vec![State::Unclear, State::Rejected, State::Dead, State::Held];
    if again.force {
        from.extend([State::Accepted, State::Duplicate]);
    }
    let resend = Resend {
        postback: again.id,
        from,
        reason: again.reason.clone(),
    };
    let after = ledger.resend(resend, now).await.map_err(refused)?;
    if as_json {
        return json(out, &after);
    }
    let id = again.id;
    writeln!(out, "Postback {id} was {}, and is due now.", before.state)?;
    writeln!(out, "{}", danger(before.state))?;
    Ok(())
}

fn refused(error: ledger::Error) -> Error {
    let ledger::Error::NotPossible { id, state } = error else {
        return error.into();
    };
    let hint = match state {
        State::Accepted | State::Duplicate => {
            "the network has it; --force sends it again, and it may be paid twice"
        }
        State::Due => "it will be sent by itself",
        _ => "its answer is awaited",
    };
    Error::NotResent { id, state, hint }
}

const fn danger(was: State) -> &'static str {
    match was {
        State::Unclear => {
            "Nobody knows whether the network counted it before: it may now be counted and paid twice."
        }
        State::Rejected => "The network refused it before, and may do so again.",
        State::Held => {
            "It was held for a reason: what is sent now is what `refgate explain` shows."
        }
        State::Accepted | State::Duplicate => {
            "The network had it: if it does not deduplicate, it is now paid twice."
        }
        State::Due | State::Sending | State::Dead => {
            "It was given up before; should an attempt have been counted after all, it is now paid twice."
        }
    }
}
