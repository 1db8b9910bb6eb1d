//! What the ledger says that a network has, against what the network lists: order by order, by the ids of the list
//! first, then what the list leaves out. The one comparison, whoever asks for it.
//!
//! The ledger is read in pages beside its writer, and what is found is handed on at once: of the ledger's side only
//! the numbers of the postbacks that the list has are kept.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;

use super::report::Report;
use super::say::Error;
use crate::clock::Time;
use crate::ledger::{IDS, LIST, Ledger, PostbackFilter};
use crate::name::NetworkName;
use crate::postback::{Postback, PostbackId, State};
use judged::{Judged, Ours};

pub use finding::{Answer, Finding, Kind, Side};

mod finding;
mod judged;

/// How far a network's days may be from ours: time zones, and postbacks that are told later than their order.
pub const EDGE: Duration = Duration::from_secs(24 * 60 * 60);

/// What the ledger says of whether a network has a postback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It has it.
    Counted,
    /// Nobody knows.
    Open,
    /// It has it not, or does not count it.
    Uncounted,
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// With whose list.
    pub network: &'a NetworkName,
    /// Postbacks that the list should have are looked for among those entered since then …
    pub since: Option<Time>,
    /// … and before then. The list's own are looked up whenever they were entered.
    pub until: Option<Time>,
    /// The click's value that is the affiliate's id.
    pub affiliate: &'a str,
    /// In which states a postback of the ledger may be that the list should have.
    pub states: &'a [State],
    /// What is claimed of a postback; none: it is left out.
    pub claim: fn(&Postback) -> Option<Claim>,
}

/// What needs nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreed {
    /// Orders that both have alike.
    pub same: u64,
    /// Orders that the list has as not counted, and the ledger too.
    pub refused: u64,
}

/// What takes the findings.
pub type Take<'a> = dyn FnMut(Finding) -> Result<(), Error> + 'a;

/// Compares; hands on what is found.
///
/// # Errors
/// The ledger's, or of whoever takes the findings.
pub async fn compare(
    report: &Report,
    scope: &Scope<'_>,
    ledger: &Ledger,
    take: &mut Take<'_>,
) -> Result<Agreed, Error> {
    let (mut agreed, mut listed) = (Agreed::default(), HashSet::new());
    let mut orders = report.orders.iter();
    loop {
        let some: Vec<_> = orders.by_ref().take(IDS).collect();
        if some.is_empty() {
            break;
        }
        let ids = some.iter().map(|(id, _)| (**id).to_string()).collect();
        let named = ledger.named(scope.network, ids).await?;
        for ((id, row), named) in some.into_iter().zip(named) {
            let ours = Ours::of(&named, scope);
            listed.extend(ours.ids());
            let one = Judged {
                id,
                row,
                ours,
                scope,
                report,
            };
            one.judge(&named, &mut agreed, take)?;
        }
    }
    left_out(scope, ledger, &listed, take).await?;
    Ok(agreed)
}

/// What the list should have and has not.
async fn left_out(
    scope: &Scope<'_>,
    ledger: &Ledger,
    listed: &HashSet<PostbackId>,
    take: &mut Take<'_>,
) -> Result<(), Error> {
    let mut after = Some(0);
    while let Some(last) = after {
        let filter = PostbackFilter {
            states: scope.states.to_vec(),
            destination: Some(scope.network.clone()),
            since: scope.since,
            until: scope.until,
            ..PostbackFilter::default()
        };
        let page = ledger.postbacks_after(filter, last, LIST).await?;
        after = page.next;
        for postback in page.rows.iter().filter(|one| !listed.contains(&one.id)) {
            let kind = match (scope.claim)(postback) {
                Some(Claim::Counted) => Kind::Missing,
                Some(Claim::Open) => Kind::Unanswered,
                Some(Claim::Uncounted) | None => continue,
            };
            let edge = scope.at_edge(postback.at);
            let note = if edge {
                "near the end of the period"
            } else {
                ""
            };
            take(Finding {
                edge,
                note: note.to_owned(),
                ..scope.finding(kind, postback.order.id.as_str(), Some(postback))
            })?;
        }
    }
    Ok(())
}

impl Scope<'_> {
    fn at_edge(&self, at: Time) -> bool {
        let early = self.since.is_some_and(|since| at < since.plus(EDGE));
        early || self.until.is_some_and(|until| at.plus(EDGE) >= until)
    }

    fn finding(&self, kind: Kind, order: &str, postback: Option<&Postback>) -> Finding {
        let affiliate = postback.and_then(|one| one.values.get(self.affiliate));
        Finding {
            kind,
            order: order.to_owned(),
            postback: postback.map(|one| one.id),
            state: postback.map(|one| one.state),
            at: postback.map(|one| one.at),
            here: Side {
                amount: postback.and_then(|one| one.amount),
                affiliate: affiliate.cloned(),
            },
            there: Side::default(),
            rows: 0,
            line: None,
            answer: None,
            edge: false,
            unseen: false,
            note: String::new(),
        }
    }
}
