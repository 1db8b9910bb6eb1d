//! The ledger's database, or file, while it is away: the operator is told.

use std::sync::Arc;

use tokio::sync::watch::Receiver;
use tracing::{info, warn};

use crate::alarm::{Alarm, Alarms};
use crate::cause::Causes;
use crate::clock::Time;
use crate::event::{Counters, Event};
use crate::ledger::{Error, Ledger};

/// Tells when it goes away, and when it is back.
pub(super) async fn watch(ledger: Ledger, counters: Arc<Counters>) {
    let mut away = ledger.away();
    while away.wait_for(Option::is_some).await.is_ok() {
        counters.add(Event::LedgerAway);
        if !is_back(&mut away, counters.alarms()).await {
            return;
        }
        counters.alarms().clear(Alarm::LedgerFails, "", Time::now());
        info!("the ledger's database is back: what the spool holds is entered");
    }
}

/// Waits until it is back, and tells each cause meanwhile: what was locked may be found to be of no use. False: nobody
/// will say that it is back.
async fn is_back(away: &mut Receiver<Option<Error>>, alarms: &Alarms) -> bool {
    let mut told = None;
    loop {
        let cause = away
            .borrow_and_update()
            .as_ref()
            .map(|error| Causes(error).to_string());
        let Some(cause) = cause else { return true };
        if told.as_ref() != Some(&cause) {
            let words = format!(
                "the ledger's database is away: orders go into the spool, no postback is sent; shoppers are served: {cause}"
            );
            alarms.raise(Alarm::LedgerFails, "", &words, Time::now());
            if told.replace(cause.clone()).is_some() {
                warn!(cause, "the ledger's database is still away");
            }
        }
        if away.changed().await.is_err() {
            return false;
        }
    }
}
