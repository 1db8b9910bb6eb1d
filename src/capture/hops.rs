//! Whether asking a sibling store by a redirect is of use.
//!
//! A hop that does not come back has cost a shopper his page: the sibling is down, or something
//! on the way takes our parameter out. One that comes back without the marker cookie will be made
//! again with every page: the browser takes no cookies. When most hops end so, no more are made.
//!
//! An address counts once, whatever is asked from it: otherwise somebody who asks on purpose and does not
//! come back could silence asking by himself.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Time;

/// What is counted together.
const SPAN: Duration = Duration::from_secs(60);

/// So many spans are looked at, beside the present one.
const SPANS: usize = 10;

/// Spans that began longer ago say nothing of today.
const REACH: Duration = Duration::from_secs(11 * 60);

/// Most addresses that are remembered; hops from others count for nothing meanwhile.
const ADDRESSES: usize = 10_000;

/// Fewer hops than these prove nothing.
const ENOUGH: u32 = 20;

/// How long nobody is asked after most hops went wrong.
const REST: Duration = Duration::from_secs(60 * 60);

/// The hops of the last minutes, by one configuration.
#[derive(Debug, Default)]
pub struct Hops(Mutex<Tally>);

#[derive(Debug, Default)]
struct Tally {
    spans: VecDeque<Span>,
    /// When the hop of an address that is counted was made, and whether it has come back.
    counted: HashMap<IpAddr, (Time, bool)>,
    resting: Option<Time>,
}

#[derive(Debug)]
struct Span {
    began: Time,
    asked: u32,
    returned: u32,
}

/// What becomes of a wish to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ask; it is counted.
    Ask,
    /// Do not ask.
    Rest,
    /// Do not ask: so many of so many hops went wrong, which has just been found.
    Fails {
        /// Hops that were made.
        asked: u32,
        /// Hops that came back.
        returned: u32,
    },
}

impl Hops {
    /// Another store is about to be asked about somebody at this address.
    pub fn ask(&self, client: IpAddr, now: Time) -> Verdict {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tally.ask(network(client), now)
    }

    /// A hop has come back to this address, and with the marker.
    pub fn returned(&self, client: IpAddr, now: Time) {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tally.returned(network(client), now);
    }
}

/// What tells one shopper's address from another's: one of IPv6 may be any of its network's. None where it
/// tells nothing: a proxy that is not named as trusted stands before everybody.
fn network(client: IpAddr) -> Option<IpAddr> {
    match client.to_canonical() {
        IpAddr::V4(four) => {
            let is_inner = four.is_private() || four.is_loopback() || four.is_link_local();
            (!is_inner).then_some(IpAddr::V4(four))
        }
        IpAddr::V6(six) => {
            let is_inner =
                six.is_loopback() || six.is_unique_local() || six.is_unicast_link_local();
            let network = Ipv6Addr::from_bits(six.to_bits() & (u128::MAX << 64));
            (!is_inner).then_some(IpAddr::V6(network))
        }
    }
}

impl Tally {
    fn ask(&mut self, client: Option<IpAddr>, now: Time) -> Verdict {
        if self.resting.is_some_and(|until| now < until) {
            return Verdict::Rest;
        }
        self.resting = None;
        let began = self.span(now).began;
        let over = self.spans.iter().filter(|span| span.began != began);
        let (asked, returned) = over.fold((0, 0), |(asked, returned), span| {
            (asked + span.asked, returned + span.returned)
        });
        if asked >= ENOUGH && returned < asked / 2 {
            self.spans.clear();
            self.counted.clear();
            self.resting = Some(now.plus(REST));
            return Verdict::Fails { asked, returned };
        }
        if self.counts(client, now) {
            self.span(now).asked += 1;
        }
        Verdict::Ask
    }

    /// Whether a hop from there is one more.
    fn counts(&mut self, client: Option<IpAddr>, now: Time) -> bool {
        let Some(client) = client else {
            return true;
        };
        let is_new = self.counted.len() < ADDRESSES && !self.counted.contains_key(&client);
        if is_new {
            self.counted.insert(client, (now, false));
        }
        is_new
    }

    fn returned(&mut self, client: Option<IpAddr>, now: Time) {
        let has_returned = match client {
            Some(client) => match self.counted.get_mut(&client) {
                Some((_, has_returned)) => has_returned,
                // Its hop was not counted.
                None => return,
            },
            None => &mut false,
        };
        if !std::mem::replace(has_returned, true) {
            self.span(now).returned += 1;
        }
    }

