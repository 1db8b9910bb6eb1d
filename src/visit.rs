//! A visit: what the sealed cookie says of a visitor. Pure.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::click::{Click, Identifies};
use crate::clock::Time;

/// How far another machine's clock may be ahead: a click from later than that counts as none.
///
/// Replicas share cookies, and a clock may be set back.
pub const SKEW: Duration = Duration::from_secs(5 * 60);

/// Which click is paid for when there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribution {
    /// The newest one, across networks. The default everywhere (domain.md §4).
    LastClick,
    /// The oldest one that is still within the window.
    FirstClick,
    /// Each network's newest one: an order then pays every network that has one.
    All,
}

/// What joins the exchanges of one visitor: 128 random bits, in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VisitId(pub u128);

impl fmt::Display for VisitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for VisitId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

impl TryFrom<String> for VisitId {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<VisitId> for String {
    fn from(id: VisitId) -> Self {
        id.to_string()
    }
}

/// A visitor who came over at least one affiliate's link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// Random; given with the first click.
    pub id: VisitId,
    /// At most one per network, oldest first; never empty.
    pub clicks: Vec<Click>,
    /// When a checkout step was last seen.
    pub checkout: Option<Time>,
}

/// How a link was followed, as far as the request tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// From another site: a click.
    CrossSite,
    /// From within the shop, typed in, or untold: the same values are no new click.
    Other,
    /// By reload or as a restored tab: no click, if there is one already.
    Reload,
}

impl Visit {
    /// A visitor's first click.
    pub fn new(id: VisitId, click: Click) -> Self {
        Self {
            id,
            clicks: vec![click],
            checkout: None,
        }
    }

    /// Takes in `click`; false if it changes nothing.
    ///
    /// A network keeps one click. The same values move its time only when they
    /// come from another site, and never where they name that very click. A reload
    /// changes nothing. Under first click a live click is not replaced.
    pub fn take(
        &mut self,
        click: Click,
        arrival: Arrival,
        identifies: Identifies,
        attribution: Attribution,
    ) -> bool {
        if arrival == Arrival::Reload {
            return false;
        }
        let known = self
            .clicks
            .iter()
            .position(|known| known.network == click.network);
        let Some(known) = known.map(|at| self.clicks.remove(at)) else {
            self.clicks.push(click);
            return true;
        };
        let same = known.values == click.values;
        let old_news = same && (identifies == Identifies::Click || arrival == Arrival::Other);
        let stays = old_news || attribution == Attribution::FirstClick;
        self.clicks.push(if stays { known } else { click });
        self.clicks.sort_by_key(|click| click.at);
        !stays
    }

    /// Takes in a click that another store knows of, with the time that it had there; false if it
    /// changes nothing.
    ///
    /// A network keeps the newer of two clicks, or the older under first click. There an old click
    /// could take a live one's place, so one that may be `somebody_elses` is not taken at all.
    pub fn adopt(&mut self, click: Click, attribution: Attribution, somebody_elses: bool) -> bool {
        if attribution == Attribution::FirstClick && somebody_elses {
            return false;
        }
        let of_network = |known: &&mut Click| known.network == click.network;
        match self.clicks.iter_mut().find(of_network) {
            Some(known) => {
                let wins = match attribution {
                    Attribution::LastClick | Attribution::All => click.at > known.at,
                    Attribution::FirstClick => click.at < known.at,
                };
                if !wins {
                    return false;
                }
                *known = click;
            }
            None => self.clicks.push(click),
        }
        self.clicks.sort_by_key(|click| click.at);
        true
    }

    /// Whether it makes no difference which of two visits somebody has: they are one, or have the
    /// very same clicks, as those of two hosts between which the clicks were handed over.
    pub fn credits_as(&self, other: &Self) -> bool {
        self.id == other.id || self.clicks == other.clicks
    }

    /// Forgets the clicks that are older than `window`, or from the future ([`SKEW`]); none if no
    /// click is left.
    pub fn within(mut self, window: Duration, now: Time) -> Option<Self> {
        self.clicks.retain(|click| is_live(click, window, now));
        (!self.clicks.is_empty()).then_some(self)
    }

