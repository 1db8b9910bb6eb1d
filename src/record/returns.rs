//! Returns from a payment page: by POST from another site, without our cookie, which is `SameSite=Lax` (domain.md §5).
//!
//! So at a checkout route the shop's session is remembered with the visit, beside the request; a confirmation
//! without a visit asks for it. Whatever fails costs that credit and nothing else.

mod strangers;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::warn;

use crate::alarm::Alarm;
use crate::cause::Causes;
use crate::clock::Time;
use crate::event::{Counters, Event};
use crate::ledger::{Known, Ledger, Session, Written};
use crate::name::StoreName;
use crate::order::FoundBy;
use crate::session::{self, Mark, Marker};
use crate::visit::{Visit, VisitId};

/// How long the same session and visit are not written down again.
pub const PAUSE: Duration = Duration::from_secs(5 * 60);

/// Most that are written down within [`PAUSE`]; further ones are not, so that nobody fills the disk.
pub const LATELY: usize = 16_384;

/// Most that wait to be written.
const WAITING: usize = 256;

/// Most in one piece of work for the ledger's writer: less than a millisecond that an order may have to wait.
const BATCH: usize = 32;

/// How the sessions of a store are remembered that come to its checkout.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The exact name of the shop's session cookie.
    pub cookie: String,
    /// How long a session is remembered after it was last written down.
    pub memory: Duration,
    /// Makes the marks.
    pub marker: Marker,
    /// Whether the log has said that values are refused.
    pub complained: Arc<AtomicBool>,
}

/// What is remembered of sessions: one per process; clones share it.
#[derive(Clone, Debug)]
pub struct Returns {
    ledger: Ledger,
    counters: Arc<Counters>,
    state: Arc<Mutex<State>>,
    /// How many may be asked about at once that strangers came with.
    asking: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    lately: Lately,
    /// The sessions that strangers came with.
    strangers: Lately,
    waiting: VecDeque<Pair>,
    /// Somebody writes what waits.
    writing: bool,
    /// The last one found no room, and that was told.
    full: bool,
}

/// A session with a visit, to be written down.
#[derive(Debug)]
struct Pair {
    store: StoreName,
    key: Key,
    session: Session,
}

/// A session, a visit, its newest click, and whether a checkout step came after that: what is written down once in a while.
type Key = (Mark, VisitId, Option<Time>, bool);

/// What was written down lately, oldest first.
#[derive(Debug, Default)]
struct Lately {
    /// Until when each is known.
    times: HashMap<Key, Time>,
    /// When each was noted.
    queue: VecDeque<(Key, Time)>,
}

/// Whether something is to be written down.
#[derive(Debug, PartialEq, Eq)]
enum News {
    New,
    Known,
    TooMuch,
}

impl Returns {
    /// Nothing remembered yet but what is in `ledger`.
    pub(super) fn new(ledger: Ledger, counters: Arc<Counters>) -> Self {
        let state = Arc::default();
        Self {
            ledger,
            counters,
            state,
            asking: Arc::new(Semaphore::new(WAITING)),
        }
    }

    /// Notes that the session `value` came with `visit` to a checkout route of `store` at `now`. Does no I/O: what is returned
    /// writes, and is to be run in a task of its own.
    pub fn note(
        &self,
        (store, sessions): (&StoreName, &Sessions),
        value: &[u8],
        visit: Visit,
        now: Time,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        if !session::is_random(value) {
            self.refuse(store, sessions);
            return None;
        }
        let marks = sessions.marker.marks(value);
        let newest = visit.clicks.iter().map(|click| click.at).max();
        let stepped = visit.checkout.is_some() && visit.checkout >= newest;
        let key = (*marks.first()?, visit.id, newest, stepped);
        let session = Session {
            marks,
            visit,
            at: now,
            until: now.plus(sessions.memory),
        };
        let mut state = self.state();
        state.strangers.forget(&strangers::key(key.0));
        let room = state.waiting.len() < WAITING;
        // So that it is written down again before its time is over.
        match state.lately.note(key, sessions.memory / 4, now) {
            News::Known => return None,
            News::New if room => state.full = false,
            News::New | News::TooMuch => {
                state.lately.forget(&key);
                let told = std::mem::replace(&mut state.full, true);
                drop(state);
                self.counters.add(Event::SessionLost);
                if !told {
                    warn!(
                        "too many sessions at once: some are not remembered, and nobody is credited by those"
                    );
                }
                return None;
            }
        }
        let store = store.clone();
        state.waiting.push_back(Pair {
            store,
            key,
            session,
        });
        if std::mem::replace(&mut state.writing, true) {
            return None;
        }
        drop(state);
        let writing = Writing {
            returns: self.clone(),
            done: false,
        };
        Some(writing.run())
    }

