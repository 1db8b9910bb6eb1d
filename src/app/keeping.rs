//! Keeping the ledger while it is run on: whether it may be sent by, what was seen of it, and how long orders stay in it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{error, info};

use super::reload::Reloader;
use crate::alarm::Alarm;
use crate::cause::Causes;
use crate::clock::Time;
use crate::event::{Counters, Event};
use crate::ledger::{Error, Ledger, Retiring, Unaccepted};

/// How often what was seen of the ledger is written down, where there is anything new.
const WRITING: Duration = Duration::from_secs(1);

/// So many times that, and the ledger is looked at.
const LOOKING: u32 = 5;

/// From the start to the first order that is retired, and from one round to the next.
const FIRST: Duration = Duration::from_secs(60);
const ROUND: Duration = Duration::from_secs(3600);

/// How long is listened for quiet, and how much is quiet: commits in that time.
const LISTENING: Duration = Duration::from_secs(1);
const QUIET: u64 = 5;

/// How often is listened before orders are retired in spite of the noise.
const LISTENED: usize = 10;

/// What keeps it.
pub(super) struct Keeping {
    pub(super) ledger: Ledger,
    pub(super) counters: Arc<Counters>,
    /// How long orders are kept after their last change; none: for ever.
    pub(super) keep: Option<Duration>,
}

impl Keeping {
    /// The ledger that is run on, as long as the configuration says.
    pub(super) fn of(reloader: &Reloader) -> Self {
        Self {
            ledger: reloader.ledger.clone(),
            counters: Arc::clone(&reloader.counters),
            keep: reloader.present.keep,
        }
    }

    /// Goes on until it is dropped.
    pub(super) async fn run(self) {
        tokio::join!(self.watch(), self.retire());
    }

    async fn watch(&self) {
        let mut stopped = false;
        loop {
            stopped = self.look(stopped).await;
            for _ in 0..LOOKING {
                let ledger = self.ledger.clone();
                // A panic of it was told when it happened.
                drop(tokio::task::spawn_blocking(move || ledger.write_witness()).await);
                sleep(WRITING).await;
            }
        }
    }

    /// Whether nothing is sent by it now; `before` is what was found the last time.
    async fn look(&self, before: bool) -> bool {
        let now = Time::now();
        let held = match self.ledger.watch_over(now).await {
            Ok(held) => held,
            Err(fault) => {
                // While the database is away that is told elsewhere.
                tracing::debug!(error = %Causes(&fault), "the ledger does not say whether it is accepted");
                return before;
            }
        };
        let found: Vec<_> = held
            .iter()
            .map(|held| (String::new(), words(held)))
            .collect();
        let alarms = self.counters.alarms();
        alarms.found(Alarm::LedgerReplaced, &found, now);
        if before && held.is_none() {
            info!("the ledger is accepted: what is due in it is sent");
            self.ledger.due().notify_one();
        }
        held.is_some()
    }

    async fn retire(&self) {
        let Some(keep) = self.keep else { return };
        sleep(FIRST).await;
        loop {
            let retired = self.round(keep).await;
            match retired {
                Ok(0) | Err(Error::Away(_)) => {}
                Ok(orders) => info!(orders, "orders older than what is kept were retired"),
                Err(fault) => {
                    error!(error = %Causes(&fault), "orders that are too old stay in the ledger");
                }
            }
            sleep(ROUND).await;
        }
    }

    /// Every order that is old enough, a few at a time and when little else is done; how many they were.
    async fn round(&self, keep: Duration) -> Result<usize, Error> {
        let before = Time::now().minus(keep);
        let (mut all, mut next) = (0, Some(Retiring::default()));
        while let Some(from) = next {
            self.listen().await;
            let retired = self.ledger.retire(before, from).await?;
            for _ in 0..retired.orders {
                self.counters.add(Event::OrderRetired);
            }
            all += retired.orders;
            next = retired.next;
        }
        Ok(all)
    }

    async fn listen(&self) {
        for _ in 0..LISTENED {
            let before = self.ledger.commits();
            sleep(LISTENING).await;
            if self.ledger.commits().saturating_sub(before) <= QUIET {
                return;
            }
        }
    }
}

fn words(held: &Unaccepted) -> String {
    format!(
        "nothing is sent, the ledger is not accepted: {}. Orders are entered all the same. Compare with the networks what was sent, then say `refgate ledger accept --reason …`",
        held.why
    )
}
