//! One order of a list: what the ledger has of it, and how the two differ.

use super::{Agreed, Answer, Claim, Finding, Kind, Scope, Side, Take};
use crate::cli::report::{Listed, Report, Worth};
use crate::cli::say::Error;
use crate::ledger::Named;
use crate::money::{Decimal, Money};
use crate::postback::{Postback, PostbackId, State};

/// The postbacks of one listed order, by what is claimed of them.
#[derive(Default)]
pub(super) struct Ours<'a> {
    counted: Vec<&'a Postback>,
    open: Vec<&'a Postback>,
    uncounted: Vec<&'a Postback>,
}

impl<'a> Ours<'a> {
    pub(super) fn of(named: &'a Named, scope: &Scope<'_>) -> Self {
        let mut ours = Self::default();
        for postback in named.orders.iter().flat_map(|order| &order.postbacks) {
            match (scope.claim)(postback) {
                Some(Claim::Counted) => ours.counted.push(postback),
                Some(Claim::Open) => ours.open.push(postback),
                Some(Claim::Uncounted) => ours.uncounted.push(postback),
                None => {}
            }
        }
        ours
    }

    /// All of them: what one is claimed to be may change while the ledger is read.
    pub(super) fn ids(&self) -> impl Iterator<Item = PostbackId> + '_ {
        let listed = self.counted.iter().chain(&self.open).chain(&self.uncounted);
        listed.map(|postback| postback.id)
    }

    /// Those that the list's rows must be: what the network may have, or else what it should not.
    fn meant(&self) -> Vec<&'a Postback> {
        if self.counted.is_empty() && self.open.is_empty() {
            return self.uncounted.clone();
        }
        self.counted.iter().chain(&self.open).copied().collect()
    }
}

/// One order of the list.
pub(super) struct Judged<'a> {
    pub(super) id: &'a str,
    pub(super) row: &'a Listed,
    pub(super) ours: Ours<'a>,
    pub(super) scope: &'a Scope<'a>,
    pub(super) report: &'a Report,
}

impl<'a> Judged<'a> {
    pub(super) fn judge(
        &self,
        named: &Named,
        agreed: &mut Agreed,
        take: &mut Take<'_>,
    ) -> Result<(), Error> {
        let meant = self.ours.meant();
        if meant.is_empty() {
            let unseen = named.orders.is_empty() && named.known.is_empty();
            return take(Finding {
                unseen,
                ..self.finding(Kind::Unknown, None, self.known(named))
            });
        }
        if self.row.counted == 0 {
            return self.refused(agreed, take);
        }
        match self.difference(&meant) {
            Some((kind, note)) => take(self.finding(kind, meant.first().copied(), note))?,
            None if self.ours.counted.is_empty() => {}
            None => agreed.same += 1,
        }
        // Another affiliate's row says nothing of what this one is owed.
        let answers = enough(self.row.counted, &meant) && self.affiliates(&meant).is_none();
        for open in self.ours.open.iter().filter(|_| answers) {
            take(self.answered(open, Answer::Counted))?;
        }
        Ok(())
    }

    /// Every row of it says that the network does not count it.
    fn refused(&self, agreed: &mut Agreed, take: &mut Take<'_>) -> Result<(), Error> {
        for postback in &self.ours.counted {
            let note = format!("{} here, not counted there", postback.state);
            take(self.finding(Kind::Differing, Some(postback), note))?;
        }
        let answers = enough(self.row.refused, &self.ours.meant());
        for open in &self.ours.open {
            let finding = match answers {
                true => self.answered(open, Answer::Refused),
                false => {
                    let (told, rows) = (self.ours.meant().len(), self.row.refused);
                    let note =
                        format!("{told} orders here go by this id, {rows} rows there, not counted");
                    self.finding(Kind::Differing, Some(open), note)
                }
            };
            take(finding)?;
        }
        if self.ours.counted.is_empty() && self.ours.open.is_empty() {
            agreed.refused += 1;
        }
        Ok(())
    }

    fn answered(&self, open: &'a Postback, answer: Answer) -> Finding {
        let note = match answer {
            Answer::Counted => "the network counts it",
            Answer::Refused => "the network does not count it",
        };
        Finding {
            answer: Some(answer),
            ..self.finding(Kind::Answered, Some(open), note.to_owned())
        }
    }

