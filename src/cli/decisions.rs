//! `refgate postbacks import`: decisions on postbacks from a file.
//!
//! It is as `refgate postbacks export` writes it and somebody has filled it in, or any list of orders. Every line is
//! done, or named with why not; first it is only shown.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

use super::by::By;
use super::rows::Format;
use super::say::{Error, inert, json};
use super::steer::{self, Hand};
use crate::actor::{Actor, Reason};
use crate::ledger::{Action, Deed, Ledger, Refusal};
use crate::money::Money;
use crate::name::NetworkName;
use crate::postback::{PostbackId, State};
use crate::steering::{self, Stop, Stopping};
use read::Line;
use resolve::{Ready, Resolving};

mod read;
mod resolve;

pub use read::Fault;

/// Most decisions of one file.
pub const DECISIONS: usize = 100_000;

/// Lines that are told of those that were not applied.
const SHOWN: usize = 100;

/// Which file, and what it leaves open.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The file, with columns `id` or `order`, and `action`; further ones are `reason`, `destination`, `namespace`, `state`
    pub file: PathBuf,
    /// How it is written [default: what it begins with shows]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// What is done where a line says nothing: resend, hold, release, cancel, accept, refuse or reject
    #[arg(long, value_parser = action)]
    pub action: Option<Action>,
    /// Why, where a line says nothing; kept in the order's history
    #[arg(long)]
    pub reason: Option<Reason>,
    /// To which network or webhook, where a line has an order's id and says nothing of it
    #[arg(long)]
    pub destination: Option<NetworkName>,
    /// Do it. Without it what would be done is shown, and nothing is done
    #[arg(long)]
    pub yes: bool,
    /// Who says so.
    #[command(flatten)]
    pub by: By,
}

/// What was done, or would be.
#[derive(Debug, Default, Serialize)]
struct Report {
    done: bool,
    actions: Vec<Group>,
    refused: Vec<Refused>,
    /// Lines that ask for nothing.
    without_action: u64,
    /// Why not all of it was done, where the ledger failed on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<Stopping>,
    /// The decisions that it came to.
    #[serde(skip)]
    count: usize,
}

/// What is done for one reason.
#[derive(Debug, Serialize)]
struct Group {
    action: Action,
    reason: Reason,
    count: usize,
    totals: Vec<Money>,
    postbacks: Vec<PostbackId>,
}

/// A line that is not applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Refused {
    /// From 1: the line of a CSV file, the entry of a JSON array.
    line: u64,
    why: String,
}

/// Applies a file's decisions, or shows what they would do.
///
/// # Errors
/// The file cannot be read; lines of it were not applied, each being told first; the ledger's, or the output's.
pub async fn run(
    args: &Args,
    ledger: &Ledger,
    hand: &Hand,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let mut lines = Lines::default();
    read::read(args, &mut |line| lines.take(line)).map_err(|source| Error::Decisions {
        path: args.file.clone(),
        source,
    })?;
    let of = lines.decisions.len() + lines.refused.len();
    let mut resolving = Resolving::new(ledger, lines.refused);
    for some in lines.decisions.chunks(resolve::TOGETHER) {
        resolving.take(some).await?;
    }
    let (ready, refused) = resolving.end();
    let mut report = Report {
        done: args.yes,
        refused,
        without_action: lines.without_action,
        ..Report::default()
    };
    let actor = args.by.actor.clone();
    let actor = actor.unwrap_or_else(|| hand.actor.clone());
    let halted = report
        .apply_all(ready, (args.yes, &actor), ledger, hand)
        .await;
    report.refused.sort_by_key(|refused| refused.line);
    let mut ended = Ok(());
    if args.yes {
        let deed = Deed {
            actor,
            verb: "import-postbacks",
            subject: args
                .file
                .file_name()
                .map(|name| name.to_string_lossy().into_owned()),
            reason: Some(report.counts()),
        };
        ended = steer::record(deed, halted, ledger, hand.now).await;
    }
    match as_json {
        true => json(out, &report)?,
        false => report.tell(unit(args), out)?,
    }
    ended?;
    match report.refused.len() {
        0 => Ok(()),
        refused => {
            let words = format!("not applied: {refused} of {of} decisions");
            Err(Error::NotSteered(words))
        }
    }
}

/// An action by its word, or by what it makes of a postback: `reject`, `rejected`.
fn action(word: &str) -> Result<Action, String> {
    let verb = |action: &Action| {
        let verb = serde_json::to_value(action);
        verb.is_ok_and(|verb| verb.as_str() == Some(word))
    };
    let mut actions = Action::ALL.into_iter();
    let found = actions.find(|action| verb(action) || action.done() == word);
    found.ok_or_else(|| "one of resend, hold, release, cancel, accept, refuse, reject".to_owned())
}

/// What a file asks for.
#[derive(Debug, Default)]
struct Lines {
    decisions: Vec<read::Decision>,
    refused: Vec<Refused>,
    without_action: u64,
}

impl Lines {
    fn take(&mut self, line: Line) -> Result<(), Fault> {
        match line {
            Line::Decision(decision) => self.decisions.push(decision),
            Line::Bad(line, why) => self.refused.push(Refused { line, why }),
            Line::Nothing => self.without_action += 1,
        }
        match self.decisions.len() + self.refused.len() > DECISIONS {
            true => Err(Fault::TooMany),
            false => Ok(()),
        }
    }
}

