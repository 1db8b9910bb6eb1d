//! What was found, in words, as CSV or as JSON. CSV and JSON have all of it, words the first of each kind.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde_json::Value;

use super::Period;
use crate::cli::compare::{Agreed, Answer, Finding, Kind, Side};
use crate::cli::report::Report;
use crate::cli::rows::{Format, Rows, money, text};
use crate::cli::say::{Error, inert, json, table};
use crate::clock::Time;
use crate::money::{Currency, Decimal};
use crate::name::NetworkName;

/// Findings of a kind that words show.
const SHOWN: usize = 20;

/// How an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Words,
    Csv,
    Json,
}

/// The findings on their way out.
pub(super) struct Telling<'a> {
    way: Way<'a>,
    form: Form,
    kinds: BTreeMap<Kind, Found>,
}

/// In words they are told at the end, else one by one.
enum Way<'a> {
    Words(&'a mut dyn io::Write),
    Rows(Rows<'a>),
}

/// Findings of one kind.
#[derive(Debug, Default, Serialize)]
struct Found {
    count: u64,
    /// What they are worth: as the ledger has it, or else as the report has it.
    worth: BTreeMap<Currency, Decimal>,
    #[serde(skip)]
    first: Vec<Finding>,
}

/// All of it together.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    network: &'a NetworkName,
    since: Option<String>,
    until: String,
    /// Rows of the report that have an order's id.
    rows: u64,
    without_id: u64,
    orders: usize,
    #[serde(flatten)]
    agreed: Agreed,
    findings: &'a BTreeMap<Kind, Found>,
}

impl<'a> Telling<'a> {
    pub(super) fn begin(form: Form, out: &'a mut dyn io::Write) -> Result<Self, Error> {
        let way = match form {
            Form::Words => Way::Words(out),
            Form::Csv => Way::Rows(Rows::begin(out, Format::Csv, &HEAD)?),
            Form::Json => {
                write!(out, "{{\"findings\": ")?;
                Way::Rows(Rows::begin(out, Format::Json, &HEAD)?)
            }
        };
        Ok(Self {
            way,
            form,
            kinds: BTreeMap::new(),
        })
    }

    pub(super) fn take(&mut self, finding: Finding) -> Result<(), Error> {
        if let Way::Rows(rows) = &mut self.way {
            rows.row(&cells(&finding))?;
        }
        self.kinds.entry(finding.kind).or_default().add(finding);
        Ok(())
    }

    /// Ends the findings; how many they are.
    pub(super) fn end(
        self,
        report: &Report,
        (network, period): (&NetworkName, Period),
        agreed: Agreed,
    ) -> Result<u64, Error> {
        let count = self.kinds.values().map(|found| found.count).sum();
        let summary = Summary {
            network,
            since: period.since.as_ref().map(Time::to_string),
            until: period.until.to_string(),
            rows: report.rows,
            without_id: report.without_id,
            orders: report.orders.len(),
            agreed,
            findings: &self.kinds,
        };
        match self.way {
            Way::Words(out) => summary.tell(report, out)?,
            Way::Rows(rows) => {
                let out = rows.end()?;
                if self.form == Form::Json {
                    write!(out, ",\n\"summary\": ")?;
                    json(out, &summary)?;
                }
            }
        }
        Ok(count)
    }
}

impl Found {
    fn add(&mut self, finding: Finding) {
        self.count += 1;
        if let Some(money) = finding.here.amount.or(finding.there.amount) {
            let worth = self.worth.entry(money.currency).or_default();
            *worth = worth.saturating_add(money.amount);
        }
        if self.first.len() < SHOWN {
            self.first.push(finding);
        }
    }

