//! A store's upstreams: which one is asked next, and which ones are not.
//!
//! All workers share this, so that they agree. One upstream alone costs nothing here: there is
//! nothing to choose. Of several, one is passed over
//!
//! - where connecting to it failed a few times in a row, for a time that doubles each time it fails
//!   again (passive). A single request then tries it; only success brings it back. Where every one
//!   is out so, the one whose time ends first is asked all the same: an outage must not be of our
//!   own making;
//! - where its health checks fail (active). Where that is every one, none is asked.

mod health;
mod member;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Upstream;

pub use health::{Health, Pulse};
pub use member::{Busy, Member, State};

/// Most upstreams of a store.
pub const MOST: usize = 64;

/// How long one that has just failed may need.
const A_WHILE: Duration = Duration::from_secs(5);

/// How long anybody is asked to wait: where all of them rest, one is tried with every request.
const PATIENCE: Duration = Duration::from_secs(30);

/// How one of several is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// The one with the fewest requests under way.
    LeastBusy,
}

/// What is done with several of them, and where none is left.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// How one is chosen.
    pub balance: Balance,
    /// How they are checked, if they are.
    pub health: Option<Health>,
    /// The operator's page for when none is left: HTML in UTF-8.
    pub unavailable: Option<Bytes>,
}

/// The upstreams of a store.
#[derive(Debug)]
pub struct Upstreams {
    members: Vec<Member>,
    plan: Plan,
    turn: AtomicUsize,
}

/// Some of a store's upstreams, by number: those that one request has tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried(u64);

impl Tried {
    const fn has(self, number: usize) -> bool {
        self.0 & (1 << (number % MOST)) != 0
    }

    const fn add(&mut self, number: usize) {
        self.0 |= 1 << (number % MOST);
    }

    const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Upstreams {
    /// Upstreams of which nothing is known yet; what comes beyond [`MOST`] is left out.
    pub fn new(upstreams: impl IntoIterator<Item = Upstream>, plan: Plan) -> Self {
        let members = upstreams.into_iter().map(Member::new);
        Self {
            members: members.take(MOST).collect(),
            plan,
            turn: AtomicUsize::new(0),
        }
    }

    /// The same, but what `before` knew of any of them stays known. Without health checks nobody
    /// would ever hear that one is up again, so then all are.
    #[must_use]
    pub fn after(&self, before: &Self) -> Self {
        let members = self.members.iter().map(|member| {
            let mut known = before.members.iter();
            let known = known.find(|known| known.upstream == member.upstream);
            if let Some(known) = known.filter(|known| known.is_down())
                && self.plan.health.is_none()
            {
                known.set_up(true);
            }
            known.unwrap_or(member).with(&member.upstream)
        });
        Self {
            members: members.collect(),
            plan: self.plan.clone(),
            turn: AtomicUsize::new(0),
        }
    }

    /// What is done with them.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Every one, in the operator's order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether there is a choice.
    pub const fn are_several(&self) -> bool {
        self.members.len() > 1
    }

    /// The upstream to ask next, which is then among the `tried` ones; none if no other is left.
    /// `now` is asked only about one that failed.
    pub fn next(&self, tried: &mut Tried, now: impl Fn() -> Instant) -> Option<&Member> {
        let number = match self.members.as_slice() {
            [only] => (tried.is_empty() && !only.is_down()).then_some(0)?,
            _ => self.choose(*tried, now)?,
        };
        tried.add(number);
        self.members.get(number)
    }

    /// The mark of a request under way at `member`, where that decides who is asked next.
    pub fn occupy(&self, member: &Member) -> Option<Busy> {
        let counts = self.plan.balance == Balance::LeastBusy && self.are_several();
        counts.then(|| member.occupy())
    }

    /// Whether none may be left: otherwise it is the one upstream that fails, in its own way.
    pub const fn are_a_group(&self) -> bool {
        self.are_several() || self.plan.health.is_some() || self.plan.unavailable.is_some()
    }

    /// How long it may take until one of them is asked again, where none is left.
    pub fn patience(&self, now: Instant) -> Duration {
        let ends = self.members.iter().filter_map(Member::rests_until);
        let rest = ends.min().map(|end| end.saturating_duration_since(now));
        let rising = |health: &Health| health.every.saturating_mul(health.rises);
        let rise = || self.plan.health.as_ref().map(rising);
        rest.or_else(rise).unwrap_or(A_WHILE).min(PATIENCE)
    }

    fn choose(&self, tried: Tried, now: impl Fn() -> Instant) -> Option<usize> {
        let (mut ready, mut resting) = (Tried::default(), Tried::default());
        for (number, member) in self.members.iter().enumerate() {
            if tried.has(number) || member.is_down() {
                continue;
            }
            let set = if member.is_ready(&now) {
                &mut ready
            } else {
                &mut resting
            };
            set.add(number);
        }
        if ready.is_empty() && tried.is_empty() {
            return self.first_back(resting);
        }
        let chosen = self.among(ready)?;
        self.members.get(chosen)?.try_again(now);
        Some(chosen)
    }

    /// One of these, by the operator's way of choosing.
    fn among(&self, ready: Tried) -> Option<usize> {
        let count = usize::try_from(ready.0.count_ones()).ok()?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let skip = turn.checked_rem(count)?;
        let numbers = (0..MOST).filter(|number| ready.has(*number));
        let mut in_turn = numbers.cycle().skip(skip).take(count);
        match self.plan.balance {
            Balance::RoundRobin => in_turn.next(),
            Balance::LeastBusy => {
                let busy = |number: &usize| self.members.get(*number).map(Member::busy);
                in_turn.min_by_key(busy)
            }
        }
    }

    /// Of those that rest the one whose time ends first.
    fn first_back(&self, resting: Tried) -> Option<usize> {
        let members = self.members.iter().enumerate();
        let resting = members.filter(|(number, _)| resting.has(*number));
        let first = resting.min_by_key(|(_, member)| member.rests_until());
        first.map(|(number, _)| number)
    }
}

#[cfg(test)]
mod tests;
