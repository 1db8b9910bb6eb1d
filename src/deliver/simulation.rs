//! A seeded simulation: orders, a network's answers, a clock that jumps, a ledger that fails and crashes come in any order,
//! and after each step it is looked at what must always hold.
//!
//! The ledger is the real one, and so is everything that decides (`course`, `verdict`, `backoff`, `lanes`); what
//! [`super::attempt`] does by waiting is done here verb by verb, so that a crash can come between any two of them. Time is a number.
//! A run that fails names its seed: `Simulation::run(seed)` shows it again.

use tokio::time::Instant;

use super::course;
use super::lanes::{Lanes, Place};
use super::settle::settlement;
use super::verdict::{self, Judged};
use super::{Destination, LEASE_MARGIN, Settings};
use crate::clock::Time;
use crate::ledger::{self, Ledger, Role, Settlement};
use crate::name::NetworkName;
use crate::order::{Candidate, Doubt};
use crate::postback::{AttemptId, Outcome, Postback, State};
use network::Network;
use setting::{Dice, candidate, settings};
use watched::Watched;

mod faults;
mod network;
mod setting;
mod watched;

/// Short runs, as many as take some seconds.
const RUNS: u64 = 150;

/// Runs of the long test: `cargo test --lib -- --ignored simulation`.
const MANY: u64 = 400;

/// What one run does before it is let come to its end.
const STEPS: u64 = 60;

/// A postback that this process is at work on.
struct Flight {
    postback: Postback,
    stage: Stage,
    _place: Place,
}

enum Stage {
    /// Claimed.
    Claimed,
    /// The attempt is committed.
    Begun(AttemptId),
    /// The network has answered, or not; the ledger does not know yet.
    Ended(Box<Settlement>),
}

struct Simulation {
    seed: u64,
    dice: Dice,
    dir: tempfile::TempDir,
    ledger: Option<Ledger>,
    settings: Settings,
    now: Time,
    moment: Instant,
    lanes: Lanes,
    flights: Vec<Flight>,
    /// What the ledger did not take; on disk.
    spool: Vec<Candidate>,
    full: bool,
    network: Network,
    watched: Watched,
}

