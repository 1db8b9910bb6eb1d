//! Deliver: conversion → postback URL → network → verdict; retry, give up loudly.
//!
//! One loop on the control runtime takes what is due from the ledger and sends it, a bounded number
//! at once. An attempt is committed before its first byte leaves, so that after a crash it is known
//! that something may have been sent; what that means is decided in [`backoff`], without I/O.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::alarm::Alarm;
use crate::cause::Causes;
use crate::clock::Time;
use crate::current::Current;
use crate::event::Counters;
use crate::ledger::{self, Follows, Ledger};
use crate::name::NetworkName;
use crate::postback::{Postback, PostbackId};

mod attempt;
pub mod backoff;
mod breaker;
mod course;
pub mod egress;
mod holds;
mod lanes;
mod pace;
mod pausing;
mod rejections;
pub mod send;
mod settings;
mod settle;
pub mod template;
pub mod verdict;
mod webhook;

pub use breaker::{State, Terms};
pub use holds::{HoldRule, Holds};
use lanes::Lanes;
pub use lanes::Standing;
pub use pace::Rate;
use pausing::Heard;
pub use settings::{Answer, Dedupe, Destination, Settings};
pub use webhook::{Key, KeyError};

/// How long the loop sleeps at most: another process (`postbacks resend`, `import`) makes rows due without a word to us.
const POLL: Duration = Duration::from_secs(1);

/// How long it sleeps at least, lest a clock that stands still makes it spin.
const PAUSE: Duration = Duration::from_millis(10);

/// How often attempts whose sender is gone are looked for.
const RECOVERY: Duration = Duration::from_secs(30);

/// How often what is unclear is looked for.
const ASKING: Duration = Duration::from_secs(5 * 60);

/// How long the operator has before an unclear postback becomes an alarm.
const ALARM: Duration = Duration::from_secs(3600);

/// What a lease lasts beyond an attempt's own time-out: for the ledger's part of it.
const LEASE_MARGIN: Duration = Duration::from_secs(60);

/// Delivers what is due. Clones share everything.
#[derive(Clone, Debug)]
pub struct Deliver {
    ledger: Ledger,
    /// Each attempt goes by the way that was current when it began.
    way: Arc<Current<Way>>,
    counters: Arc<Counters>,
    flights: Flights,
    lanes: Lanes,
    heard: Heard,
}

/// How postbacks are sent now.
#[derive(Debug)]
struct Way {
    settings: Settings,
    sender: send::Sender,
}

impl Way {
    fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let mut destinations = settings.destinations.values();
        let sender = send::Sender::new(&send::Options {
            tls: destinations.any(|destination| destination.template.is_https()),
            connect_timeout: settings.connect_timeout,
            timeout: settings.timeout,
            answer_limit: settings.answer_limit,
            egress: settings.egress.clone(),
        })?;
        Ok(Self { settings, sender })
    }
}

/// Settings that can be gone by: see [`Deliver::prepare`].
#[derive(Debug)]
pub struct Prepared(Way);

