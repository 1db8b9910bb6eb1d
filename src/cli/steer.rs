//! Steering from the command line: which postbacks, why and by whom; in bulk shown first, done with `--yes`.

use std::io;

use super::Environment;
use super::by::By;
use super::postbacks::table_of;
use super::say::{Error, json};
use crate::actor::{Actor, Reason};
use crate::clock::Time;
use crate::ledger::{
    Action, Deed, Follows, LIST, Ledger, Moved, PostbackFilter, Refusal, Steer, Which,
};
use crate::money::Money;
use crate::postback::{Postback, PostbackId, State};
use crate::steering::which::Filter;
use crate::steering::{self, Outcome, Report, Stop, totals, words};

/// Postbacks shown of many.
const SHOWN: usize = 20;

/// Whose hand it is, and when.
#[derive(Clone, Debug)]
pub struct Hand {
    /// Who is recorded, unless `--actor` names another.
    pub actor: Actor,
    /// The time.
    pub now: Time,
    /// What follows of it by the configuration.
    pub follows: Follows,
}

impl Hand {
    /// Whoever called this command, now.
    pub fn of(env: Environment<'_>) -> Self {
        Self {
            actor: By::default().name(env),
            now: Time::now(),
            follows: Follows::default(),
        }
    }
}

/// Which postbacks, and by whom.
#[derive(Clone, Debug, clap::Args)]
pub struct Targets {
    /// The postbacks' numbers; or a filter, which needs --yes
    pub ids: Vec<PostbackId>,
    /// A filter in place of numbers.
    #[command(flatten)]
    pub filter: Filter,
    /// With a filter: do it. Without it what would be done is shown, and nothing is done
    #[arg(long)]
    pub yes: bool,
    /// Who says so.
    #[command(flatten)]
    pub by: By,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) struct Order<'a> {
    pub(super) targets: &'a Targets,
    pub(super) action: Action,
    pub(super) from: Vec<State>,
    pub(super) reason: Reason,
    /// Whether a filter means what somebody decided too.
    pub(super) decided: bool,
}

/// Does it, or shows it.
pub(super) async fn run(
    order: Order<'_>,
    ledger: &Ledger,
    hand: &Hand,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let targets = order.targets;
    let which = match (targets.ids.as_slice(), targets.filter.is_empty()) {
        ([], true) => return Err(Error::WhichPostbacks),
        ([], false) => Which::All(order.filter()),
        (ids, true) => Which::These(ids.to_vec()),
        (_, false) => return Err(Error::NumbersAndFilter),
    };
    let left_out = match &which {
        Which::All(filter) => steering::left_out(filter, &order.from, ledger).await?,
        Which::These(_) => 0,
    };
    if let Which::All(_) = &which
        && !targets.yes
    {
        return foretell(&order, (ledger, left_out), as_json, out).await;
    }
    let steer = Steer {
        which,
        action: order.action,
        from: order.from,
        reason: order.reason,
        actor: targets
            .by
            .actor
            .clone()
            .unwrap_or_else(|| hand.actor.clone()),
        follows: hand.follows.clone(),
    };
    let action = steer.action;
    let done = Outcome::of(ledger.steer(steer, hand.now).await).begun()?;
    if as_json {
        let report = Report::of(action, &done);
        json(out, &Report { left_out, ..report })?;
    } else {
        tell(action, &done.moved, hand.now, out)?;
        tell_left_out(left_out, out)?;
    }
    settle(action, done, (as_json, out))
}

impl Order<'_> {
    /// What its filter means.
    fn filter(&self) -> PostbackFilter {
        PostbackFilter {
            decided: (!self.decided).then_some(false),
            ..self.targets.filter.postbacks()
        }
    }
}

/// Does it with these, where they still stand in such a state; what moved, and what did not.
pub(super) async fn all(
    (action, reason, actor): (Action, Reason, Actor),
    (ids, from): (Vec<PostbackId>, Vec<State>),
    ledger: &Ledger,
    hand: &Hand,
) -> Outcome {
    let steer = Steer {
        which: Which::These(ids),
        action,
        from,
        reason,
        actor,
        follows: hand.follows.clone(),
    };
    Outcome::of(ledger.steer(steer, hand.now).await)
}

/// What would be done, by a filter.
async fn foretell(
    order: &Order<'_>,
    (ledger, left_out): (&Ledger, usize),
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let found = steering::meant(order.filter(), &order.from, ledger).await?;
    let action = order.action;
    let unknown = found.iter().filter(|postback| postback.amount.is_none());
    let unknown = unknown.count();
    let (due, count) = (action.becomes() == State::Due, found.len());
    if as_json {
        let report = Report::foretold(action, found);
        return json(out, &Report { left_out, ..report });
    }
    let sum = sum(found.iter());
    let most = if count == LIST {
        ", the most at once"
    } else {
        ""
    };
    let done = action.done();
    writeln!(out, "{} would be {done}{most}{sum}", many(count))?;
    if count > 0 {
        table_of(found.get(..SHOWN.min(count)).unwrap_or(&found), out)?;
    }
    if count > SHOWN {
        writeln!(out, "and {} more", count - SHOWN)?;
    }
    if due && unknown > 0 {
        writeln!(out, "{unknown} of them cannot be: their amount is unknown")?;
    }
    tell_left_out(left_out, out)?;
    writeln!(out, "Nothing was done. With --yes it is.")?;
    Ok(())
}