/// Those that are done for one reason together, in the order of the file.
fn grouped(ready: Vec<Ready>) -> Vec<(Action, Reason, Vec<Ready>)> {
    let mut places = HashMap::new();
    let mut groups: Vec<(Action, Reason, Vec<Ready>)> = Vec::new();
    for one in ready {
        let key = (one.action, one.reason.clone());
        let place = *places.entry(key).or_insert_with(|| {
            groups.push((one.action, one.reason.clone(), Vec::new()));
            groups.len() - 1
        });
        if let Some((_, _, group)) = groups.get_mut(place) {
            group.push(one);
        }
    }
    groups
}

/// Those that were found in each state.
fn stood<'a>(ready: impl Iterator<Item = &'a Ready>) -> HashMap<State, Vec<PostbackId>> {
    let mut stood: HashMap<State, Vec<PostbackId>> = HashMap::new();
    for one in ready {
        stood.entry(one.state).or_default().push(one.id);
    }
    stood
}

impl Report {
    /// Does what is asked for, if it is to be done; what it ends with, where the ledger failed on the way.
    async fn apply_all(
        &mut self,
        ready: Vec<Ready>,
        who: (bool, &Actor),
        ledger: &Ledger,
        hand: &Hand,
    ) -> Option<Error> {
        let (of, mut begun) = (ready.len(), Vec::new());
        for group in grouped(ready) {
            begun.push(group.0);
            if let Some(stop) = self.apply(group, who, ledger, hand).await {
                let stop = Stop {
                    left: of - self.count,
                    ..stop
                };
                self.stopped = Some(stop.told());
                return Some(steer::halted(&begun, self.count, stop));
            }
        }
        None
    }

    /// Does what one group asks for, if it is to be done.
    async fn apply(
        &mut self,
        (action, reason, ready): (Action, Reason, Vec<Ready>),
        (yes, actor): (bool, &Actor),
        ledger: &Ledger,
        hand: &Hand,
    ) -> Option<Stop> {
        let lines: HashMap<PostbackId, Ready> =
            ready.into_iter().map(|one| (one.id, one)).collect();
        let (mut postbacks, mut stopped) = (Vec::new(), None);
        if yes {
            for (state, ids) in stood(lines.values()) {
                let order = (action, reason.clone(), actor.clone());
                let outcome = steer::all(order, (ids, vec![state]), ledger, hand).await;
                self.count += outcome.count();
                postbacks.extend(outcome.moved.iter().map(|moved| moved.postback.id));
                for refusal in outcome.refused {
                    let line = lines.get(&refusal.id()).map_or(0, |one| one.line);
                    let why = match refusal {
                        Refusal::State { id, state: now } => format!(
                            "postback {id} was {state} when it was looked up, and is {now} now"
                        ),
                        refusal => steering::words(action, refusal),
                    };
                    self.refused.push(Refused { line, why });
                }
                stopped = outcome.stopped;
                if stopped.is_some() {
                    break;
                }
            }
        } else {
            postbacks.extend(lines.keys());
        }
        postbacks.sort_unstable();
        let amounts = postbacks.iter().map(|id| lines.get(id)?.amount);
        self.actions.push(Group {
            action,
            reason,
            count: postbacks.len(),
            totals: steering::totals(amounts),
            postbacks,
        });
        stopped
    }

    /// `3 accepted, 1 cancelled`.
    fn counts(&self) -> String {
        let mut counts: Vec<String> = Vec::new();
        for action in Action::ALL {
            let groups = self.actions.iter().filter(|group| group.action == action);
            let count: usize = groups.map(|group| group.count).sum();
            if count > 0 {
                counts.push(format!("{count} {}", action.done()));
            }
        }
        if let Some(stopped) = &self.stopped {
            counts.push(format!("{} not come to", stopped.left));
        }
        match counts.as_slice() {
            [] => "nothing".to_owned(),
            counts => counts.join(", "),
        }
    }

    fn tell(&self, unit: &str, out: &mut dyn io::Write) -> Result<(), Error> {
        for Refused { line, why } in self.refused.iter().take(SHOWN) {
            writeln!(out, "{unit} {line}: {}", inert(why))?;
        }
        if self.refused.len() > SHOWN {
            let more = self.refused.len() - SHOWN;
            writeln!(out, "and {more} more: --json has all of them")?;
        }
        for group in &self.actions {
            let Group { action, reason, .. } = group;
            let would = if self.done { "" } else { "would be " };
            let (many, done) = (steer::many(group.count), action.done());
            let totals: Vec<String> = group.totals.iter().map(Money::to_string).collect();
            let (reason, totals) = (inert(reason.as_str()), totals.join(", "));
            let between = if totals.is_empty() { "" } else { ": " };
            writeln!(out, "{many} {would}{done} ({reason}){between}{totals}")?;
        }
        if self
            .actions
            .iter()
            .any(|group| group.action == Action::Resend)
        {
            writeln!(
                out,
                "What the network has after all is paid twice when it is sent again."
            )?;
        }
        if self.without_action > 0 {
            writeln!(out, "{} lines ask for nothing", self.without_action)?;
        }
        if !self.done {
            writeln!(out, "Nothing was done. With --yes it is.")?;
        }
        Ok(())
    }
}

fn unit(args: &Args) -> &'static str {
    match read::format(args) {
        Ok(Format::Json) => "entry",
        Ok(Format::Csv) | Err(_) => "line",
    }
}