    /// What the session of a request without a visit was seen with; the ledger is waited for until `deadline`.
    pub async fn find(
        &self,
        marks: Vec<Mark>,
        now: Time,
        deadline: Instant,
    ) -> (Option<Visit>, FoundBy) {
        let nothing = (None, FoundBy::Request);
        if marks.is_empty() {
            return nothing;
        }
        let asking = self.ledger.session(marks, now);
        let cause = match tokio::time::timeout_at(deadline, asking).await {
            Ok(Ok(Known::Nothing)) => return nothing,
            Ok(Ok(Known::Shared)) => return (None, FoundBy::SharedSession),
            Ok(Ok(Known::Visit(visit))) => {
                self.counters.add(Event::SessionFound);
                return (Some(visit), FoundBy::Session);
            }
            Ok(Err(error)) => Causes(&error).to_string(),
            Err(_elapsed) => "the ledger takes too long".to_owned(),
        };
        self.counters.add(Event::SessionLost);
        warn!(
            cause,
            "the ledger was not asked for a confirmation's session: nobody is credited by it"
        );
        nothing
    }

    /// Removes every session whose time is over.
    pub async fn sweep(&self, now: Time) {
        if let Err(error) = self.ledger.forget(now).await {
            let cause = Causes(&error).to_string();
            warn!(cause, "sessions whose time is over stay in the ledger");
        }
    }

    fn refuse(&self, store: &StoreName, sessions: &Sessions) {
        self.counters.add(Event::SessionRefused);
        if !sessions.complained.swap(true, Ordering::Relaxed) {
            let cookie = &sessions.cookie;
            warn!(%store, cookie, "a session cookie is too short or too plain to tell one shopper from another: such are \
                not remembered, and this is said once");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, pairs: Vec<Pair>) {
        let sessions = pairs.iter().map(|pair| pair.session.clone()).collect();
        match self.ledger.remember(sessions).await {
            Ok(written) => {
                for (pair, written) in pairs.iter().zip(written) {
                    self.counters.add(Event::SessionRemembered);
                    if written == Written::Shared {
                        let Pair { store, session, .. } = pair;
                        self.alarm(store, "with two visits", session.visit.id, session.at);
                    }
                }
            }
            Err(error) => {
                let mut state = self.state();
                for pair in &pairs {
                    self.counters.add(Event::SessionLost);
                    state.lately.forget(&pair.key);
                }
                drop(state);
                let (count, cause) = (pairs.len(), Causes(&error).to_string());
                warn!(
                    count,
                    cause, "the ledger did not take sessions: nobody is credited by them"
                );
            }
        }
    }

    /// One session came with a visit, and with somebody else.
    fn alarm(&self, store: &StoreName, with: &str, visit: VisitId, now: Time) {
        self.counters.add(Event::SessionShared);
        let words = format!(
            "one session of the shop's came {with}: somebody shares sessions, or plants them; \
             nothing is credited by it: visit {visit}"
        );
        let alarms = self.counters.alarms();
        alarms.raise(Alarm::SessionShared, store.as_str(), &words, now);
    }
}

/// The one who writes what waits; whatever ends it, the next one may.
struct Writing {
    returns: Returns,
    done: bool,
}

impl Writing {
    async fn run(mut self) {
        while let Some(pairs) = self.next() {
            self.returns.write(pairs).await;
        }
    }