fn tell_left_out(count: usize, out: &mut dyn io::Write) -> Result<(), Error> {
    if count > 0 {
        writeln!(
            out,
            "{} left out, on which somebody decided: rejected, cancelled, refused or held by hand, or by a rule of `held`. --decided takes them too.",
            many(count)
        )?;
    }
    Ok(())
}

fn tell(action: Action, moved: &[Moved], now: Time, out: &mut dyn io::Write) -> Result<(), Error> {
    for Moved { was, postback } in moved.iter().take(SHOWN) {
        let id = postback.id;
        let state = postback.state;
        match postback.due.filter(|due| *due > now) {
            Some(due) => writeln!(
                out,
                "Postback {id} was {was}, and is due at {due}, as `send_after` says."
            )?,
            None => writeln!(out, "Postback {id} was {was}, and is {state} now.")?,
        }
    }
    if moved.len() > SHOWN {
        writeln!(out, "and {} more", moved.len() - SHOWN)?;
    }
    if moved.len() > 1 {
        let sum = sum(moved.iter().map(|moved| &moved.postback));
        writeln!(out, "{} {}{sum}", many(moved.len()), action.done())?;
    }
    if action == Action::Resend {
        let mut told: Vec<&str> = Vec::new();
        for words in moved.iter().map(|moved| danger(moved.was)) {
            if !told.contains(&words) {
                told.push(words);
                writeln!(out, "{words}")?;
            }
        }
    }
    Ok(())
}

/// What was not done makes the command fail.
fn settle(
    action: Action,
    done: Outcome,
    (as_json, out): (bool, &mut dyn io::Write),
) -> Result<(), Error> {
    let (moved, of) = (done.moved.len(), done.count());
    match (done.refused.as_slice(), done.stopped) {
        (refused, Some(stop)) => {
            tell_refused(action, refused, (as_json, out))?;
            Err(halted(&[action], of, stop))
        }
        ([], None) if moved == 0 && !as_json => {
            writeln!(out, "no postbacks")?;
            Ok(())
        }
        ([], None) => Ok(()),
        ([one], None) if moved == 0 => Err(Error::NotSteered(words(action, *one))),
        (many, None) => {
            tell_refused(action, many, (as_json, out))?;
            let words = format!("not {}: {} of {of} postbacks", action.done(), many.len());
            Err(Error::NotSteered(words))
        }
    }
}

fn tell_refused(
    action: Action,
    refused: &[Refusal],
    (as_json, out): (bool, &mut dyn io::Write),
) -> Result<(), Error> {
    for refusal in refused.iter().filter(|_| !as_json) {
        writeln!(out, "Not {}: {}", action.done(), words(action, *refusal))?;
    }
    Ok(())
}

/// What a command ends with when the ledger failed on the way, after so many of what was to be done by these actions.
pub(super) fn halted(actions: &[Action], count: usize, stop: Stop) -> Error {
    let again = match actions.contains(&Action::Resend) {
        true => {
            "running it again does the rest; what was sent again and is unclear, rejected or dead anew would be sent once more"
        }
        false => "running it again does the rest",
    };
    Error::Halted {
        count,
        of: count + stop.left,
        again,
        source: stop.error,
    }
}

/// Keeps on record what was done by a command, halted or not; what it ends with.
pub(super) async fn record(
    deed: Deed,
    halted: Option<Error>,
    ledger: &Ledger,
    now: Time,
) -> Result<(), Error> {
    match (halted, ledger.record(deed, now).await) {
        (None, Ok(())) => Ok(()),
        (None, Err(source)) => Err(Error::Unrecorded(source)),
        // That it is not on record either has the same cause.
        (Some(halted), _) => Err(halted),
    }
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

pub(super) fn many(count: usize) -> String {
    match count {
        1 => "1 postback".to_owned(),
        count => format!("{count} postbacks"),
    }
}

/// `: 575.00 USD, 30.00 EUR`, and how many have no amount.
fn sum<'a>(postbacks: impl Iterator<Item = &'a Postback> + Clone) -> String {
    let unknown = postbacks.clone().filter(|one| one.amount.is_none());
    let unknown = unknown.count();
    let mut parts: Vec<String> = totals(postbacks.map(|one| one.amount))
        .iter()
        .map(Money::to_string)
        .collect();
    if unknown > 0 {
        parts.push(format!("{unknown} of unknown amount"));
    }
    match parts.as_slice() {
        [] => String::new(),
        parts => format!(": {}", parts.join(", ")),
    }
}