    /// The present span; those that are too old are forgotten.
    fn span(&mut self, now: Time) -> &mut Span {
        let fresh = Span {
            began: now,
            asked: 0,
            returned: 0,
        };
        let is_present = |span: &Span| now.since(span.began) < SPAN && span.began.since(now) < SPAN;
        let present = match self.spans.pop_back() {
            Some(last) if is_present(&last) => last,
            last => {
                self.spans.extend(last);
                let is_near = |at: Time| now.since(at) <= REACH && at.since(now) <= REACH;
                self.counted.retain(|_, (at, _)| is_near(*at));
                fresh
            }
        };
        let is_old = |span: &Span| now.since(span.began) > REACH;
        while self.spans.len() > SPANS || self.spans.front().is_some_and(is_old) {
            self.spans.pop_front();
        }
        self.spans.push_back_mut(present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_millis(1_000 * seconds)
    }

    /// An address of this second's own.
    fn address(second: i64) -> IpAddr {
        let low = u32::try_from(second).unwrap();
        IpAddr::V4((0x0800_0000 | low).into())
    }

    /// One hop a second from addresses of their own, of which every `good`th comes back.
    fn play(hops: &Hops, from: i64, seconds: i64, good: i64) -> Option<(i64, Verdict)> {
        play_from(hops, from, seconds, good, address)
    }

    fn play_from(
        hops: &Hops,
        from: i64,
        seconds: i64,
        good: i64,
        address: impl Fn(i64) -> IpAddr,
    ) -> Option<(i64, Verdict)> {
        for second in from..from + seconds {
            match hops.ask(address(second), at(second)) {
                Verdict::Ask if second % good == 0 => hops.returned(address(second), at(second)),
                Verdict::Ask => {}
                verdict => return Some((second, verdict)),
            }
        }
        None
    }

    #[test]
    fn hops_that_come_back_go_on() {
        assert_eq!(play(&Hops::default(), 0, 2_000, 1), None);
        assert_eq!(play(&Hops::default(), 0, 2_000, 2), None);
    }

    #[test]
    fn a_minute_of_hops_that_do_not_is_enough_for_an_hour() {
        let hops = Hops::default();
        let (asked, returned) = (60, 20);
        let failed = Some((60, Verdict::Fails { asked, returned }));
        assert_eq!(play(&hops, 0, 2_000, 3), failed);
        assert_eq!(hops.ask(address(61), at(61)), Verdict::Rest);
        assert_eq!(hops.ask(address(62), at(3_659)), Verdict::Rest);
        assert_eq!(hops.ask(address(63), at(3_660)), Verdict::Ask);
    }

    #[test]
    fn one_address_alone_proves_nothing() {
        for one in ["203.0.113.7", "::ffff:203.0.113.7", "2001:db8::1"] {
            let hops = Hops::default();
            let never = i64::MAX;
            let one = |_| one.parse().unwrap();
            assert_eq!(play_from(&hops, 1, 2_000, never, one), None);
            // Nor that all is well.
            let failed = play(&hops, 2_001, 200, never);
            assert!(
                matches!(failed, Some((_, Verdict::Fails { returned: 0, .. }))),
                "{failed:?}"
            );
        }
        // Somebody has a whole network of IPv6.
        let hops = Hops::default();
        let many = |second| format!("2001:db8::{second:x}").parse().unwrap();
        assert_eq!(play_from(&hops, 1, 2_000, i64::MAX, many), None);
        let networks = |second| format!("2001:db8:0:{second:x}::1").parse().unwrap();
        assert!(play_from(&hops, 2_001, 200, i64::MAX, networks).is_some());
    }

    #[test]
    fn nobody_hides_that_others_do_not_come_back() {
        let hops = Hops::default();
        let one = "203.0.113.7".parse().unwrap();
        let failed = (0..200).find_map(|second| {
            for _ in 0..20 {
                hops.ask(one, at(second));
                hops.returned(one, at(second));
            }
            match hops.ask(address(second), at(second)) {
                Verdict::Ask => None,
                verdict => Some(verdict),
            }
        });
        // The one who asks first in the second minute is told, the next one that there is a rest.
        assert_eq!(failed, Some(Verdict::Rest));
    }

    #[test]
    fn behind_a_proxy_that_is_not_trusted_every_hop_counts() {
        for proxy in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
        ] {
            let hops = Hops::default();
            let proxy = |_| proxy.parse().unwrap();
            let failed = play_from(&hops, 1, 2_000, 3, proxy);
            assert!(
                matches!(failed, Some((_, Verdict::Fails { .. }))),
                "{failed:?}"
            );
            assert_eq!(play_from(&Hops::default(), 0, 2_000, 1, proxy), None);
        }
    }

    #[test]
    fn no_more_addresses_are_kept_than_may_be() {
        let hops = Hops::default();
        for number in 0..20_000 {
            hops.ask(address(number), at(0));
        }
        assert_eq!(hops.0.lock().unwrap().counted.len(), ADDRESSES);
        hops.ask(address(1), at(1_000));
        assert_eq!(
            hops.0.lock().unwrap().counted.len(),
            1,
            "old ones are forgotten"
        );
    }

    #[test]
    fn a_few_prove_nothing_and_old_ones_are_forgotten() {
        let hops = Hops::default();
        for minute in 0..100 {
            let verdict = hops.ask(address(minute), at(minute * 61));
            assert_eq!(verdict, Verdict::Ask, "{minute}");
        }
        for day in 1..100 {
            let hop = play(&hops, day * 86_400, 15, i64::MAX);
            assert_eq!(hop, None, "{day}");
        }
        let hops = Hops::default();
        for minute in 0..40 {
            // Two a minute are twenty in ten.
            let verdict = hops.ask(address(minute), at(10_000 + minute * 30));
            let fails = matches!(verdict, Verdict::Fails { .. } | Verdict::Rest);
            assert_eq!(fails, minute >= 20, "{minute} {verdict:?}");
        }
    }

    #[test]
    fn a_clock_that_jumps_back_begins_a_new_span() {
        let hops = Hops::default();
        assert_eq!(play(&hops, 10_000, 30, 1), None);
        assert_eq!(play(&hops, 0, 30, 1), None);
    }
}
