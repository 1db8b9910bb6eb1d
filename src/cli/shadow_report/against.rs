//! What a network in shadow would have been told, against what it counted itself.

use serde::Serialize;

use crate::cli::compare::{Claim, Finding, Kind, Scope, compare};
use crate::cli::report::Report;
use crate::cli::say::Error;
use crate::clock::Time;
use crate::ledger::Ledger;
use crate::money::Decimal;
use crate::name::NetworkName;
use crate::order::Doubt;
use crate::postback::{Postback, State};

/// Ours against theirs.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Orders that both have, at the same amount.
    pub same: u64,
    /// Orders that the network did not count.
    pub only_refgate: Vec<Ours>,
    /// Orders that the network counted and refgate would not have told.
    pub only_network: Vec<Theirs>,
    /// Orders that both have, and not alike.
    pub differing: Vec<Differs>,
    /// Rows of the file without an order id.
    pub without_id: u64,
}

/// One that only refgate has.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Ours {
    /// Its id.
    pub order: String,
    /// What it is worth.
    pub amount: Option<Decimal>,
}

/// One that only the network has.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Theirs {
    /// Its id there.
    pub order: String,
    /// What it counted.
    pub amount: Option<Decimal>,
    /// What refgate knows of an order with that id.
    pub known: String,
}

/// One that is told differently.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Differs {
    /// Its id.
    pub order: String,
    /// Ours.
    pub here: Option<Decimal>,
    /// Theirs, all rows together.
    pub there: Option<Decimal>,
    /// Of how many rows.
    pub times: u32,
    /// What differs.
    pub note: String,
}

/// Whether only the shadow keeps it from being sent.
pub(super) fn is_shadowed(postback: &Postback) -> bool {
    postback.doubt == Some(Doubt::Shadow)
}

impl Comparison {
    /// Compares with what was entered in that time.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn of(
        report: &Report,
        network: &NetworkName,
        (since, until): (Option<Time>, Option<Time>),
        affiliate: &str,
        ledger: &Ledger,
    ) -> Result<Self, Error> {
        let scope = Scope {
            network,
            since,
            until,
            affiliate,
            states: &[State::Held],
            claim: |postback| is_shadowed(postback).then_some(Claim::Counted),
        };
        let mut comparison = Self {
            without_id: report.without_id,
            ..Self::default()
        };
        let mut take = |finding| {
            comparison.take(finding);
            Ok(())
        };
        comparison.same = compare(report, &scope, ledger, &mut take).await?.same;
        Ok(comparison)
    }

    fn take(&mut self, finding: Finding) {
        let here = finding.here.amount.map(|money| money.amount);
        let there = finding.there.amount.map(|money| money.amount);
        let (order, note) = (finding.order, finding.note);
        match finding.kind {
            Kind::Missing => self.only_refgate.push(Ours {
                order,
                amount: here,
            }),
            Kind::Unknown => self.only_network.push(Theirs {
                order,
                amount: there,
                known: note,
            }),
            Kind::Doubled | Kind::Differing => self.differing.push(Differs {
                order,
                here,
                there,
                times: finding.rows,
                note,
            }),
            // Nothing was sent, so nothing is unclear.
            Kind::Answered | Kind::Unanswered => {}
        }
    }
}
