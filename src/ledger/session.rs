//! Sessions of the shop's, as the ledger is told and asked of them.

use crate::clock::Time;
use crate::session::Mark;
use crate::visit::Visit;

/// A session that came with a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its marks; the first is written, every one may be there.
    pub marks: Vec<Mark>,
    /// The visit.
    pub visit: Visit,
    /// When they came together.
    pub at: Time,
    /// Until when that is remembered.
    pub until: Time,
}

impl Session {
    /// What becomes of it where this was known, and the visit that is remembered from now on; none if it is shared.
    pub(super) fn written(&self, known: Known) -> (Written, Option<Visit>) {
        match known {
            Known::Shared => (Written::SharedBefore, None),
            Known::Visit(visit) if !visit.credits_as(&self.visit) => (Written::Shared, None),
            Known::Visit(visit) => (Written::Remembered, Some(newer(visit, &self.visit))),
            Known::Nothing => (Written::Remembered, Some(self.visit.clone())),
        }
    }

    /// The marks under which that is written. That it is shared is written under every one: whoever knows the
    /// older keys only finds it there.
    pub(super) fn written_under(&self, visit: Option<&Visit>) -> &[Mark] {
        let count = visit.map_or(self.marks.len(), |_one| 1);
        self.marks.get(..count).unwrap_or_default()
    }
}

/// What became of a session that is to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is remembered with its visit.
    Remembered,
    /// It came with another visit than before: from now on with none.
    Shared,
    /// It had come with two visits before.
    SharedBefore,
}

/// What is known of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It was not seen, or its time is over.
    Nothing,
    /// The one visit that it came with, as it was last.
    Visit(Visit),
    /// It came with two.
    Shared,
}

impl Known {
    /// What is known by one more of the session's marks: the visit found there, none if it is shared.
    pub(super) fn and(self, found: Option<Visit>) -> Self {
        match (self, found) {
            (Self::Shared, _) | (_, None) => Self::Shared,
            (Self::Visit(other), Some(visit)) if !other.credits_as(&visit) => Self::Shared,
            (Self::Visit(other), Some(visit)) => Self::Visit(newer(other, &visit)),
            (Self::Nothing, Some(visit)) => Self::Visit(visit),
        }
    }
}

/// Requests may overtake one another: the visit with the newest click, and of these with the newest
/// checkout step, is the visit as it is.
fn newer(known: Visit, now: &Visit) -> Visit {
    let newest = |visit: &Visit| {
        let click = visit.clicks.iter().map(|click| click.at).max();
        (click, visit.checkout)
    };
    if newest(&known) > newest(now) {
        return known;
    }
    now.clone()
}

/// Most that one piece of work sweeps away, so that no order waits for long.
pub(super) const SWEPT: u64 = 1000;

/// Swept by the way, with every piece of work that remembers: more than it adds.
pub(super) const BY_THE_WAY: u64 = 64;
