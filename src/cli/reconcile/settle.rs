//! What a report answers, taken down: shown first, done with `--yes`. What it does not answer is sent again only where
//! the report would have it.

use std::io;

use serde::Serialize;

use super::Args;
use super::tell::Form;
use crate::actor::Reason;
use crate::cli::by::By;
use crate::cli::compare::{Answer, EDGE, Finding, Kind};
use crate::cli::report::Report;
use crate::cli::report::date::Span;
use crate::cli::say::{Error, json};
use crate::cli::steer::{self, Hand};
use crate::clock::Time;
use crate::ledger::{Action, Deed, Ledger};
use crate::name::NetworkName;
use crate::postback::{PostbackId, State};
use crate::steering::{self, Stop, Stopping};

/// What is to be settled.
pub(super) struct Settling<'a> {
    asked: &'a Asked,
    network: &'a NetworkName,
    /// From the report's first row to its last one.
    dates: Option<Span>,
    accept: Vec<PostbackId>,
    reject: Vec<PostbackId>,
    resend: Vec<PostbackId>,
    /// Not sent again, as the report may not cover it.
    uncovered: u64,
    /// Rows whose order nobody can name: each may be one that seems not to be there.
    nameless: u64,
}

/// What the operator asks for.
#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Asked {
    /// Take down what the report answers: what is unclear is accepted, or rejected, as the report has it
    #[arg(long)]
    pub settle: bool,
    /// Send again what is unclear and not in the report
    #[arg(long)]
    pub resend: bool,
    /// With --resend: also where rows of the report have no order id, or one that nothing is known by
    #[arg(long, requires = "resend")]
    pub force: bool,
    /// With --settle or --resend: do it. Without it what would be done is shown, and nothing is done
    #[arg(long)]
    pub yes: bool,
    /// Why, kept in the orders' history
    #[arg(long)]
    pub reason: Option<Reason>,
    /// Who says so.
    #[command(flatten)]
    pub by: By,
}

impl Asked {
    /// Whether it can be done as it is asked for.
    pub(super) fn whole(&self) -> Result<(), Error> {
        match (self.yes, self.settle || self.resend, &self.reason) {
            (true, false, _) => Err(Error::YesToWhat),
            (true, true, None) => Err(Error::NoReason),
            _ => Ok(()),
        }
    }
}

/// What was done, or would be.
#[derive(Debug, Default, Serialize)]
struct Settled {
    done: bool,
    accepted: Vec<PostbackId>,
    rejected: Vec<PostbackId>,
    resent: Vec<PostbackId>,
    uncovered: u64,
    /// Not sent again, as a row that names no order of ours may be theirs.
    withheld: u64,
    #[serde(skip)]
    nameless: u64,
    refused: Vec<String>,
    /// Why not all of it was done, where the ledger failed on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<Stopping>,
}

impl<'a> Settling<'a> {
    pub(super) fn new(args: &'a Args, report: &Report) -> Self {
        Self {
            asked: &args.asked,
            network: &args.network,
            dates: report.dates,
            accept: Vec::new(),
            reject: Vec::new(),
            resend: Vec::new(),
            uncovered: 0,
            nameless: report.nameless,
        }
    }

    /// Takes down what is asked for of a finding.
    pub(super) fn take(&mut self, finding: &Finding) {
        self.nameless += u64::from(finding.unseen);
        let Some(id) = finding.postback else { return };
        let &Asked { settle, resend, .. } = self.asked;
        match (finding.kind, finding.answer) {
            (Kind::Answered, Some(Answer::Counted)) if settle => self.accept.push(id),
            (Kind::Answered, Some(Answer::Refused)) if settle => self.reject.push(id),
            (Kind::Unanswered, _) if resend => match !finding.edge && self.covers(finding.at) {
                true => self.resend.push(id),
                false => self.uncovered += 1,
            },
            _ => {}
        }
    }

    /// Whether the report's own rows show that it would have what was entered then.
    fn covers(&self, at: Option<Time>) -> bool {
        let within =
            |dates: Span, at: Time| at >= dates.begins.plus(EDGE) && at.plus(EDGE) < dates.ends;
        at.is_some_and(|at| self.dates.is_none_or(|dates| within(dates, at)))
    }

