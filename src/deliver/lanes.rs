//! Who is sent to next, and how many at once: each destination has a lane of its own.
//!
//! All lanes share a bound. One place of it is kept for every destination that has nothing under
//! way, so that a destination that hangs never keeps another one waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::Settings;
use super::breaker::{Breaker, Change, Sign, State, Terms};
use super::pace::{Pace, Rate};
use crate::name::NetworkName;

/// The lanes of one process. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes(Arc<Mutex<HashMap<NetworkName, Lane>>>);

#[derive(Debug, Default)]
struct Lane {
    under_way: usize,
    pace: Pace,
    breaker: Breaker,
}

/// A place in a lane, until it is dropped: also when its task panics or is cut off.
#[derive(Debug)]
pub(super) struct Place {
    all: Lanes,
    name: NetworkName,
}

/// How one destination stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is sent to.
    pub state: State,
    /// How many postbacks are under way to it.
    pub under_way: usize,
}

/// What a destination may have.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    most: usize,
    rate: Option<Rate>,
    terms: Terms,
    /// One that is configured. What is due to any other is held at once, and needs no place kept.
    known: bool,
}

/// One that could be sent to: what it has, and how many more it may have.
#[derive(Clone, Copy, Debug)]
struct Wish {
    under_way: usize,
    more: usize,
    known: bool,
}

impl Lanes {
    /// How many of each of these may start now, those with any; they are in order of age.
    pub(super) fn plan(
        &self,
        settings: &Settings,
        due: &[NetworkName],
        now: Instant,
    ) -> Vec<(NetworkName, usize)> {
        let lanes = self.lock();
        let under_way = |name| lanes.get(name).map_or(0, |lane| lane.under_way);
        let all: usize = lanes.values().map(|lane| lane.under_way).sum();
        let free = settings.bound().saturating_sub(all);
        let names = settings.destinations.keys();
        let idle = names.filter(|name| under_way(name) == 0).count();
        let idle_lane = Lane::default();
        let wish = |name| {
            let bounds = settings.bounds(name);
            Wish {
                under_way: under_way(name),
                more: lanes.get(name).unwrap_or(&idle_lane).room(bounds, now),
                known: bounds.known,
            }
        };
        let wishes: Vec<Wish> = due.iter().map(wish).collect();
        let granted = share(free, idle, &wishes);
        let plan = due.iter().cloned().zip(granted);
        plan.filter(|(_, count)| *count > 0).collect()
    }

    /// When a destination may be sent to that may not be now; none if that is not a matter of time.
    pub(super) fn opens(
        &self,
        settings: &Settings,
        name: &NetworkName,
        now: Instant,
    ) -> Option<Instant> {
        let lanes = self.lock();
        let lane = lanes.get(name)?;
        let paced = settings.bounds(name).rate;
        let paced = paced.and_then(|rate| lane.pace.opens(rate, now));
        paced.max(lane.breaker.opens(now))
    }

    /// One starts.
    pub(super) fn enter(&self, settings: &Settings, name: &NetworkName, now: Instant) -> Place {
        let mut lanes = self.lock();
        let lane = lanes.entry(name.clone()).or_default();
        lane.under_way += 1;
        if let Some(rate) = settings.bounds(name).rate {
            lane.pace.spend(rate, now);
        }
        Place {
            all: self.clone(),
            name: name.clone(),
        }
    }

    /// Takes into account how an attempt ended.
    pub(super) fn heard(
        &self,
        settings: &Settings,
        name: &NetworkName,
        sign: Sign,
        (now, jitter): (Instant, u16),
    ) -> Option<Change> {
        let Bounds { most, terms, .. } = settings.bounds(name);
        let mut lanes = self.lock();
        let breaker = &mut lanes.entry(name.clone()).or_default().breaker;
        breaker.heard(sign, (terms, most), now, jitter)
    }

    /// Forgets every failure.
    pub(super) fn forgive(&self) {
        for lane in self.lock().values_mut() {
            lane.breaker = Breaker::default();
        }
    }