    /// `2 missing, 55.00 USD: …`
    fn tell(&self, kind: Kind, out: &mut dyn io::Write) -> Result<(), Error> {
        let (word, meaning) = words(kind);
        let worth = self.worth.iter();
        let worth: String = worth
            .map(|(currency, sum)| format!(", {sum} {currency}"))
            .collect();
        writeln!(out, "\n{} {word}{worth}: {meaning}", self.count)?;
        let rows: Vec<_> = self.first.iter().map(row).collect();
        table(
            out,
            ["ORDER", "POSTBACK", "STATE", "HERE", "THERE", "LINE", ""],
            &rows,
        )?;
        let more = self
            .count
            .saturating_sub(u64::try_from(rows.len()).unwrap_or(u64::MAX));
        if more > 0 {
            writeln!(out, "and {more} more: --csv and --json have all of them")?;
        }
        Ok(())
    }
}

impl Summary<'_> {
    fn tell(&self, report: &Report, out: &mut dyn io::Write) -> Result<(), Error> {
        let Self {
            network,
            until,
            rows,
            orders,
            ..
        } = self;
        let since = self.since.as_ref().map(|since| format!("from {since} "));
        let since = since.unwrap_or_default();
        writeln!(
            out,
            "{network}, {since}to {until}: {orders} orders in {rows} rows of the report"
        )?;
        if self.without_id > 0 {
            writeln!(out, "{} rows of it have no order id", self.without_id)?;
        }
        for (has, what) in [
            (report.amounts, "amounts"),
            (report.affiliates, "affiliates"),
        ] {
            if !has {
                writeln!(out, "it has no {what}: these are not compared")?;
            }
        }
        let Agreed { same, refused } = self.agreed;
        writeln!(out, "{same} the same, {refused} counted by neither")?;
        for (kind, found) in self.findings {
            found.tell(*kind, out)?;
        }
        Ok(())
    }
}

const fn words(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Missing => (
            "missing",
            "the network answered that it has them, and the report has not",
        ),
        Kind::Doubled => (
            "doubled",
            "the report has more rows than there are orders: paid twice",
        ),
        Kind::Unknown => (
            "unknown",
            "the report has them, and refgate told nobody of them",
        ),
        Kind::Differing => ("differing", "the report has them otherwise"),
        Kind::Answered => (
            "answered",
            "unclear here, and the report says what became of them (--settle)",
        ),
        Kind::Unanswered => (
            "unanswered",
            "unclear here, and not in the report (--resend)",
        ),
    }
}

fn row(finding: &Finding) -> [String; 7] {
    [
        finding.order.clone(),
        finding
            .postback
            .map_or_else(String::new, |id| id.to_string()),
        finding
            .state
            .map_or_else(String::new, |state| state.to_string()),
        side(&finding.here),
        side(&finding.there),
        finding
            .line
            .map_or_else(String::new, |line| line.to_string()),
        inert(&finding.note),
    ]
}

fn side(side: &Side) -> String {
    side.amount
        .map_or_else(String::new, |money| money.to_string())
}

const HEAD: [&str; 16] = [
    "kind",
    "order",
    "postback",
    "state",
    "entered",
    "here_amount",
    "here_currency",
    "here_affiliate",
    "there_amount",
    "there_currency",
    "there_affiliate",
    "rows",
    "line",
    "answer",
    "edge",
    "note",
];

/// What stands under [`HEAD`].
fn cells(finding: &Finding) -> [Value; 16] {
    let [here, here_currency] = money(finding.here.amount);
    let [there, there_currency] = money(finding.there.amount);
    let answer = finding.answer.map(|answer| match answer {
        Answer::Counted => "counted",
        Answer::Refused => "refused",
    });
    [
        text(Some(words(finding.kind).0)),
        text(Some(&finding.order)),
        finding.postback.into(),
        text(finding.state),
        text(finding.at),
        here,
        here_currency,
        text(finding.here.affiliate.as_ref()),
        there,
        there_currency,
        text(finding.there.affiliate.as_ref()),
        finding.rows.into(),
        finding.line.into(),
        text(answer),
        finding.edge.into(),
        text(Some(&finding.note)),
    ]
}