    /// How the list has it otherwise.
    fn difference(&self, meant: &[&Postback]) -> Option<(Kind, String)> {
        let (rows, told) = (self.row.counted, meant.len());
        let (here, there) = (worth(meant), self.row.worth);
        let alike = match (here, there) {
            (Worth::Sum(here), Worth::Sum(there)) => rounded(here) == rounded(there),
            _ => false,
        };
        let more = usize::try_from(rows).map_or(true, |rows| rows > told);
        if more && !alike {
            return Some((Kind::Doubled, format!("{rows} rows there")));
        }
        let mut notes = Vec::new();
        if let [state] = self.states().as_slice() {
            notes.push(format!("{state} here, counted there"));
        }
        if usize::try_from(rows).is_ok_and(|rows| rows < told) {
            notes.push(format!(
                "{told} orders here go by this id, {rows} rows there"
            ));
        }
        if self.report.amounts && !alike {
            notes.push(match (here, there) {
                (Worth::Sum(_), Worth::Sum(_)) => "the amount".to_owned(),
                (Worth::Sum(_), _) => "the amount: unknown there".to_owned(),
                _ => "the amount: unknown here".to_owned(),
            });
        }
        if let Some((ours, theirs)) = self.affiliates(meant) {
            notes.push(format!("the affiliate: {ours} here, {theirs} there"));
        }
        (!notes.is_empty()).then(|| (Kind::Differing, notes.join("; ")))
    }

    /// Whose it is here and there, where that is not the same.
    fn affiliates<'p>(&'p self, meant: &[&'p Postback]) -> Option<(&'p str, &'p str)> {
        let [postback] = meant else { return None };
        let ours = postback.values.get(self.scope.affiliate)?;
        let theirs = self.row.affiliate.one()?;
        (ours != theirs).then_some((ours.as_str(), theirs))
    }

    /// The state of what the network should not have, if there is nothing that it should.
    fn states(&self) -> Vec<State> {
        let told = !(self.ours.counted.is_empty() && self.ours.open.is_empty());
        let uncounted = self.ours.uncounted.iter().filter(|_| !told);
        uncounted.map(|postback| postback.state).take(1).collect()
    }

    fn finding(&self, kind: Kind, postback: Option<&Postback>, note: String) -> Finding {
        let Listed {
            counted, refused, ..
        } = *self.row;
        let affiliate = self.row.affiliate.one();
        Finding {
            there: Side {
                amount: self.row.worth.money(),
                affiliate: affiliate.map(str::to_owned),
            },
            rows: counted.saturating_add(refused),
            line: Some(self.row.line),
            note,
            ..self.scope.finding(kind, self.id, postback)
        }
    }

    /// What refgate knows of an order that it told nobody of.
    fn known(&self, named: &Named) -> String {
        let orders = named.orders.iter();
        let orders = orders.map(|order| format!("{}: {}", order.standing, order.why));
        let known = named.known.iter().map(|known| {
            let (since, how) = (known.since, known.source.as_str());
            format!("known without its row since {since} ({how})")
        });
        let mut words: Vec<String> = orders.chain(known).collect();
        if words.is_empty() {
            words.push("never seen".to_owned());
        }
        if self.row.counted == 0 {
            words.push("not counted there".to_owned());
        }
        // `1.00123E+11`: what a spreadsheet makes of a long number.
        let number = self.id.split_once("E+").map(|(digits, _)| digits);
        let digits = |text: &str| {
            text.chars()
                .all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
        };
        if number.is_some_and(digits) {
            words.push("a spreadsheet has rewritten this id".to_owned());
        }
        words.join("; ")
    }
}

/// Whether there is a row for each; of fewer nobody can say whose they are.
fn enough(rows: u32, meant: &[&Postback]) -> bool {
    usize::try_from(rows).is_ok_and(|rows| rows >= meant.len())
}

/// What postbacks are worth together.
fn worth(postbacks: &[&Postback]) -> Worth {
    let mut worth = Worth::default();
    for postback in postbacks {
        worth.add(postback.amount);
    }
    worth
}

/// As it is told: finer fractions than the currency has never reach a network.
fn rounded(money: Money) -> (Decimal, String) {
    let plain = money.plain().parse();
    (plain.unwrap_or(money.amount), money.currency.to_string())
}