    /// How a destination stands.
    pub(super) fn standing(&self, name: &NetworkName, now: Instant) -> Standing {
        let lanes = self.lock();
        let lane = lanes.get(name);
        Standing {
            state: lane.map_or(State::Up, |lane| lane.breaker.state(now)),
            under_way: lane.map_or(0, |lane| lane.under_way),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NetworkName, Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(lane) = self.all.lock().get_mut(&self.name) {
            lane.under_way = lane.under_way.saturating_sub(1);
        }
    }
}

impl Lane {
    /// How many more may start.
    fn room(&self, bounds: Bounds, now: Instant) -> usize {
        let room = self.breaker.room(bounds.most, now);
        let room = room.saturating_sub(self.under_way);
        let paced = bounds.rate.map(|rate| self.pace.room(rate, now));
        room.min(paced.unwrap_or(usize::MAX))
    }
}

impl Settings {
    /// Postbacks under way at once, to all together: never fewer than there are destinations.
    fn bound(&self) -> usize {
        self.concurrency.max(self.destinations.len()).max(1)
    }

    fn bounds(&self, name: &NetworkName) -> Bounds {
        let destination = self.destinations.get(name);
        Bounds {
            most: destination.map_or(self.concurrency, |one| one.concurrency),
            rate: destination.and_then(|one| one.rate),
            terms: self.rest,
            known: destination.is_some(),
        }
    }
}

/// Shares `free` places among these, the one that has least first; of equals the first. One place
/// is kept for each of the `idle` ones, which have none.
fn share(mut free: usize, mut idle: usize, wishes: &[Wish]) -> Vec<usize> {
    let mut granted = vec![0_usize; wishes.len()];
    while free > 0 {
        let open = wishes.iter().zip(&mut granted).filter(|(wish, granted)| {
            let first = wish.known && wish.under_way + **granted == 0;
            **granted < wish.more && (first || free > idle)
        });
        let least = open.min_by_key(|(wish, granted)| wish.under_way + **granted);
        let Some((wish, granted)) = least else { break };
        if wish.known && wish.under_way + *granted == 0 {
            idle = idle.saturating_sub(1);
        }
        *granted += 1;
        free -= 1;
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn wish(under_way: usize, more: usize) -> Wish {
        Wish {
            under_way,
            more,
            known: true,
        }
    }

    #[test]
    fn places_are_shared() {
        let cases = [
            // One alone has them all, and what it may have at most.
            (8, 1, vec![wish(0, 8)], vec![8]),
            (8, 1, vec![wish(0, 3)], vec![3]),
            // A place is kept for the one that has nothing due.
            (8, 2, vec![wish(0, 8)], vec![7]),
            (1, 1, vec![wish(7, 8)], vec![0]),
            // Whoever has least is first; equals share.
            (8, 2, vec![wish(0, 8), wish(0, 8)], vec![4, 4]),
            (3, 0, vec![wish(5, 8), wish(1, 8)], vec![0, 3]),
            (1, 1, vec![wish(7, 8), wish(0, 8)], vec![0, 1]),
            (8, 2, vec![wish(0, 8), wish(0, 1)], vec![7, 1]),
            (0, 0, vec![wish(4, 4), wish(4, 4)], vec![0, 0]),
        ];
        for (free, idle, wishes, granted) in cases {
            let shared = share(free, idle, &wishes);
            assert_eq!(shared, granted, "{free} {idle} {wishes:?}");
        }
    }

    proptest! {
        /// However they come and go, the bound holds, and whoever has nothing under way gets a place.
        #[test]
        fn nobody_starves(
            bound in 4_usize..12,
            deeds in prop::collection::vec((0_usize..4, 0_usize..12, any::<bool>()), 1..60),
        ) {
            let mut under_way = [0_usize; 4];
            for (which, more, ends) in deeds {
                if ends {
                    under_way[which] = under_way[which].saturating_sub(more);
                    continue;
                }
                let free = bound - under_way.iter().sum::<usize>();
                let idle = under_way.iter().filter(|count| **count == 0).count();
                let granted = share(free, idle, &[wish(under_way[which], more)]);
                prop_assert!(under_way[which] > 0 || more == 0 || granted[0] > 0);
                under_way[which] += granted[0];
                prop_assert!(under_way.iter().sum::<usize>() <= bound);
            }
        }
    }
}
