//! Unused connections to the shops, of one worker.
//!
//! A connection comes back with the last byte of a response. It is ready for the
//! next request only when hyper has seen both messages to their ends, which may
//! be a little later (an upload that the shop did not wait for): one that is not
//! ready is passed over, not closed, so that no request dials without need.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{RequestBody, Sender, Settings};
use crate::store::Upstream;

/// Every upstream's unused connections.
#[derive(Debug)]
pub(super) struct Pool<B: RequestBody> {
    shelves: Mutex<HashMap<Upstream, Arc<Shelf<B>>>>,
    size: usize,
    keep: Duration,
}

/// One upstream's, the longest unused first.
#[derive(Debug)]
pub(super) struct Shelf<B: RequestBody> {
    idle: Mutex<VecDeque<Idle<B>>>,
    size: usize,
    keep: Duration,
}

#[derive(Debug)]
struct Idle<B: RequestBody> {
    sender: Sender<B>,
    until: Instant,
}

impl<B: RequestBody> Pool<B> {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            shelves: Mutex::default(),
            size: settings.pool_size,
            keep: settings.pool_idle,
        }
    }

    pub(super) fn shelf(&self, upstream: &Upstream) -> Arc<Shelf<B>> {
        let mut shelves = lock(&self.shelves);
        if let Some(shelf) = shelves.get(upstream) {
            return Arc::clone(shelf);
        }
        let shelf = Arc::new(Shelf {
            idle: Mutex::default(),
            size: self.size,
            keep: self.keep,
        });
        shelves.insert(upstream.clone(), Arc::clone(&shelf));
        shelf
    }
}

impl<B: RequestBody> Shelf<B> {
    /// The connection that was used last, if it may still be used.
    pub(super) fn take(&self) -> Option<Sender<B>> {
        let now = Instant::now();
        let mut idle = lock(&self.idle);
        idle.retain(|kept| kept.may_stay(now));
        let ready = idle.iter().rposition(|kept| kept.sender.is_ready())?;
        idle.remove(ready).map(|kept| kept.sender)
    }

    fn put(&self, sender: Sender<B>, keep: Duration) {
        if self.size == 0 {
            return;
        }
        let until = Instant::now() + keep;
        let mut idle = lock(&self.idle);
        if idle.len() >= self.size {
            idle.pop_front();
        }
        idle.push_back(Idle { sender, until });
    }
}

impl<B: RequestBody> Idle<B> {
    fn may_stay(&self, now: Instant) -> bool {
        now < self.until && !self.sender.is_closed()
    }
}

/// A connection in use, and where it belongs.
#[derive(Debug)]
pub(super) struct Lease<B: RequestBody> {
    sender: Sender<B>,
    shelf: Arc<Shelf<B>>,
    /// How long it may lie unused; none: not at all.
    keep: Option<Duration>,
}

impl<B: RequestBody> Lease<B> {
    pub(super) fn new(sender: Sender<B>, shelf: Arc<Shelf<B>>) -> Self {
        let keep = Some(shelf.keep);
        Self {
            sender,
            shelf,
            keep,
        }
    }

    /// Not to be used again.
    pub(super) fn forbid(&mut self) {
        self.keep = None;
    }

    /// The shop keeps it open for `timeout` (`Keep-Alive`); a quarter is left for what is under way.
    pub(super) fn kept_by_shop(&mut self, timeout: Option<Duration>) {
        if let (Some(keep), Some(timeout)) = (self.keep, timeout) {
            self.keep = Some(keep.min(timeout * 3 / 4));
        }
    }

    pub(super) fn give_back(self) {
        if let Some(keep) = self.keep
            && !self.sender.is_closed()
        {
            self.shelf.put(self.sender, keep);
        }
    }
}

/// Closes what has lain too long, until `end` or until the pool is gone.
pub(super) async fn sweep<B: RequestBody>(
    pool: Weak<Pool<B>>,
    keep: Duration,
    end: CancellationToken,
) {
    let pause = (keep / 4).max(Duration::from_millis(10));
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let Some(pool) = pool.upgrade() else { return };
        let now = Instant::now();
        for shelf in lock(&pool.shelves).values() {
            lock(&shelf.idle).retain(|kept| kept.may_stay(now));
        }
    }
}

/// Nothing panics while it holds one of these locks, and what they guard is never half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
