//! Guard: who opens more confirmations than a shopper does, and which visits are in many hands.
//!
//! A shop that thanks for any id lets anybody try them one after the other; a cache that keeps our cookie gives one
//! visit to many. Neither shows in one exchange, so what was seen lately is kept here: in memory, bounded, and of this
//! process alone.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;

use crate::clock::Time;
use crate::order::{Doubt, OrderKey, Suspicion};
use crate::visit::{Visit, VisitId};

/// How long what was seen counts.
const LATELY: Duration = Duration::from_secs(60 * 60);

/// Visits, and addresses, that are kept in mind; further ones are not watched until others are forgotten.
const KEPT: usize = 65_536;

/// From how many an order is held. 0 is never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whoever comes from there is credited nothing before the operator has looked.
    pub blocked: Vec<IpNet>,
    /// Order ids that one visit may be seen with in an hour.
    pub ids_per_visit: usize,
    /// Order ids that one address may be seen with in an hour, by those who were not seen to buy.
    pub ids_per_address: usize,
    /// The same of those who were: many shoppers share the address of a carrier or a company.
    pub buyers_per_address: usize,
    /// Networks that one visit may be seen from in an hour.
    pub networks_per_visit: usize,
}

/// One look at a confirmation.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The order that it shows.
    pub order: &'a OrderKey,
    /// Whose it is, if that is known.
    pub visit: Option<&'a Visit>,
    /// Where he is; none of one who has refused to be remembered.
    pub address: Option<IpAddr>,
}

/// What was seen lately. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Guard(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    ids: HashMap<Who, Vec<(u64, Time)>>,
    networks: HashMap<VisitId, Vec<(IpNet, Time)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Visit(VisitId),
    Address(IpAddr),
    /// Those at the address who were at the checkout. They are counted apart: else the many who come without a
    /// link would use up what is left for those who came by one.
    BuyersAt(IpAddr),
}

impl Guard {
    /// Takes note of a look, and says what is wrong with it.
    pub fn look(&self, look: &Look<'_>, settings: &Settings, now: Time) -> Option<Suspicion> {
        let mut seen = self.seen();
        let enumerated = seen.enumerated(look, settings, now);
        let shared = seen.shared(look, settings.networks_per_visit, now);
        drop(seen);
        enumerated
            .or(shared)
            .or_else(|| blocked(look, &settings.blocked))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // What it holds is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn enumerated(&mut self, look: &Look<'_>, settings: &Settings, now: Time) -> Option<Suspicion> {
        let mut hasher = DefaultHasher::new();
        look.order.hash(&mut hasher);
        let id = hasher.finish();
        let is_buyer = |visit: &Visit| visit.has_passed_checkout(now);
        let address = look.address.filter(|address| is_public(*address));
        let of_visit = look.visit.map(|visit| {
            let who = Who::Visit(visit.id);
            (who, settings.ids_per_visit, "one visit")
        });
        let of_address = address
            .map(subscriber)
            .map(|at| match look.visit.is_some_and(is_buyer) {
                true => (
                    Who::BuyersAt(at),
                    settings.buyers_per_address,
                    "the buyers at one address",
                ),
                false => (Who::Address(at), settings.ids_per_address, "one address"),
            });
        let mut words = None;
        for (who, most, whose) in [of_visit, of_address].into_iter().flatten() {
            if !note(&mut self.ids, who, (id, most), now) {
                words.get_or_insert_with(|| {
                    format!("more than {most} order ids in an hour from {whose}: it claims no id")
                });
            }
        }
        words.map(|words| Suspicion {
            doubt: Doubt::TooMany,
            words,
        })
    }

    fn shared(&mut self, look: &Look<'_>, most: usize, now: Time) -> Option<Suspicion> {
        let (visit, address) = look.visit.map(|visit| visit.id).zip(look.address)?;
        if note(&mut self.networks, visit, (network(address), most), now) {
            return None;
        }
        Some(Suspicion {
            doubt: Doubt::ManyNetworks,
            words: format!(
                "visit {visit} was seen from more than {most} networks in an hour: does a cache keep our cookie?"
            ),
        })
    }
}

