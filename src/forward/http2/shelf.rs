//! One upstream's connections: one is shared until it is full, then another is opened.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::super::{Error, Settings};
use super::driver::Driver;
use super::link::{Lease, Link};
use super::open::{Opened, open};
use crate::store::Upstream;

/// The connections of one worker to one upstream.
#[derive(Debug)]
pub(super) struct Shelf {
    /// The oldest first: with the first that has room, the others fall idle.
    links: Mutex<Vec<Arc<Link>>>,
    /// Held by whoever opens one, so that all who wait can share it.
    opening: tokio::sync::Mutex<()>,
    /// How often opening one has failed.
    failed: AtomicU64,
    settings: Arc<Settings>,
    drivers: TaskTracker,
}

impl Shelf {
    pub(super) fn new(settings: Arc<Settings>, drivers: TaskTracker) -> Self {
        Self {
            links: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            failed: AtomicU64::new(0),
            settings,
            drivers,
        }
    }

    /// A stream on a connection other than `shunned`, within `connect_timeout`.
    pub(super) async fn lease(
        self: &Arc<Self>,
        upstream: &Upstream,
        shunned: Option<&Arc<Link>>,
    ) -> Result<Lease, Error> {
        if let Some(lease) = self.room(shunned) {
            return Ok(lease);
        }
        let limit = self.settings.connect_timeout;
        let opening = tokio::time::timeout(limit, self.open(upstream, shunned));
        let opened = opening.await;
        opened.unwrap_or(Err(Error::ConnectTimeout(limit)))
    }

    fn room(&self, shunned: Option<&Arc<Link>>) -> Option<Lease> {
        let links = self.lock();
        let mut others = links
            .iter()
            .filter(|link| shunned.is_none_or(|shunned| !Arc::ptr_eq(link, shunned)));
        others.find_map(Link::lease)
    }

    async fn open(
        self: &Arc<Self>,
        upstream: &Upstream,
        shunned: Option<&Arc<Link>>,
    ) -> Result<Lease, Error> {
        let failed = self.failed.load(Ordering::Relaxed);
        let turn = self.opening.lock().await;
        if let Some(lease) = self.room(shunned) {
            return Ok(lease);
        }
        // Where the one that was waited for failed, nobody waits for another's failure as well.
        let together = failed == self.failed.load(Ordering::Relaxed);
        let _turn = together.then_some(turn);
        let limit = self.settings.connect_timeout;
        let opening = tokio::time::timeout(limit, open(upstream, &self.settings));
        let opened = opening
            .await
            .unwrap_or(Err(Error::ConnectTimeout(limit)))
            .and_then(|opened| self.add(opened));
        if opened.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        opened
    }

    /// Takes a connection in; its first stream.
    fn add(self: &Arc<Self>, opened: Opened) -> Result<Lease, Error> {
        let link = Arc::new(Link::new(opened.sender));
        // Before anybody else can have it.
        let lease = link
            .lease()
            .ok_or(Error::NoHttp2(super::super::Fault::End))?;
        let driver = Driver {
            connection: opened.connection,
            heard: opened.heard,
            link: Arc::clone(&link),
            shelf: Arc::downgrade(self),
            idle: match self.settings.pool_size {
                0 => Duration::ZERO,
                _ => self.settings.pool_idle,
            },
        };
        self.lock().push(link);
        self.drivers.spawn(driver.run());
        Ok(lease)
    }

    /// Lets go of connections that take no more streams.
    pub(super) fn forget_ended(&self) {
        self.lock().retain(|link| link.is_open());
    }

    /// Nothing panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shelf {
    /// With the worker's client its unused connections end, and the others with their last streams.
    fn drop(&mut self) {
        for link in self.lock().iter() {
            link.retire();
        }
    }
}
