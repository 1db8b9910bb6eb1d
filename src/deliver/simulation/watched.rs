//! What must hold after every step of a simulation.

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;

use super::network::{Heard, Network};
use crate::clock::Time;
use crate::deliver::Settings;
use crate::ledger::{Ledger, PostbackFilter, Told};
use crate::name::NetworkName;
use crate::order::{Candidate, OrderId};
use crate::postback::{Postback, PostbackId, State};

#[derive(Debug)]
pub(super) struct Watched {
    seed: u64,
    /// Every order whose page was complete, by its first id; true once it was readable.
    orders: HashMap<OrderId, bool>,
    /// When sends to each destination started, in this life of the process.
    starts: HashMap<NetworkName, Vec<Instant>>,
    /// Every postback as it was looked at last.
    rows: HashMap<PostbackId, (Postback, Option<Heard>)>,
}

impl Watched {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            orders: HashMap::new(),
            starts: HashMap::new(),
            rows: HashMap::new(),
        }
    }

    pub(super) fn seen(&mut self, candidate: &Candidate) {
        let order = &candidate.order;
        let id = order.aliases.iter().chain([&order.key.id]).min().unwrap();
        *self.orders.entry(id.clone()).or_default() |= order.amount.is_some();
    }

    /// What may be claimed now, oldest first.
    pub(super) async fn due(
        &self,
        ledger: &Ledger,
        name: &NetworkName,
        now: Time,
    ) -> Vec<(Time, PostbackId)> {
        let filter = PostbackFilter {
            states: vec![State::Due],
            destination: Some(name.clone()),
            ..PostbackFilter::default()
        };
        let due = ledger.postbacks(filter, 100).await.unwrap();
        let due = due.into_iter().filter_map(|one| Some((one.due?, one.id)));
        let mut due: Vec<_> = due.filter(|(at, _)| *at <= now).collect();
        due.sort_unstable();
        due
    }

    /// The oldest come first; what is passed over is leased.
    pub(super) fn claimed(&self, claimed: &[Postback], before: &[(Time, PostbackId)]) {
        let ids: Vec<_> = claimed
            .iter()
            .map(|one| (one.due.unwrap(), one.id))
            .collect();
        assert!(ids.is_sorted(), "seed {}: not in order of age", self.seed);
        let all: HashSet<_> = before.iter().collect();
        assert!(
            ids.iter().all(|one| all.contains(one)),
            "seed {}",
            self.seed
        );
    }

    pub(super) fn starts(&mut self, name: &NetworkName, moment: Instant) {
        self.starts.entry(name.clone()).or_default().push(moment);
    }

    /// A process knows of its own sends alone.
    pub(super) fn crashed(&mut self) {
        self.starts.clear();
    }

    /// Places and rates are kept to.
    pub(super) fn within(&self, settings: &Settings, under_way: &[NetworkName]) {
        assert!(
            under_way.len() <= settings.concurrency,
            "seed {}",
            self.seed
        );
        for (name, destination) in &settings.destinations {
            let count = under_way.iter().filter(|one| *one == name).count();
            assert!(count <= destination.concurrency, "seed {}", self.seed);
            let Some(rate) = destination.rate else {
                continue;
            };
            let most = usize::try_from(rate.count).unwrap();
            let starts = self.starts.get(name).map_or(&[][..], Vec::as_slice);
            for span in starts.windows(most + 1) {
                let took = span[most] - span[0];
                // Whole nanoseconds are lost where a span is divided.
                assert!(
                    took + std::time::Duration::from_nanos(10) >= rate.per,
                    "seed {}: {took:?}",
                    self.seed
                );
            }
        }
    }

    /// Looks at every postback that has changed since.
    pub(super) async fn look(&mut self, ledger: &Ledger, network: &Network) -> Vec<Postback> {
        let all = ledger
            .postbacks(PostbackFilter::default(), 100)
            .await
            .unwrap();
        for postback in &all {
            let heard = network.heard.get(&postback.id).copied();
            let seen = (postback.clone(), heard);
            if self.rows.get(&postback.id) == Some(&seen) {
                continue;
            }
            let told = ledger.postback(postback.id).await.unwrap();
            self.one(&told, heard.unwrap_or_default());
            self.rows.insert(postback.id, seen);
        }
        all
    }

    fn one(&self, told: &Told, heard: Heard) {
        let (seed, postback) = (self.seed, &told.postback);
        let words = format!("seed {seed}: {told:?} {heard:?}");
        let open = told.attempts.iter().filter(|one| one.outcome.is_none());
        let sending = postback.state == State::Sending;
        assert_eq!(open.count(), usize::from(sending), "{words}");
        assert_eq!(
            postback.due.is_some(),
            postback.state == State::Due,
            "{words}"
        );
        let counted = u32::try_from(told.attempts.len()).unwrap();
        assert_eq!(postback.attempts, counted, "{words}");
        if postback.destination.as_str() != "order" {
            assert_eq!(
                heard.again, 0,
                "told again after it may have been counted: {words}"
            );
        }
        match postback.state {
            State::Accepted => assert!(heard.yes > 0, "{words}"),
            State::Rejected => assert!(heard.no > 0, "{words}"),
            State::Duplicate => assert!(heard.counted && postback.attempts > 1, "{words}"),
            State::Dead => assert!(!heard.maybe, "{words}"),
            State::Held => assert!(postback.amount.is_none() && heard.again == 0, "{words}"),
            State::Due | State::Sending | State::Unclear => {}
        }
    }

    /// Every order whose page was complete is there, once; `held` wait for what no page gave.
    pub(super) async fn all_are_there(&self, ledger: &Ledger, held: usize) {
        let seed = self.seed;
        for (id, readable) in &self.orders {
            let stories = ledger.story(id.to_string()).await.unwrap();
            assert_eq!(stories.len(), 1, "seed {seed}: {id}");
            assert_eq!(stories[0].postbacks.len(), 1, "seed {seed}: {id}");
            assert_eq!(
                stories[0].order.amount.is_some(),
                *readable,
                "seed {seed}: {id}"
            );
            self.course(&stories[0].history);
        }
        let unreadable = self.orders.values().filter(|readable| !**readable).count();
        assert_eq!(held, unreadable, "seed {seed}");
    }

    /// Each change begins where the one before it ended.
    fn course(&self, history: &[crate::ledger::Transition]) {
        let mut states: HashMap<_, Option<String>> = HashMap::new();
        for change in history {
            let state = states.entry(change.postback).or_default();
            assert_eq!(*state, change.was, "seed {}: {history:?}", self.seed);
            *state = Some(change.became.clone());
        }
    }
}