/// Notes that `who` was seen with `what`; false if it is a new one above `most`. Then it is not kept.
fn note<W: Copy + Eq + Hash, T: PartialEq>(
    lately: &mut HashMap<W, Vec<(T, Time)>>,
    who: W,
    (what, most): (T, usize),
    now: Time,
) -> bool {
    if most == 0 {
        return true;
    }
    if lately.len() >= KEPT && !lately.contains_key(&who) {
        lately.retain(|_, seen| seen.iter().any(|(_, at)| now.since(*at) < LATELY));
        if lately.len() >= KEPT {
            return true;
        }
    }
    let seen = lately.entry(who).or_default();
    seen.retain(|(_, at)| now.since(*at) < LATELY);
    if seen.iter().any(|(known, _)| *known == what) {
        return true;
    }
    let fits = seen.len() < most;
    if fits {
        seen.push((what, now));
    }
    fits
}

fn blocked(look: &Look<'_>, blocked: &[IpNet]) -> Option<Suspicion> {
    let address = look.address?;
    let block = blocked.iter().find(|block| block.contains(&address))?;
    Some(Suspicion {
        doubt: Doubt::Blocked,
        words: format!("its address is in {block}, which is blocked"),
    })
}

/// One that a shopper has of his own, or shares with a few: not this machine's, and not one of a private network, where
/// another proxy may stand before us.
const fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_private() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unique_local() && !v6.is_unicast_link_local(),
    }
}

/// What a subscriber is given: an address, by IPv6 64 bits of one.
fn subscriber(address: IpAddr) -> IpAddr {
    within(address, 32, 64).network()
}

/// What a provider or a company has: 24 bits, by IPv6 48.
fn network(address: IpAddr) -> IpNet {
    within(address, 24, 48)
}