    /// The click that an order at `now` is owed to, or to first of all, if one is within `window`.
    ///
    /// Of clicks of one millisecond (one link that carries the parameters of several networks) the
    /// last one is the later in `clicks`, so in the order of the configuration, and the first one the earlier.
    pub fn credited(
        &self,
        attribution: Attribution,
        window: Duration,
        now: Time,
    ) -> Option<&Click> {
        let live = self
            .clicks
            .iter()
            .filter(|click| is_live(click, window, now));
        match attribution {
            Attribution::LastClick | Attribution::All => live.max_by_key(|click| click.at),
            Attribution::FirstClick => live.min_by_key(|click| click.at),
        }
    }

    /// Every click that an order at `now` is owed to: the [`credited`](Self::credited) one, and under
    /// [`Attribution::All`] behind it each other network's newest, from the newest to the oldest.
    pub fn owed(&self, attribution: Attribution, window: Duration, now: Time) -> Vec<&Click> {
        if attribution != Attribution::All {
            let credited = self.credited(attribution, window, now);
            return credited.into_iter().collect();
        }
        let clicks = self.clicks.iter().rev();
        let mut live: Vec<&Click> = clicks.filter(|click| is_live(click, window, now)).collect();
        live.sort_by_key(|click| Reverse(click.at));
        let mut told = Vec::with_capacity(live.len());
        live.retain(|click| {
            let first = !told.contains(&&click.network);
            told.push(&click.network);
            first
        });
        live
    }
}