impl Deliver {
    /// Ready to run.
    ///
    /// # Errors
    /// A network is told over `https` and this machine has no root certificates.
    pub fn new(
        ledger: Ledger,
        settings: Settings,
        counters: Arc<Counters>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            ledger,
            way: Arc::new(Current::new(Way::new(settings)?)),
            counters,
            flights: Flights::default(),
            lanes: Lanes::default(),
            heard: Heard::default(),
        })
    }

    /// Settings to go by from some moment on; so far nothing changes.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn prepare(settings: Settings) -> Result<Prepared, reqwest::Error> {
        Way::new(settings).map(Prepared)
    }

    /// Goes by these settings from the next attempt on. Whoever rests is tried anew: the fault may have been ours.
    pub fn adopt(&self, Prepared(way): Prepared) {
        self.way.set(way);
        self.lanes.forgive();
        self.ledger.due().notify_waiters();
    }

    /// How each destination stands, by name.
    pub fn standings(&self) -> Vec<(NetworkName, Standing)> {
        let (way, now) = (self.way.get(), Instant::now());
        let names = way.settings.destinations.keys().cloned();
        let standing = |name| {
            let standing = self.lanes.standing(&name, now);
            (name, standing)
        };
        let mut standings: Vec<_> = names.map(standing).collect();
        standings.sort_by(|one, other| one.0.cmp(&other.0));
        standings
    }

    /// What follows of the operator's word by the configuration.
    pub fn follows(&self) -> Follows {
        self.way.get().settings.holds.follows.clone()
    }

    /// Delivers until `shutdown`; then what is due by now goes out and may finish within `drain`.
    /// What does not is left `sending`, and treated as interrupted by the next start.
    pub async fn run(self, shutdown: CancellationToken, drain: Duration) {
        let mut sends = JoinSet::new();
        let mut recovered: Option<Time> = None;
        let (mut asked, mut pauses): (Option<Time>, Option<Time>) = (None, None);
        let mut holds: Option<Time> = None;
        loop {
            // Armed before looking: what becomes due while we look wakes us at once.
            let due = self.ledger.due().notified();
            tokio::pin!(due);
            due.as_mut().enable();
            let now = Time::now();
            let looked = async {
                if is_over(recovered, RECOVERY, now) {
                    self.recover(now).await?;
                    recovered = Some(now);
                }
                let wait = self.send_due(&mut sends, now).await;
                if is_over(asked, ASKING, now) {
                    asked = Some(now);
                    self.ask(now).await;
                }
                self.look_at_pauses(&mut pauses, now).await;
                self.look_at_holds(&mut holds, &mut sends, now);
                wait
            };
            // A ledger that hangs holds up the end for `drain` only. Cancel-safe: what was claimed
            // and not begun is free again when its lease, or this run, is over.
            let given_up = async {
                shutdown.cancelled().await;
                tokio::time::sleep(drain).await;
            };
            let looked = tokio::select! {
                looked = looked => looked,
                () = given_up => break,
            };
            let wait = looked.unwrap_or_else(|fault| {
                tell(&fault, "the ledger does not say what is due");
                POLL
            });
            // Looked once more after the end was asked for: what was entered until then goes out.
            if shutdown.is_cancelled() {
                break;
            }
            tokio::select! {
                () = due => {}
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => {}
                Some(ended) = sends.join_next() => note(ended),
            }
            while let Some(ended) = sends.try_join_next() {
                note(ended);
            }
        }
        finish(sends, drain).await;
    }

    /// Starts what is due, as much as may be under way at once; returns how long to sleep.
    async fn send_due(
        &self,
        sends: &mut JoinSet<()>,
        now: Time,
    ) -> Result<Duration, ledger::Error> {
        let way = self.way.get();
        let settings = &way.settings;
        let lease = settings.timeout.saturating_add(LEASE_MARGIN);
        loop {
            let mut waiting = self.ledger.waiting().await?;
            waiting.sort_by_key(|(_, at)| *at);
            let due = waiting.iter().filter(|(_, at)| *at <= now);
            let due: Vec<NetworkName> = due.map(|(name, _)| name.clone()).collect();
            let mut started = 0_usize;
            for (name, count) in self.lanes.plan(settings, &due, Instant::now()) {
                let claimed = self.ledger.claim(&name, now, lease, count).await?;
                started += claimed.len();
                for postback in claimed {
                    self.start(sends, &way, postback);
                }
            }
            // Once more, as long as places are left for what is due.
            if started == 0 {
                return Ok(self.sleep(settings, &waiting, now));
            }
        }
    }

    fn start(&self, sends: &mut JoinSet<()>, way: &Arc<Way>, postback: Postback) {
        // After a jump of the clock a lease may be over whose holder is at work.
        let Some(flight) = self.flights.begin(postback.id) else {
            return;
        };
        let name = &postback.destination;
        let place = self.lanes.enter(&way.settings, name, Instant::now());
        let attempt = attempt::attempt(self.clone(), Arc::clone(way), postback);
        sends.spawn(async move {
            attempt.await;
            drop((flight, place));
        });
    }

    /// Until something is due, or what is due may go out. That a place becomes free wakes us by itself.
    fn sleep(&self, settings: &Settings, waiting: &[(NetworkName, Time)], now: Time) -> Duration {
        let moment = Instant::now();
        let wait = |(name, at): &(NetworkName, Time)| {
            let opens = self.lanes.opens(settings, name, moment);
            let opens = opens.map(|opens| opens.saturating_duration_since(moment));
            match *at > now {
                true => at.since(now),
                false => opens.unwrap_or(POLL),
            }
        };
        let next = waiting.iter().map(wait).min();
        next.map_or(POLL, |next| next.clamp(PAUSE, POLL))
    }

    /// Tells the operator of what has been unclear for too long.
    async fn ask(&self, now: Time) {
        let waiting = match self.ledger.unclear(now.minus(ALARM)).await {
            Ok(waiting) => waiting,
            Err(fault) => {
                tell(&fault, "the ledger does not say what is unclear");
                return;
            }
        };
        let words = format!(
            "{waiting} postbacks are unclear for more than an hour: `refgate postbacks list --state \
             unclear` shows them, ask the network"
        );
        let found = (waiting > 0).then(|| (String::new(), words));
        let alarms = self.counters.alarms();
        alarms.found(Alarm::PostbacksUnclear, found.as_slice(), now);
    }

    /// Tells the operator that a network is left alone for a while.
    fn rests(&self, network: &NetworkName, wait: Duration, words: &str) {
        let words = format!(
            "a network is down: nothing is sent to it for {} seconds, and no attempt of a postback is spent: {words}",
            wait.as_secs()
        );
        let alarms = self.counters.alarms();
        alarms.raise(
            Alarm::DestinationRests,
            network.as_str(),
            &words,
            Time::now(),
        );
    }

    /// Ends the attempts whose sender is gone: nobody knows whether the network counted them. That a
    /// lease is over proves it of other processes only: the clock may have jumped, the machine slept.
    async fn recover(&self, now: Time) -> Result<(), ledger::Error> {
        // Before the ledger is asked: what ends meanwhile is not open any more, or was not listed.
        let ours = self.flights.all();
        for (postback, id) in self.ledger.interrupted(now).await? {
            if ours.contains(&postback.id) {
                continue;
            }
            attempt::interrupted(self, &postback, id, now).await?;
        }
        Ok(())
    }
}

