//! The recorder: a candidate into the ledger; where that fails, into the spool;
//! where that fails too, into the log. Each step is counted and told.

use std::collections::HashSet;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{debug, error, warn};

use super::guard::Guard;
use super::returns::Returns;
use super::spool::{self, Spool};
use crate::alarm::Alarm;
use crate::cause::Causes;
use crate::clock::Time;
use crate::event::{Counters, Event};
use crate::ledger::{self, Entered, Ledger};
use crate::order::Candidate;

mod told;

use told::Words;

/// Orders under way at once; a further one goes to the log.
pub const BACKLOG: usize = 4096;

/// How long the ledger may take at least, however short the hold is: longer than a healthy
/// commit, or a short hold would send every order through the spool.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// Spool files written at once.
const SPOOLING: usize = 4;

/// How long a spool file may take before the order goes to the log too.
const SPOOL_PATIENCE: Duration = Duration::from_secs(5);

/// How often the spool is looked into while the ledger's database is here. It is a folder that is mostly empty.
const AGAIN: Duration = Duration::from_secs(5);

/// Records orders. Clones share what they count and limit.
#[derive(Clone, Debug)]
pub struct Recorder {
    ledger: Ledger,
    spool: Spool,
    hold: Duration,
    counters: Arc<Counters>,
    backlog: Arc<Semaphore>,
    spooling: Arc<Semaphore>,
    returns: Returns,
    guard: Guard,
}

/// Where an order is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// In the ledger.
    Entered(Box<Entered>),
    /// In a spool file, to be imported.
    Spooled,
    /// In the log alone.
    Logged,
}

/// Why an order is not, or not yet, in the ledger.
#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("the ledger takes longer than the page is held")]
    Slow,
    #[error("{BACKLOG} orders are under way already")]
    Backlog,
    #[error("recording it panicked")]
    Panicked,
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
}

