//! The retention: orders that are settled and older than what is kept lose their rows, and go on deduplicating by keyed
//! hashes of their ids.

use super::error::Error;
use super::{Engine, Ledger};
use crate::clock::Time;
use crate::name::Namespace;

/// Orders that are retired in one commit: another order waits for one of them at most.
pub const RETIRED: usize = 50;

/// Orders that are looked at for one commit. What is not settled is passed over.
pub(super) const LOOKED_AT: usize = 400;

/// Whether an order's postbacks let it go, as an expression over `orders`: each has its answer, or waits for nothing.
pub(super) const SETTLED: &str = "NOT EXISTS (SELECT 1 FROM postbacks WHERE order_id = orders.id
      AND state NOT IN ('accepted', 'duplicate', 'rejected', 'dead')
      AND NOT (state = 'held' AND doubt IN ('shadow', 'dry_run')))";

/// Where to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retiring {
    /// Of the last order that was looked at: when it was first seen, and its number in the ledger.
    pub(super) last: (i64, i64),
}

/// What became of one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retired {
    /// Orders whose rows are gone.
    pub orders: usize,
    /// Where to go on; none: every order that is old enough was looked at.
    pub next: Option<Retiring>,
}

impl Ledger {
    /// Retires up to [`RETIRED`] orders whose last change was before `before`, from `from` on; one commit.
    ///
    /// # Errors
    /// The database's: nothing of it is done.
    pub async fn retire(&self, before: Time, from: Retiring) -> Result<Retired, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.retire(before, from).await,
            Engine::Postgres(postgres) => postgres.retire(before, from).await,
        }
    }
}

/// Which of the orders looked at go, and where the next commit goes on.
pub(super) fn choose(looked_at: &[(Retiring, bool)]) -> (Vec<i64>, Option<Retiring>) {
    let mut chosen = Vec::new();
    for (place, goes) in looked_at {
        if *goes {
            chosen.push(place.last.1);
        }
        if chosen.len() == RETIRED {
            return (chosen, Some(*place));
        }
    }
    let more = looked_at.len() == LOOKED_AT;
    let next = looked_at.last().map(|(place, _)| *place);
    (chosen, next.filter(|_| more))
}

/// Where an order's ids are known when its row is gone: where they stood, and, if it claimed none of them and was
/// credited all the same on the operator's word, where they are claimed. It was told of, and is no new one there.
pub(super) fn known_in(stood: Namespace, standing: &str) -> Vec<Namespace> {
    let claimed = stood.claimed();
    match standing == "credited" && claimed != stood {
        true => vec![stood, claimed],
        false => vec![stood],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_bounded_and_the_next_goes_on_behind_it() {
        let place = |id: i64| Retiring { last: (7, id) };
        let all =
            |goes: bool, count: i64| -> Vec<_> { (0..count).map(|id| (place(id), goes)).collect() };
        assert_eq!(choose(&[]), (Vec::new(), None));
        let (chosen, next) = choose(&all(true, 400));
        assert_eq!((chosen.len(), next), (RETIRED, Some(place(49))));
        let (chosen, next) = choose(&all(false, 400));
        assert_eq!((chosen.len(), next), (0, Some(place(399))));
        let (chosen, next) = choose(&all(true, 3));
        assert_eq!((chosen, next), (vec![0, 1, 2], None));
    }
}