impl Simulation {
    async fn run(seed: u64) {
        let mut simulation = Self::new(seed);
        for _step in 0..STEPS {
            simulation.step().await;
            simulation.look().await;
        }
        simulation.end().await;
    }

    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let dir = setting::dir();
        let settings = settings(&mut dice);
        let now = setting::NOW;
        let mut simulation = Self {
            seed,
            dice,
            dir,
            ledger: None,
            settings,
            now,
            moment: Instant::now(),
            lanes: Lanes::default(),
            flights: Vec::new(),
            spool: Vec::new(),
            full: false,
            network: Network::default(),
            watched: Watched::new(seed),
        };
        simulation.open();
        simulation
    }

    fn open(&mut self) {
        let path = self.dir.path().join("refgate.db");
        let opened = Ledger::open(&ledger::Settings::Sqlite(path), Role::Run, self.now);
        self.ledger = Some(opened.unwrap());
    }

    fn ledger(&self) -> Ledger {
        self.ledger.clone().unwrap()
    }

    async fn step(&mut self) {
        match self.dice.below(20) {
            0..=4 => self.confirm().await,
            5..=6 => self.send_due().await,
            7..=13 => self.go_on().await,
            14 => self.recover().await,
            15..=16 => {
                let span = [50, 400, 3_000, 20_000, 90_000][self.dice.index(5)];
                self.pass(self.dice.clone().below(span));
            }
            17 => self.jump(),
            18 => self.fill(!self.full).await,
            _ => self.crash().await,
        }
    }

    /// A confirmation is seen: a new order, one that is known, or one that gives what was missing.
    async fn confirm(&mut self) {
        let candidate = candidate(&mut self.dice, self.now);
        self.watched.seen(&candidate);
        // The page is complete when it is here or there.
        if self.ledger().enter(candidate.clone()).await.is_err() {
            assert!(self.full, "seed {}: not entered", self.seed);
            self.spool.push(candidate);
        }
    }

    /// As `Deliver::send_due`.
    async fn send_due(&mut self) {
        let ledger = self.ledger();
        let Ok(mut waiting) = ledger.waiting().await else {
            return;
        };
        waiting.sort_by_key(|(_, at)| *at);
        let due = waiting.iter().filter(|(_, at)| *at <= self.now);
        let due: Vec<NetworkName> = due.map(|(name, _)| name.clone()).collect();
        let plan = self.lanes.plan(&self.settings, &due, self.moment);
        let lease = self.settings.timeout.saturating_add(LEASE_MARGIN);
        for (name, count) in plan {
            let before = self.watched.due(&ledger, &name, self.now).await;
            let Ok(claimed) = ledger.claim(&name, self.now, lease, count).await else {
                assert!(self.full);
                continue;
            };
            self.watched.claimed(&claimed, &before);
            for postback in claimed {
                if self
                    .flights
                    .iter()
                    .any(|one| one.postback.id == postback.id)
                {
                    continue;
                }
                let place = self.lanes.enter(&self.settings, &name, self.moment);
                self.watched.starts(&name, self.moment);
                self.flights.push(Flight {
                    postback,
                    stage: Stage::Claimed,
                    _place: place,
                });
            }
        }
        self.watched.within(&self.settings, &self.flights_to());
    }

    fn flights_to(&self) -> Vec<NetworkName> {
        let flights = self.flights.iter();
        flights
            .map(|one| one.postback.destination.clone())
            .collect()
    }

    /// One of those under way goes on by one verb.
    async fn go_on(&mut self) {
        if self.flights.is_empty() {
            return;
        }
        let at = self.dice.index(self.flights.len());
        let mut flight = self.flights.swap_remove(at);
        let next = match flight.stage {
            Stage::Claimed => self.begin(&flight.postback).await,
            Stage::Begun(id) => Some(Stage::Ended(self.send(&flight.postback, id).await)),
            Stage::Ended(end) => self.settle(end).await,
        };
        if let Some(stage) = next {
            flight.stage = stage;
            self.flights.push(flight);
        }
    }

    async fn begin(&mut self, postback: &Postback) -> Option<Stage> {
        let ledger = self.ledger();
        let destination = self.destination(postback);
        let told = ledger.postback(postback.id).await.unwrap();
        let doubt = destination.dedupe != super::Dedupe::Order
            && course::since_resend(postback) > 0
            && course::repeats_a_doubt(postback, &told.attempts);
        let id = ledger.begin(postback.id, "http://n/".to_owned(), self.now);
        let id = id.await.ok()?;
        if !doubt {
            return Some(Stage::Begun(id));
        }
        let judged = Judged::not_sent("not sent");
        let next = super::backoff::Next {
            state: State::Held,
            due: None,
            cause: String::new(),
        };
        Some(Stage::Ended(self.ended(postback, id, judged, next)))
    }

    /// The call, and what came of it: as `attempt::send`.
    async fn send(&mut self, postback: &Postback, id: AttemptId) -> Box<Settlement> {
        let destination = self.destination(postback);
        let ended = self
            .network
            .call(postback, destination.dedupe, &mut self.dice);
        let judged = verdict::judge(&destination.answers, ended);
        let jitter = self.dice.jitter();
        let sign = course::sign(&judged, self.now);
        let moment = (self.moment, jitter);
        self.lanes
            .heard(&self.settings, &postback.destination, sign, moment);
        let told = self.ledger().postback(postback.id).await.unwrap();
        let heard = postback.attempts > 0 && course::heard(&told.attempts, id);
        let clock = (self.now, jitter);
        let next = course::after(&self.settings, postback, (&judged, heard), clock);
        self.ended(postback, id, judged, next)
    }

    fn ended(
        &self,
        postback: &Postback,
        id: AttemptId,
        judged: Judged,
        next: super::backoff::Next,
    ) -> Box<Settlement> {
        let end = settlement(postback, id, judged, next);
        let outcome = Outcome {
            at: self.now,
            ..end.outcome
        };
        Box::new(Settlement { outcome, ..end })
    }

    /// Kept, or tried again later; now and then given up, as after the last wait.
    async fn settle(&mut self, end: Box<Settlement>) -> Option<Stage> {
        match self.ledger().settle((*end).clone()).await {
            Err(ledger::Error::Full(_) | ledger::Error::Database(_)) if self.dice.below(4) > 0 => {
                Some(Stage::Ended(end))
            }
            _ => None,
        }
    }

    /// As `Deliver::recover`.
    async fn recover(&mut self) {
        let ledger = self.ledger();
        for (postback, id) in ledger.interrupted(self.now).await.unwrap() {
            if self
                .flights
                .iter()
                .any(|one| one.postback.id == postback.id)
            {
                continue;
            }
            let clock = (self.now, self.dice.jitter());
            let (judged, next) = course::interrupted(&self.settings, &postback, clock);
            let end = self.ended(&postback, id, judged, next);
            if ledger.settle(*end).await.is_err() {
                return;
            }
        }
    }

    fn destination(&self, postback: &Postback) -> Destination {
        self.settings.destinations[&postback.destination].clone()
    }

    async fn look(&mut self) {
        self.watched.look(&self.ledger(), &self.network).await;
    }

    /// Everything is well again, and comes to its end.
    async fn end(&mut self) {
        self.fill(false).await;
        self.crash().await;
        self.network.is_well = true;
        for _round in 0..2_000 {
            self.send_due().await;
            while !self.flights.is_empty() {
                self.go_on().await;
            }
            self.recover().await;
            let rows = self.watched.look(&self.ledger(), &self.network).await;
            let mut states = rows.iter().map(|one| one.state);
            if states.all(|state| !matches!(state, State::Due | State::Sending)) {
                let held = |one: &&Postback| one.doubt == Some(Doubt::Unreadable);
                let held = rows.iter().filter(held).count();
                self.watched.all_are_there(&self.ledger(), held).await;
                return;
            }
            // To where there is something to do, or a little further.
            let waiting = self.ledger().waiting().await.unwrap();
            let next = waiting.iter().map(|(_, at)| at.since(self.now)).min();
            let next = next.unwrap_or_default().as_millis();
            self.pass(u64::try_from(next).unwrap().max(500));
        }
        panic!("seed {}: it does not come to an end", self.seed);
    }
}

fn simulate(runs: std::ops::Range<u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for seed in runs {
        runtime.block_on(Simulation::run(seed));
    }
}

#[test]
fn whatever_comes_in_whatever_order_nothing_is_lost_and_nothing_told_twice() {
    simulate(0..RUNS);
}

#[test]
#[ignore = "some minutes: tests/system.sh simulation"]
fn many_runs() {
    simulate(RUNS..RUNS + MANY);
}