/// That the database is away is told where that is watched.
fn tell(fault: &ledger::Error, words: &str) {
    match fault {
        ledger::Error::Away(_) => debug!(error = %Causes(fault), "{words}"),
        _ => error!(error = %Causes(fault), "{words}"),
    }
}

/// Whether `wait` is over since `last`; also if it never was, or the clock was set back since.
fn is_over(last: Option<Time>, wait: Duration, now: Time) -> bool {
    last.is_none_or(|at| now.since(at) >= wait || at > now)
}

/// The postbacks that this process is at work on. Clones share them.
#[derive(Clone, Debug, Default)]
struct Flights(Arc<Mutex<HashSet<PostbackId>>>);

/// One of them, until it is dropped: also when its task panics or is cut off.
#[derive(Debug)]
struct Flight {
    all: Flights,
    id: PostbackId,
}

impl Flights {
    /// None if it is under way already.
    fn begin(&self, id: PostbackId) -> Option<Flight> {
        let all = self.clone();
        self.lock().insert(id).then_some(Flight { all, id })
    }

    fn all(&self) -> HashSet<PostbackId> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<PostbackId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.all.lock().remove(&self.id);
    }
}

async fn finish(mut sends: JoinSet<()>, drain: Duration) {
    let all = async {
        while let Some(ended) = sends.join_next().await {
            note(ended);
        }
    };
    if tokio::time::timeout(drain, all).await.is_err() {
        warn!(
            postbacks = sends.len(),
            "postbacks under way were cut off; the next start treats them as interrupted"
        );
    }
    sends.shutdown().await;
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(fault) = ended {
        // Its attempt stays open, so it is found as interrupted when its lease ends.
        error!(error = %fault, "sending a postback panicked");
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
