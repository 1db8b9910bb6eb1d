//! `refgate held`: the review queue, everything that waits for the operator's decision.

use std::io;
use std::time::Duration;

use serde::Serialize;

use super::explain;
use super::postbacks::{Reasoned, amount, show};
use super::say::{Error, inert, json, table};
use super::steer::{self, Hand};
use crate::clock::Time;
use crate::ledger::{Action, Ledger, Story};
use crate::order::Doubt;
use crate::postback::{Postback, PostbackId, State};
use crate::steering::which::Filter;

/// What to do with what is held.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done with what is held.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// List it, newest first: why, how old, how much, whose
    List(List),
    /// Show one: why it is held, and the whole story of its order
    Show {
        /// The postback's number
        id: PostbackId,
    },
    /// Let it go its way: the order is credited
    Release(Reasoned),
    /// Owe it to nobody: it is dead then, and the order nobody's
    Refuse(Reasoned),
}

/// Which to list.
#[derive(Clone, Debug, clap::Args)]
pub struct List {
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
}

/// One that is held, with its order.
#[derive(Debug, Serialize)]
struct Held {
    postback: Postback,
    story: Option<Story>,
}

/// Does it.
///
/// # Errors
/// The ledger's, or the output's; what is not held.
pub async fn run(
    args: &Args,
    ledger: &Ledger,
    hand: &Hand,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let order = match &args.command {
        Command::List(which) => return list(which, ledger, hand.now, (as_json, out)).await,
        Command::Show { id } => return show_one(*id, ledger, hand.now, (as_json, out)).await,
        Command::Release(reasoned) => reasoned.order(Action::Release),
        Command::Refuse(reasoned) => reasoned.order(Action::Refuse),
    };
    steer::run(order, ledger, hand, as_json, out).await
}

async fn list(
    which: &List,
    ledger: &Ledger,
    now: Time,
    (as_json, out): (bool, &mut dyn io::Write),
) -> Result<(), Error> {
    let mut filter = which.filter.postbacks();
    filter.states = vec![State::Held];
    let held = ledger.postbacks(filter, which.limit).await?;
    if as_json {
        return json(out, &held);
    }
    if held.is_empty() {
        writeln!(out, "nothing is held")?;
        return Ok(());
    }
    let rows: Vec<_> = held.iter().map(|postback| row(postback, now)).collect();
    let head = [
        "ID",
        "ORDER",
        "TO",
        "AMOUNT",
        "AFFILIATE",
        "AGE",
        "DOUBT",
        "WHY",
    ];
    table(out, head, &rows)?;
    Ok(())
}

fn row(postback: &Postback, now: Time) -> [String; 8] {
    [
        postback.id.to_string(),
        postback.order.to_string(),
        postback.destination.to_string(),
        amount(postback),
        affiliate(postback),
        age(now.since(postback.at)),
        doubt(postback.doubt),
        postback.cause.clone().unwrap_or_default(),
    ]
}

/// What the click carried: `affiliate_id=123456`.
fn affiliate(postback: &Postback) -> String {
    let values = postback.values.iter();
    let pairs: Vec<_> = values
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(" ")
}

/// Why it is held, as `--doubt` takes it. What could not be sent as it is configured has none.
fn doubt(doubt: Option<Doubt>) -> String {
    doubt.map_or_else(|| "-".to_owned(), |doubt| doubt.to_string())
}

/// In the greatest whole unit.
fn age(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

async fn show_one(
    id: PostbackId,
    ledger: &Ledger,
    now: Time,
    (as_json, out): (bool, &mut dyn io::Write),
) -> Result<(), Error> {
    let told = ledger.postback(id).await?;
    let postback = &told.postback;
    if postback.state != State::Held {
        let state = postback.state;
        return Err(Error::NotSteered(format!(
            "postback {id} is {state}, not held: `refgate postbacks show {id}` shows it"
        )));
    }
    let stories = ledger.story(postback.order.id.to_string()).await?;
    let mut same = stories.into_iter();
    let story = same.find(|story| story.order.key == postback.order);
    if as_json {
        let postback = told.postback;
        return json(out, &Held { postback, story });
    }
    let pauses = ledger.pauses().await?;
    writeln!(
        out,
        "Held for {}, {}: {}\n",
        age(now.since(postback.at)),
        doubt(postback.doubt),
        inert(postback.cause.as_deref().unwrap_or("no reason is known")),
    )?;
    match &story {
        Some(story) => explain::tell(story, &pauses, out)?,
        None => show(&told, &pauses, out)?,
    }
    writeln!(
        out,
        "\n`refgate held release {id} --reason …` sends it, `refgate held refuse {id} --reason …` does not."
    )?;
    Ok(())
}
