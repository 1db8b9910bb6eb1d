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

/// How long after a checkout step no click is taken from somebody who has one already: who is about
/// to pay was won before (domain.md §4, extensions that follow a link at the checkout).
pub const GUARDED: Duration = Duration::from_secs(30 * 60);

/// How long a checkout step shows that a visit bought.
pub const STEP_COUNTS: Duration = Duration::from_secs(24 * 60 * 60);

/// How long one step stands for the further ones: each that is noted costs a cookie.
pub const STEP_PAUSE: Duration = Duration::from_secs(5 * 60);

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
    /// changes nothing, nor does anything shortly after a checkout step ([`GUARDED`]). Under first
    /// click a live click is not replaced.
    pub fn take(
        &mut self,
        click: Click,
        arrival: Arrival,
        identifies: Identifies,
        attribution: Attribution,
    ) -> bool {
        if arrival == Arrival::Reload || self.is_guarded(click.at) {
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
    /// changes nothing, as shortly after a checkout step here ([`GUARDED`]).
    ///
    /// A network keeps the newer of two clicks, or the older under first click. There an old click
    /// could take a live one's place, so one that may be `somebody_elses` is not taken at all.
    pub fn adopt(
        &mut self,
        click: Click,
        attribution: Attribution,
        somebody_elses: bool,
        now: Time,
    ) -> bool {
        let is_foreign = attribution == Attribution::FirstClick && somebody_elses;
        if is_foreign || self.is_guarded(now) {
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

    /// Whether a checkout step was seen so lately that no click is taken any more.
    fn is_guarded(&self, now: Time) -> bool {
        let step = |step: Time| now.since(step) < GUARDED && step.since(now) <= SKEW;
        self.checkout.is_some_and(step)
    }

    /// Notes a checkout step; false if it says nothing new: one was noted lately, after every click.
    pub fn step(&mut self, now: Time) -> bool {
        let is_known = |step: Time| {
            let lately = now.since(step) < STEP_PAUSE && step.since(now) <= SKEW;
            lately && self.clicks.iter().all(|click| click.at <= step)
        };
        if self.checkout.is_some_and(is_known) {
            return false;
        }
        self.checkout = Some(now);
        true
    }

    /// The checkout step that shows that who came by `click` has bought by `now`: one after the
    /// click, within [`STEP_COUNTS`].
    pub fn step_after(&self, click: &Click, now: Time) -> Option<Time> {
        let counts = |step: &Time| {
            now.since(*step) <= STEP_COUNTS && step.since(now) <= SKEW && click.at <= *step
        };
        self.checkout.filter(counts)
    }

    /// Whether it was at the checkout after its newest click, so lately that it counts.
    pub fn has_passed_checkout(&self, now: Time) -> bool {
        let newest = self.clicks.iter().max_by_key(|click| click.at);
        newest.is_some_and(|click| self.step_after(click, now).is_some())
    }

    /// Whether it makes no difference which of two visits somebody has: they are one, or have the
    /// very same clicks, as those of two hosts between which the clicks were handed over.
    pub fn credits_as(&self, other: &Self) -> bool {
        let pairs = || self.clicks.iter().zip(&other.clicks);
        let are_same = || pairs().all(|(one, other)| one.is(other));
        self.id == other.id || (self.clicks.len() == other.clicks.len() && are_same())
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
mod tests;
