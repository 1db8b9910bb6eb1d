//! The ledger's database, where it is one that can go away: the operator is told.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{error, info};

use crate::cause::Causes;
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
        error!(
            cause,
            "the ledger's database is away: orders go into the spool, no postback is sent; shoppers are served"
        );
        let since = Instant::now();
        if away.wait_for(Option::is_none).await.is_err() {
            return;
        }
        let seconds = since.elapsed().as_secs();
        info!(
            seconds,
            "the ledger's database is back: what the spool holds is entered"
        );
    }
}