    /// What is to be written next. Nothing: whoever comes to wait from then on finds nobody writing.
    fn next(&mut self) -> Option<Vec<Pair>> {
        let mut state = self.returns.state();
        let batch = state.waiting.len().min(BATCH);
        let pairs: Vec<Pair> = state.waiting.drain(..batch).collect();
        state.writing = !pairs.is_empty();
        self.done = pairs.is_empty();
        (!self.done).then_some(pairs)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.done {
            self.returns.state().writing = false;
        }
    }
}

impl Lately {
    /// Notes `key` for as long as `pause`, at most [`PAUSE`], unless it is noted already.
    fn note(&mut self, key: Key, pause: Duration, now: Time) -> News {
        while let Some((oldest, at)) = self.queue.front().copied()
            && (now.since(at) >= PAUSE || at.since(now) >= PAUSE)
        {
            self.queue.pop_front();
            if self.times.get(&oldest).is_some_and(|over| *over <= now) {
                self.times.remove(&oldest);
            }
        }
        let over = now.plus(pause.min(PAUSE));
        match self.times.get(&key) {
            // One that lies far ahead was noted before the clock was put back.
            Some(known) if *known > now && *known <= now.plus(PAUSE) => return News::Known,
            _ if self.queue.len() >= LATELY => return News::TooMuch,
            _ => {}
        }
        self.times.insert(key, over);
        self.queue.push_back((key, now));
        News::New
    }

    /// It was not written down after all.
    fn forget(&mut self, key: &Key) {
        self.times.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Keys;

    const NOW: Time = Time::from_millis(1_795_392_000_000);

    fn key(number: u128) -> Key {
        let keys = Keys::parse(["11".repeat(64).as_str()]).unwrap();
        let marker = Marker::new(
            &keys,
            &crate::name::GroupName::default(),
            &"main".parse().unwrap(),
        );
        let mark = marker.marks(&number.to_be_bytes())[0];
        (mark, VisitId(number), Some(NOW), false)
    }

    #[test]
    fn the_same_is_news_again_after_its_pause_only() {
        let mut lately = Lately::default();
        let later = |seconds| NOW.plus(Duration::from_secs(seconds));
        let minute = Duration::from_secs(60);
        assert_eq!(lately.note(key(1), PAUSE, NOW), News::New);
        assert_eq!(lately.note(key(2), minute, NOW), News::New);
        assert_eq!(lately.note(key(1), PAUSE, later(299)), News::Known);
        assert_eq!(lately.note(key(2), minute, later(59)), News::Known);
        assert_eq!(lately.note(key(2), minute, later(60)), News::New);
        assert_eq!(lately.note(key(1), PAUSE, later(300)), News::New);
        lately.forget(&key(1));
        assert_eq!(lately.note(key(1), PAUSE, later(301)), News::New);
        // The clock was put back.
        let before = NOW.minus(PAUSE * 2);
        assert_eq!(lately.note(key(1), PAUSE, before), News::New);
    }

    #[test]
    fn what_is_kept_of_it_is_bounded_and_free_again() {
        let mut lately = Lately::default();
        let many = u128::try_from(LATELY).unwrap();
        for number in 0..many {
            assert_eq!(lately.note(key(number), PAUSE, NOW), News::New);
        }
        assert_eq!(lately.note(key(many), PAUSE, NOW), News::TooMuch);
        assert_eq!(lately.note(key(0), PAUSE, NOW), News::Known);
        let later = NOW.plus(PAUSE);
        assert_eq!(lately.note(key(many), PAUSE, later), News::New);
        assert_eq!((lately.times.len(), lately.queue.len()), (1, 1));
    }
}