/// Why an order is not in the spool either.
#[derive(Debug, thiserror::Error)]
enum SpoolFault {
    #[error("the spool takes longer than {SPOOL_PATIENCE:?}")]
    Slow,
    #[error("writing the spool panicked")]
    Panicked(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Spool(#[from] spool::Error),
}

impl Recorder {
    /// A recorder whose caller holds a page back for `hold` at most.
    pub fn new(ledger: Ledger, spool: Spool, hold: Duration, counters: Arc<Counters>) -> Self {
        let returns = Returns::new(ledger.clone(), Arc::clone(&counters));
        Self {
            ledger,
            spool,
            hold,
            counters,
            returns,
            guard: Guard::default(),
            backlog: Arc::new(Semaphore::new(BACKLOG)),
            spooling: Arc::new(Semaphore::new(SPOOLING)),
        }
    }

    /// The same ledger, with another spool or hold; what is under way counts for both.
    #[must_use]
    pub fn with(&self, spool: Spool, hold: Duration) -> Self {
        Self {
            spool,
            hold,
            ..self.clone()
        }
    }

    /// Who was seen lately at confirmations; clones share it.
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// What is remembered of sessions; clones share it.
    pub const fn returns(&self) -> &Returns {
        &self.returns
    }

    /// Records one order, and says where it is.
    ///
    /// Run it in a task of its own and wait for that task `hold` at most: it must go on when
    /// the page is let go, until the order is somewhere. When four fifths of `hold` are over since
    /// the page began to wait (`held_since`) and the ledger has not answered, the order goes into the spool at once, so that it
    /// is on disk when the page goes out; if the ledger takes it afterwards, the file is removed.
    /// The ledger has [`PATIENCE`] in any case: with a shorter `hold` the page does not wait for the disk.
    ///
    /// It counts what becomes of the order, but not [`Event::HoldEnded`]: that is known where the page waits.
    ///
    /// Should it panic, nobody knows whether the ledger has the order: it goes into the spool, as entering it twice
    /// changes nothing.
    pub async fn record(&self, candidate: Candidate, held_since: Instant) -> Recorded {
        // On the heap: a future is copied again and again on its way into a task, and this is the largest part of it.
        match caught(Box::pin(self.try_record(&candidate, held_since))).await {
            Some(recorded) => recorded,
            None => {
                self.counters.add(Event::ObserverFailed);
                error!(order.id = %candidate.order.key, "recording an order panicked");
                self.spool(&candidate, &Cause::Panicked).await.0
            }
        }
    }

    async fn try_record(&self, candidate: &Candidate, held_since: Instant) -> Recorded {
        debug!(order.id = %candidate.order.key, "an order is to be entered");
        let Ok(_place) = self.backlog.try_acquire() else {
            return self.log(candidate, &Cause::Backlog, None);
        };
        let deadline = held_since + self.hold.saturating_sub(self.hold / 5);
        let deadline = deadline.max(Instant::now() + PATIENCE);
        let mut entering = pin!(self.ledger.enter(candidate.clone()));
        match tokio::time::timeout_at(deadline, &mut entering).await {
            Ok(Ok(entered)) => return self.entered(entered),
            Ok(Err(error)) => {
                self.failed(&error);
                return self.spool(candidate, &error.into()).await.0;
            }
            Err(_elapsed) => {}
        }
        let (spooled, file) = self.spool(candidate, &Cause::Slow).await;
        match entering.await {
            Ok(entered) => {
                self.forget(file).await;
                self.entered(entered)
            }
            Err(error) => {
                self.failed(&error);
                let cause = Causes(&error).to_string();
                warn!(order.id = %candidate.order.key, cause, "the ledger did not take an order that waited");
                spooled
            }
        }
    }

    /// Enters what the spool holds, counted and told as if it came now: at the start, again and again, and at once
    /// when a database that was away comes back. Never ends by itself. Blocks on the disk.
    pub async fn keep_up(&self) {
        let mut told = HashSet::new();
        let mut away = self.ledger.away();
        loop {
            if away.wait_for(Option::is_none).await.is_err() {
                return;
            }
            self.recover(&mut told).await;
            // An order that was refused at the last moment comes into the spool after this.
            if let Ok(Err(_closed)) = tokio::time::timeout(AGAIN, away.changed()).await {
                return;
            }
        }
    }

    /// Enters what the spool holds. Of files that stay it tells once.
    async fn recover(&self, told: &mut HashSet<PathBuf>) {
        let imported = match spool::import(&self.spool, &self.ledger).await {
            Ok(imported) => imported,
            Err(error) => {
                error!(%error, "the spool cannot be read: orders may be waiting in it");
                return;
            }
        };
        if imported.more {
            error!("the spool holds more orders than are entered at once: run `refgate import`");
        }
        for (_file, entered) in imported.entered {
            self.entered(entered);
        }
        for (file, fault) in imported.kept {
            if told.insert(file.clone()) {
                let (file, cause) = (file.display().to_string(), Causes(&fault).to_string());
                error!(file, cause, "a spool file stays: see `refgate import`");
            }
        }
    }

    /// Whether it goes on failing is found out by who looks after the ledger.
    fn failed(&self, error: &ledger::Error) {
        self.counters.add(Event::LedgerFailed);
        let words = format!("the ledger did not take an order: {}", Causes(error));
        let alarms = self.counters.alarms();
        alarms.raise(Alarm::LedgerFails, "", &words, Time::now());
    }

    async fn spool(&self, candidate: &Candidate, cause: &Cause) -> (Recorded, Option<PathBuf>) {
        let sealed = match self.spool.seal(candidate) {
            Ok(sealed) => sealed,
            Err(error) => return (self.log(candidate, cause, Some(&error.into())), None),
        };
        match tokio::time::timeout(SPOOL_PATIENCE, self.write(candidate, sealed)).await {
            Ok(Ok(path)) => {
                self.counters.add(Event::OrderSpooled);
                let words = "orders wait in the spool; they are entered when the ledger takes them, or by `refgate import`";
                let alarms = self.counters.alarms();
                alarms.raise(Alarm::OrdersSpooled, "", words, Time::now());
                let Words {
                    id,
                    store,
                    amount,
                    standing,
                    affiliate,
                } = Words::of(&candidate.order);
                let (cause, file) = (Causes(cause).to_string(), path.display().to_string());
                error!(
                    order.id = %id, store, amount, standing, affiliate, cause, file,
                    "order spooled: `refgate import` enters it"
                );
                (Recorded::Spooled, Some(path))
            }
            Ok(Err(fault)) => (self.log(candidate, cause, Some(&fault)), None),
            Err(_elapsed) => (self.log(candidate, cause, Some(&SpoolFault::Slow)), None),
        }
    }

    async fn write(&self, candidate: &Candidate, sealed: String) -> Result<PathBuf, SpoolFault> {
        let _place = self.spooling.acquire().await;
        let (spool, at) = (self.spool.clone(), candidate.order.at);
        let written = tokio::task::spawn_blocking(move || spool.write(&sealed, at)).await?;
        Ok(written?)
    }

    async fn forget(&self, file: Option<PathBuf>) {
        let Some(path) = file else { return };
        let spool = self.spool.clone();
        let (name, gone) = (
            path.display().to_string(),
            tokio::task::spawn_blocking(move || spool.remove(&path)).await,
        );
        if !matches!(gone, Ok(Ok(()))) {
            warn!(
                file = name,
                "a spool file stays whose order is in the ledger; importing it is harmless"
            );
        }
    }

    /// The last resort. The line holds all that is needed to enter the order: `sealed` is what its
    /// spool file would hold.
    fn log(&self, candidate: &Candidate, cause: &Cause, fault: Option<&SpoolFault>) -> Recorded {
        self.counters.add(Event::OrderLogged);
        let words = "an order is in the log alone: look for `order only logged` there";
        let alarms = self.counters.alarms();
        alarms.raise(Alarm::OrdersLogged, "", words, Time::now());
        let Words {
            id,
            store,
            amount,
            standing,
            affiliate,
        } = Words::of(&candidate.order);
        let sealed = self.spool.seal(candidate).unwrap_or_default();
        let cause = Causes(cause).to_string();
        let fault = fault.map_or_else(String::new, |fault| Causes(fault).to_string());
        error!(
            order.id = %id, store, amount, standing, affiliate, cause, fault, sealed,
            "order only logged: put `sealed` into a file NAME.order in the spool and run `refgate import`"
        );
        Recorded::Logged
    }
}

/// What comes of it; nothing if it panics, which was told when it happened. It is not polled after that.
async fn caught<T>(mut recording: Pin<Box<impl Future<Output = T>>>) -> Option<T> {
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| recording.as_mut().poll(cx)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

#[cfg(test)]
mod tests;