/// Whether a click counts at `now`: within `window`, and not further in the future than clocks
/// are apart ([`SKEW`]).
pub fn is_live(click: &Click, window: Duration, now: Time) -> bool {
    now.since(click.at) <= window && click.at.since(now) <= SKEW
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn click(network: &str, id: &str, day: i64) -> Click {
        Click {
            network: network.parse().unwrap(),
            values: [("id".to_owned(), id.to_owned())].into(),
            at: Time::from_millis(day * 86_400_000),
        }
    }

    fn visit(clicks: &[Click]) -> Visit {
        Visit {
            id: VisitId(7),
            clicks: clicks.to_vec(),
            checkout: None,
        }
    }

    #[test]
    fn the_last_or_the_first_live_click_is_credited() {
        let visit = visit(&[click("a", "1", 0), click("b", "2", 5)]);
        let window = Duration::from_secs(30 * DAY);
        let credited = |attribution, day: i64| {
            let now = Time::from_millis(day * 86_400_000);
            let click = visit.credited(attribution, window, now)?;
            Some(click.network.as_str().to_owned())
        };
        assert_eq!(credited(Attribution::LastClick, 10).as_deref(), Some("b"));
        assert_eq!(credited(Attribution::FirstClick, 10).as_deref(), Some("a"));
        assert_eq!(credited(Attribution::FirstClick, 30).as_deref(), Some("a"));
        assert_eq!(credited(Attribution::FirstClick, 31).as_deref(), Some("b"));
        assert_eq!(credited(Attribution::LastClick, 36), None);
    }

    #[test]
    fn a_click_from_the_future_counts_only_within_the_skew() {
        let now = Time::from_millis(86_400_000);
        let window = Duration::from_secs(30 * DAY);
        for (ahead, counts) in [
            (Duration::ZERO, true),
            (SKEW, true),
            (SKEW + Duration::from_millis(1), false),
            (Duration::MAX, false),
        ] {
            let mut visit = visit(&[click("a", "1", 0)]);
            visit.clicks[0].at = now.plus(ahead);
            let credited = visit.credited(Attribution::LastClick, window, now);
            assert_eq!(credited.is_some(), counts, "{ahead:?}");
            assert_eq!(visit.within(window, now).is_some(), counts, "{ahead:?}");
        }
    }

    #[test]
    fn under_all_every_networks_newest_live_click_is_owed() {
        let clicks = [
            click("a", "1", 0),
            click("b", "2", 5),
            click("c", "3", 5),
            click("b", "4", 6),
        ];
        let visit = visit(&clicks);
        let owed = |attribution, day: i64| {
            let (window, now) = (
                Duration::from_secs(30 * DAY),
                Time::from_millis(day * 86_400_000),
            );
            let owed = visit.owed(attribution, window, now).into_iter();
            owed.map(|click| click.values["id"].as_str())
                .collect::<String>()
        };
        assert_eq!(owed(Attribution::All, 10), "431");
        assert_eq!(owed(Attribution::All, 31), "43", "one is too old");
        assert_eq!(owed(Attribution::All, 40), "");
        assert_eq!(owed(Attribution::LastClick, 10), "4");
        assert_eq!(owed(Attribution::FirstClick, 10), "1");
    }

    #[test]
    fn of_clicks_of_one_millisecond_the_later_in_their_order_is_the_last() {
        let visit = visit(&[click("a", "1", 5), click("b", "2", 5)]);
        let (window, now) = (Duration::from_secs(DAY), Time::from_millis(5 * 86_400_000));
        let credited = |attribution| {
            let click = visit.credited(attribution, window, now).unwrap();
            let owed = visit.owed(attribution, window, now);
            assert_eq!(owed[0], click);
            (click.network.as_str(), owed.len())
        };
        assert_eq!(credited(Attribution::LastClick), ("b", 1));
        assert_eq!(credited(Attribution::FirstClick), ("a", 1));
        assert_eq!(credited(Attribution::All), ("b", 2));
    }

    #[test]
    fn the_same_values_move_the_time_only_from_another_site() {
        let old = visit(&[click("a", "1", 0)]);
        let (last, first) = (Attribution::LastClick, Attribution::FirstClick);
        for (values, arrival, identifies, attribution, day) in [
            ("1", Arrival::Other, Identifies::Partner, last, 0),
            ("1", Arrival::CrossSite, Identifies::Partner, last, 9),
            ("2", Arrival::Reload, Identifies::Partner, last, 0),
            ("1", Arrival::CrossSite, Identifies::Click, last, 0),
            ("1", Arrival::CrossSite, Identifies::Partner, first, 0),
            ("2", Arrival::Other, Identifies::Partner, last, 9),
            ("2", Arrival::Other, Identifies::Click, last, 9),
            ("2", Arrival::CrossSite, Identifies::Partner, first, 0),
            (
                "2",
                Arrival::CrossSite,
                Identifies::Partner,
                Attribution::All,
                9,
            ),
        ] {
            let mut visit = old.clone();
            let changed = visit.take(click("a", values, 9), arrival, identifies, attribution);
            let expected = Time::from_millis(day * 86_400_000);
            let case = format!("{values} {arrival:?} {identifies:?} {attribution:?}");
            assert_eq!(visit.clicks[0].at, expected, "{case}");
            assert_eq!((visit.clicks.len(), changed), (1, day == 9), "{case}");
        }
    }

    #[test]
    fn another_stores_click_keeps_its_time_and_wins_by_it() {
        let (last, first) = (Attribution::LastClick, Attribution::FirstClick);
        let (known, newer) = (click("a", "1", 5), click("a", "2", 6));
        let (older, other) = (click("a", "2", 4), click("b", "2", 4));
        for (adopted, attribution, somebody_elses, expected) in [
            (&newer, last, false, vec![&newer]),
            (&newer, last, true, vec![&newer]),
            (&older, last, false, vec![&known]),
            (&known, last, false, vec![&known]),
            (&other, last, true, vec![&other, &known]),
            (&newer, first, false, vec![&known]),
            (&older, first, false, vec![&older]),
            (&other, first, false, vec![&other, &known]),
            (&older, first, true, vec![&known]),
            (&other, first, true, vec![&known]),
        ] {
            let mut visit = visit(std::slice::from_ref(&known));
            let before = visit.clone();
            let changed = visit.adopt(adopted.clone(), attribution, somebody_elses);
            let clicks: Vec<_> = visit.clicks.iter().collect();
            assert_eq!(
                clicks, expected,
                "{adopted:?} {attribution:?} {somebody_elses}"
            );
            assert_eq!(changed, visit != before);
        }
    }

    #[test]
    fn clicks_older_than_the_window_are_forgotten() {
        let window = Duration::from_secs(5 * DAY);
        let now = Time::from_millis(8 * 86_400_000);
        let left = visit(&[click("a", "1", 0), click("b", "2", 5)]).within(window, now);
        assert_eq!(left.unwrap().clicks, [click("b", "2", 5)]);
        assert_eq!(visit(&[click("a", "1", 0)]).within(window, now), None);
    }
}
