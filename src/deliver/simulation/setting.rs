//! What a simulation begins with: dice, destinations, orders.

use std::collections::HashMap;
use std::time::Duration;

use regex::Regex;

use crate::clock::Time;
use crate::deliver::egress::Egress;
use crate::deliver::{Answer, Dedupe, Destination, Rate, Settings, Terms};
use crate::order::{Candidate, Doubt, Proof, Standing};
use crate::postback::{Mode, Verdict};

pub(super) const NOW: Time = Time::from_millis(1_795_392_000_000);

/// Random numbers by a seed: `SplitMix64`.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// 0 to `count` - 1.
    pub(super) fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % count
    }

    pub(super) fn index(&mut self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap();
        usize::try_from(self.below(count)).unwrap()
    }

    pub(super) fn jitter(&mut self) -> u16 {
        u16::try_from(self.below(1001)).unwrap()
    }
}

/// Where a ledger syncs to no disk, if there is such a place.
pub(super) fn dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_none| tempfile::tempdir())
        .unwrap()
}

pub(super) const NAMES: [&str; 3] = ["none", "click", "order"];

/// Three destinations, one of each way to deduplicate; few places, and a rate for one.
pub(super) fn settings(dice: &mut Dice) -> Settings {
    let dedupes = [Dedupe::None, Dedupe::Click, Dedupe::Order];
    let rates = [None, None, Some((4, 2_000))].map(|rate| {
        rate.map(|(count, per)| Rate {
            count,
            per: Duration::from_millis(per),
        })
    });
    let destinations: HashMap<_, _> = NAMES
        .into_iter()
        .zip(dedupes.into_iter().zip(rates))
        .map(|(name, (dedupe, rate))| {
            let destination = Destination {
                template: "http://n/?a=AFFILIATE_ID&amount=AMOUNT".parse().unwrap(),
                secrets: Vec::new(),
                webhook: None,
                answers: answers(),
                dedupe,
                concurrency: 1 + dice.index(3),
                rate,
                mode: Mode::Live,
                pause_after: None,
            };
            (name.parse().unwrap(), destination)
        })
        .collect();
    let schedule = [500, 1_000, 5_000, 30_000, 60_000].map(Duration::from_millis);
    Settings {
        destinations,
        schedule: schedule.into(),
        connect_timeout: Duration::from_secs(1),
        timeout: Duration::from_secs(2),
        concurrency: 3 + dice.index(3),
        rest: Terms {
            after: 3,
            first: Duration::from_secs(2),
            longest: Duration::from_secs(8),
        },
        answer_limit: 4096,
        egress: Egress::default(),
        retry_after_limit: Duration::from_secs(60),
        holds: Default::default(),
    }
}

fn answers() -> Vec<Answer> {
    let answer = |body: &str, means| Answer {
        status: Some(200),
        body: Some(Regex::new(body).unwrap()),
        means,
        reason: None,
    };
    vec![
        answer("success=true", Verdict::Accepted),
        answer("duplicate", Verdict::Duplicate),
        answer("success=false", Verdict::Rejected),
    ]
}

/// A confirmation of one of a dozen orders: owed to one of three, sometimes unreadable, sometimes by another of its ids.
pub(super) fn candidate(dice: &mut Dice, now: Time) -> Candidate {
    let mut candidate: Candidate =
        serde_json::from_str(include_str!("../../record/recorder/candidate.json")).unwrap();
    let number = dice.index(12);
    let name: crate::name::NetworkName = NAMES[number % 3].parse().unwrap();
    let (id, alias) = (format!("n{number}"), format!("t{number}"));
    let swapped = dice.below(4) == 0;
    let (id, alias) = if swapped { (alias, id) } else { (id, alias) };
    let order = &mut candidate.order;
    order.key.id = id.parse().unwrap();
    order.aliases = vec![alias.parse().unwrap()];
    order.at = now;
    order.click.as_mut().unwrap().network = name.clone();
    order.proof = Some(Proof::FirstView);
    candidate.sighting.at = now;
    candidate.sighting.key = order.key.clone();
    let postback = &mut candidate.postbacks[0];
    postback.destination = name;
    if dice.below(5) == 0 {
        candidate.sighting.amount = None;
        (order.amount, postback.amount) = (None, None);
        order.standing = Standing::Held(Doubt::Unreadable);
        postback.held = Some((Doubt::Unreadable, "no amount".to_owned()));
    }
    candidate.quotes = candidate.postbacks.clone();
    candidate
}
