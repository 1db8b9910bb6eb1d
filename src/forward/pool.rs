//! Unused connections to the shops, of one worker.
//!
//! A connection comes back with the last byte of a response, and only if both
//! messages have come to their ends. One on which anything has come since, even
//! its end, is not used again: whatever it is, it answers no request of ours.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::clock::Clock;
use crate::store::Upstream;
use crate::wire::Wire;

/// A connection to a shop.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) wire: Wire,
    pub(super) clock: Clock,
}

/// Every upstream's unused connections.
#[derive(Debug)]
pub(super) struct Pool {
    shelves: Mutex<BTreeMap<Upstream, Arc<Shelf>>>,
    settings: Arc<Settings>,
}

/// One upstream's, the longest unused first.
#[derive(Debug)]
pub(super) struct Shelf {
    idle: Mutex<VecDeque<Idle>>,
    pub(super) settings: Arc<Settings>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    until: Instant,
}

impl Pool {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            shelves: Mutex::default(),
            settings,
        }
    }

    pub(super) fn shelf(&self, upstream: &Upstream) -> Arc<Shelf> {
        let mut shelves = lock(&self.shelves);
        if let Some(shelf) = shelves.get(upstream) {
            return Arc::clone(shelf);
        }
        let shelf = Arc::new(Shelf {
            idle: Mutex::default(),
            settings: Arc::clone(&self.settings),
        });
        shelves.insert(upstream.clone(), Arc::clone(&shelf));
        shelf
    }
}

impl Shelf {
    /// The connection that was used last, if it may still be used.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        let mut now = None;
        while let Some(mut last) = idle.pop_back() {
            let now = *now.get_or_insert_with(Instant::now);
            if last.may_stay(now) {
                return Some(last.connection);
            }
        }
        None
    }

    /// Keeps a connection for its next use.
    pub(super) fn put(&self, connection: Connection, keep: Duration) {
        let size = self.settings.pool_size;
        if size == 0 {
            return;
        }
        let until = Instant::now() + keep;
        let mut idle = lock(&self.idle);
        if idle.len() >= size {
            idle.pop_front();
        }
        idle.push_back(Idle { connection, until });
    }
}

impl Idle {
    fn may_stay(&mut self, now: Instant) -> bool {
        now < self.until && self.connection.wire.is_quiet()
    }
}

/// Closes what has lain too long, or was closed by the shop, until `end` or until the pool is gone.
pub(super) async fn sweep(pool: Weak<Pool>, keep: Duration, end: CancellationToken) {
    let pause = (keep / 4).max(Duration::from_millis(10));
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let Some(pool) = pool.upgrade() else { return };
        let now = Instant::now();
        for shelf in lock(&pool.shelves).values() {
            lock(&shelf.idle).retain_mut(|kept| kept.may_stay(now));
        }
    }
}

/// Nothing panics while it holds one of these locks, and what they guard is never half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
