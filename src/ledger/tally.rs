//! How many postbacks are in each state, for whoever looks again and again: at a bounded cost, however many there are.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::Error;
use super::{Engine, Ledger};
use crate::postback::State;

/// Where postbacks end: more of them with every order, for ever.
const ENDED: [State; 4] = [
    State::Accepted,
    State::Duplicate,
    State::Rejected,
    State::Dead,
];

/// Counting that takes no longer is done whenever it is asked for.
const SHORT: Duration = Duration::from_millis(50);

/// What took longer is counted anew when so many times that time is over: so it costs a hundredth of a processor.
const REST: u32 = 100;

/// What was counted last of those that have ended. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(Arc<Mutex<Option<Kept>>>);

#[derive(Clone, Debug)]
struct Kept {
    counts: Vec<(State, u64)>,
    until: Instant,
}

impl Tally {
    fn kept(&self, now: Instant) -> Option<Vec<(State, u64)>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref().filter(|kept| now < kept.until);
        kept.map(|kept| kept.counts.clone())
    }

    fn keep(&self, counts: &[(State, u64)], begun: Instant, ended: Instant) {
        let took = ended.saturating_duration_since(begun);
        if took <= SHORT {
            return;
        }
        let kept = Kept {
            counts: counts.to_vec(),
            until: ended + took.saturating_mul(REST),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }
}

impl Ledger {
    /// How many postbacks are in each state, in the order of [`State::ALL`]. Read beside the writer. In a large
    /// ledger those that have ended are counted from time to time only: a minute or two apart with ten million.
    ///
    /// # Errors
    /// The database's.
    pub async fn states(&self) -> Result<Vec<(State, u64)>, Error> {
        let open = State::ALL
            .into_iter()
            .filter(|state| !ENDED.contains(state));
        let mut counts = self.count(open.collect()).await?;
        let begun = Instant::now();
        let ended = match self.tally.kept(begun) {
            Some(kept) => kept,
            None => {
                let counts = self.count(ENDED.to_vec()).await?;
                self.tally.keep(&counts, begun, Instant::now());
                counts
            }
        };
        counts.extend(ended);
        counts.sort_by_key(|(state, _)| State::ALL.iter().position(|one| one == state));
        Ok(counts)
    }

    async fn count(&self, states: Vec<State>) -> Result<Vec<(State, u64)>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.count(states).await,
            Engine::Postgres(postgres) => postgres.count(states).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_long_is_kept_for_a_hundred_times_as_long() {
        let (tally, now) = (Tally::default(), Instant::now());
        let counts = [(State::Accepted, 7)];
        tally.keep(&counts, now, now + SHORT);
        assert_eq!(tally.kept(now), None);
        let ended = now + Duration::from_secs(1);
        tally.keep(&counts, now, ended);
        assert_eq!(
            tally.kept(ended + Duration::from_secs(99)),
            Some(counts.to_vec())
        );
        assert_eq!(tally.kept(ended + Duration::from_secs(100)), None);
    }
}