    /// Does it, or shows it; how many are settled.
    pub(super) async fn run(
        mut self,
        ledger: &Ledger,
        hand: &Hand,
        form: Form,
        out: &mut dyn io::Write,
    ) -> Result<u64, Error> {
        let &Asked { settle, resend, .. } = self.asked;
        if !settle && !resend {
            return if form == Form::Json {
                close(out, None)
            } else {
                Ok(())
            }
            .map(|()| 0);
        }
        let asked = self.asked;
        let doubtful = self.nameless > 0 && !asked.force;
        let withheld = match doubtful {
            true => std::mem::take(&mut self.resend).len(),
            false => 0,
        };
        let nameless = self.nameless;
        let (mut settled, ended) = match asked.reason.as_ref().filter(|_| asked.yes) {
            Some(reason) => self.done(reason, ledger, hand).await,
            None => {
                let foretold = Settled {
                    accepted: self.accept,
                    rejected: self.reject,
                    resent: self.resend,
                    uncovered: self.uncovered,
                    ..Settled::default()
                };
                (foretold, Ok(()))
            }
        };
        settled.withheld = u64::try_from(withheld).unwrap_or(u64::MAX);
        settled.nameless = nameless;
        match form {
            Form::Json => close(out, Some(&settled))?,
            Form::Words | Form::Csv => settled.tell(out)?,
        }
        ended?;
        let count = [&settled.accepted, &settled.rejected, &settled.resent];
        let count = count.into_iter().map(Vec::len).sum::<usize>();
        Ok(u64::try_from(if settled.done { count } else { 0 }).unwrap_or(0))
    }

    /// What was done, which is told whatever it ended with.
    async fn done(
        self,
        reason: &Reason,
        ledger: &Ledger,
        hand: &Hand,
    ) -> (Settled, Result<(), Error>) {
        let actor = self.asked.by.actor.clone();
        let actor = actor.unwrap_or_else(|| hand.actor.clone());
        let mut settled = Settled {
            done: true,
            uncovered: self.uncovered,
            ..Settled::default()
        };
        let mut left = self.accept.len() + self.reject.len() + self.resend.len();
        let (of, mut halted, mut begun) = (left, None, Vec::new());
        for (action, ids, done) in [
            (Action::Accept, self.accept, &mut settled.accepted),
            (Action::Reject, self.reject, &mut settled.rejected),
            (Action::Resend, self.resend, &mut settled.resent),
        ] {
            let order = (action, reason.clone(), actor.clone());
            // Whatever has come of it since it was compared stands.
            let from = vec![State::Unclear];
            begun.push(action);
            let outcome = steer::all(order, (ids, from), ledger, hand).await;
            left -= outcome.count();
            done.extend(outcome.moved.iter().map(|moved| moved.postback.id));
            let words = outcome.refused.iter();
            let words = words.map(|refusal| steering::words(action, *refusal));
            settled.refused.extend(words);
            if let Some(stop) = outcome.stopped {
                let stop = Stop { left, ..stop };
                settled.stopped = Some(stop.told());
                halted = Some(steer::halted(&begun, of - left, stop));
                break;
            }
        }
        let deed = Deed {
            actor,
            verb: "reconcile",
            subject: Some(self.network.to_string()),
            reason: Some(format!("{}: {reason}", settled.counts())),
        };
        let ended = steer::record(deed, halted, ledger, hand.now).await;
        (settled, ended)
    }
}

impl Settled {
    /// `7 accepted, 1 rejected, 2 resent`.
    fn counts(&self) -> String {
        let (accepted, rejected) = (self.accepted.len(), self.rejected.len());
        let resent = self.resent.len();
        let stopped = self.stopped.as_ref();
        let left = stopped.map(|stopped| format!(", {} not come to", stopped.left));
        format!(
            "{accepted} accepted, {rejected} rejected, {resent} resent{}",
            left.unwrap_or_default()
        )
    }

    fn tell(&self, out: &mut dyn io::Write) -> Result<(), Error> {
        let counts = self.counts();
        if self.uncovered > 0 {
            writeln!(
                out,
                "{} not in the report are not sent again: they are so near the end of what it covers that another may have them.",
                self.uncovered
            )?;
        }
        if self.withheld > 0 {
            writeln!(
                out,
                "{} not in the report are not sent again: {} rows of it have no order id, or one that nothing is known by, as \
                 where a spreadsheet has rewritten it, and may be theirs. Look at these rows; --force sends all the same.",
                self.withheld, self.nameless
            )?;
        }
        for words in &self.refused {
            writeln!(out, "Not settled: {words}")?;
        }
        if !self.resent.is_empty() {
            writeln!(
                out,
                "What is sent again is paid twice if the report left it out for another reason than that it is unknown there."
            )?;
        }
        match self.done {
            true => writeln!(out, "Settled: {counts}.")?,
            false => writeln!(
                out,
                "Would be settled: {counts}. Nothing was done. With --yes and a --reason it is."
            )?,
        }
        Ok(())
    }
}

/// Ends the answer in JSON.
fn close(out: &mut dyn io::Write, settled: Option<&Settled>) -> Result<(), Error> {
    if let Some(settled) = settled {
        write!(out, ",\n\"settled\": ")?;
        json(out, settled)?;
    }
    writeln!(out, "}}")?;
    Ok(())
}
