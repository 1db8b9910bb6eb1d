//! The ledger's database, where it is one that can go away: the operator is told.

use std::sync::Arc;

use tracing::info;

use crate::alarm::Alarm;
use crate::cause::Causes;
use crate::clock::Time;
use crate::event::{Counters, Event};
use crate::ledger::Ledger;

/// Tells when the database goes away, and when it is back. Done where there is none.
pub(super) async fn watch(ledger: Ledger, counters: Arc<Counters>) {
    let Some(mut away) = ledger.away() else {
        return;
    };
    loop {
        let Ok(why) = away.wait_for(Option::is_some).await else {
            return;
        };
        let cause = why
            .as_ref()
            .map_or_else(String::new, |error| Causes(error).to_string());
        drop(why);
        counters.add(Event::LedgerAway);
        let words = format!(
            "the ledger's database is away: orders go into the spool, no postback is sent; shoppers are served: {cause}"
        );
        let alarms = counters.alarms();
        alarms.raise(Alarm::LedgerFails, "", &words, Time::now());
        if away.wait_for(Option::is_none).await.is_err() {
            return;
        }
        alarms.clear(Alarm::LedgerFails, "", Time::now());
        info!("the ledger's database is back: what the spool holds is entered");
    }
}