/// The block of so many bits that it lies in.
fn within(address: IpAddr, v4: u8, v6: u8) -> IpNet {
    let bits = if address.is_ipv4() { v4 } else { v6 };
    // Both widths are possible ones.
    IpNet::new(address, bits).map_or_else(|_| address.into(), |block| block.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::click::Click;

    const START: Time = Time::from_millis(1_795_392_000_000);

    fn minute(minute: u64) -> Time {
        START.plus(Duration::from_secs(60 * minute))
    }

    fn settings() -> Settings {
        Settings {
            blocked: vec!["198.51.100.0/24".parse().unwrap()],
            ids_per_visit: 2,
            ids_per_address: 3,
            buyers_per_address: 2,
            networks_per_visit: 2,
        }
    }

    fn click() -> Click {
        Click {
            network: "aspire".parse().unwrap(),
            values: Default::default(),
            at: START,
            came: Default::default(),
        }
    }

    struct Looks(Guard);

    impl Looks {
        fn doubt(&self, id: &str, visit: Option<u128>, address: &str, at: u64) -> Option<Doubt> {
            self.of((id, false), visit, address, at)
        }

        fn of(
            &self,
            (id, is_buyer): (&str, bool),
            visit: Option<u128>,
            address: &str,
            at: u64,
        ) -> Option<Doubt> {
            let order = OrderKey {
                namespace: "demo".parse().unwrap(),
                id: id.parse().unwrap(),
            };
            let visit = visit.map(|id| Visit {
                checkout: is_buyer.then_some(minute(at)),
                ..Visit::new(VisitId(id), click())
            });
            let look = Look {
                order: &order,
                visit: visit.as_ref(),
                address: (!address.is_empty()).then(|| address.parse().unwrap()),
            };
            let suspicion = self.0.look(&look, &settings(), minute(at));
            suspicion.map(|suspicion| suspicion.doubt)
        }
    }

    #[test]
    fn a_visit_has_so_many_ids_in_an_hour_and_reloads_are_none() {
        let looks = Looks(Guard::default());
        let doubt = |id, at| looks.doubt(id, Some(7), "", at);
        assert_eq!(doubt("1", 0), None);
        assert_eq!(doubt("2", 1), None);
        assert_eq!(doubt("1", 2), None, "a reload");
        assert_eq!(doubt("3", 3), Some(Doubt::TooMany));
        assert_eq!(doubt("3", 4), Some(Doubt::TooMany), "it was not kept");
        assert_eq!(looks.doubt("3", Some(8), "", 5), None, "another visit");
        assert_eq!(doubt("3", 60), None, "the first one is an hour old");
        assert_eq!(doubt("4", 60), Some(Doubt::TooMany));
    }

    #[test]
    fn an_address_has_so_many_ids_whoever_comes_from_it() {
        let looks = Looks(Guard::default());
        for (id, visit) in [("1", None), ("2", Some(1)), ("3", Some(2))] {
            assert_eq!(looks.doubt(id, visit, "203.0.113.7", 0), None, "{id}");
        }
        let fourth = |visit, address| looks.doubt("4", visit, address, 1);
        assert_eq!(fourth(Some(3), "203.0.113.7"), Some(Doubt::TooMany));
        assert_eq!(fourth(None, "203.0.113.8"), None, "a neighbour");
        for private in ["127.0.0.1", "10.1.2.3", "192.168.0.9", "fd00::1", "::1"] {
            for id in ["1", "2", "3", "4", "5"] {
                assert_eq!(looks.doubt(id, None, private, 0), None, "{private} {id}");
            }
        }
        for (id, address) in [
            ("1", "2001:db8::1"),
            ("2", "2001:db8::2"),
            ("3", "2001:db8::3"),
        ] {
            assert_eq!(looks.doubt(id, None, address, 0), None);
        }
        let same = looks.doubt("4", None, "2001:db8::ffff", 0);
        assert_eq!(same, Some(Doubt::TooMany), "the same 64 bits");
    }

    #[test]
    fn who_was_at_the_checkout_is_counted_apart_at_an_address() {
        let looks = Looks(Guard::default());
        for id in ["1", "2", "3", "4"] {
            looks.doubt(id, None, "203.0.113.7", 0);
        }
        let buyer = |id, visit| looks.of((id, true), Some(visit), "203.0.113.7", 1);
        assert_eq!(buyer("11", 1), None, "the address is full of others");
        assert_eq!(buyer("12", 2), None);
        assert_eq!(buyer("13", 3), Some(Doubt::TooMany));
        assert_eq!(buyer("11", 1), None, "a reload");
    }

    #[test]
    fn a_visit_in_many_networks_is_in_many_hands() {
        let looks = Looks(Guard::default());
        let doubt = |address, at| looks.doubt("1", Some(7), address, at);
        assert_eq!(doubt("203.0.113.7", 0), None);
        assert_eq!(doubt("203.0.113.99", 1), None, "the same network");
        assert_eq!(doubt("192.0.2.1", 2), None, "home, then on the way");
        assert_eq!(doubt("192.0.3.1", 3), Some(Doubt::ManyNetworks));
        assert_eq!(doubt("192.0.2.1", 4), None, "seen before");
        assert_eq!(doubt("192.0.3.1", 61), None, "an hour later");
    }

    #[test]
    fn a_blocked_address_is_held() {
        let looks = Looks(Guard::default());
        assert_eq!(
            looks.doubt("1", Some(7), "198.51.100.3", 0),
            Some(Doubt::Blocked)
        );
        assert_eq!(looks.doubt("1", Some(8), "198.51.101.3", 0), None);
        assert_eq!(looks.doubt("1", Some(8), "", 0), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let guard = Guard::default();
        let mut lately = HashMap::new();
        for who in 0..KEPT + 10 {
            assert!(note(&mut lately, who, (0, 1), START));
        }
        assert_eq!(lately.len(), KEPT);
        assert!(note(&mut lately, KEPT + 1, (1, 1), START), "not watched");
        assert!(note(&mut lately, KEPT + 1, (1, 1), minute(61)));
        assert_eq!(lately.len(), 1, "the others are forgotten");
        drop(guard);
    }
}
