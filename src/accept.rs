//! Accept: listeners, protocol limits, drain.
//!
//! One [`Worker`] per thread, each on a `current_thread` runtime with a listener
//! of its own; what a connection asks is handed to one service function. This
//! module knows sockets and framing, and nothing of stores or shops.

mod bind;
mod http1;
pub mod passed;
pub mod proxy_protocol;
mod tunnel;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::current::Current;
use crate::event::Counters;
use crate::message::{Body, Request, Response};
use crate::store::Scheme;
use crate::wire::{Stream, Wire};

pub use bind::{Error as BindError, bind};

/// How long accepting rests after the system refused a connection (no more files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where and how connections are accepted.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The addresses listened on, one listener per worker each (`SO_REUSEPORT`).
    pub listen: Vec<SocketAddr>,
    /// Worker threads; one per core by default.
    pub workers: usize,
    /// Connections at once, over all workers; a further one waits in the backlog.
    pub connections: usize,
    /// Largest request head in bytes (431 above it).
    pub head_limit: usize,
    /// How long a client may take over a request head.
    pub head_timeout: Duration,
    /// How long an idle kept-alive connection stays open.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of an answer that is waiting for it.
    pub stall_timeout: Duration,
    /// How long requests in flight may take to finish when the process is told to end.
    pub drain: Duration,
}

/// Who is on the other side of an accepted connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The TCP peer.
    pub addr: SocketAddr,
    /// How it speaks to us.
    pub scheme: Scheme,
}

/// What a connection gets from its worker.
#[derive(Debug)]
struct Shared {
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    shutdown: CancellationToken,
}

/// What every worker shares: cloned into each thread.
#[derive(Clone, Debug)]
pub struct Worker {
    /// A connection goes by those that were current when it came.
    settings: Arc<Current<Settings>>,
    /// Connections at once.
    most: usize,
    limit: Arc<Semaphore>,
    counters: Arc<Counters>,
    shutdown: CancellationToken,
    tracker: TaskTracker,
    /// Connections that have switched protocols: nobody waits for their end.
    tunnels: TaskTracker,
}

impl Worker {
    /// `shutdown` ends accepting; `tracker` gets every connection.
    pub fn new(
        settings: Settings,
        counters: Arc<Counters>,
        shutdown: CancellationToken,
        tracker: TaskTracker,
    ) -> Self {
        let most = settings.connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            settings: Arc::new(Current::new(settings)),
            most,
            limit: Arc::new(Semaphore::new(most)),
            counters,
            shutdown,
            tracker,
            tunnels: TaskTracker::new(),
        }
    }

    /// Accepts until shutdown, each connection as a task of its own on this runtime.
    ///
    /// Returns once nothing more is accepted; connections may still be finishing:
    /// see [`Worker::drain`].
    pub async fn serve<S, F, B>(&self, listener: TcpListener, service: S)
    where
        S: Fn(Peer, Request) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + 'static,
    {
        // A token of this worker's own: polls of many connections do not meet on one lock.
        let shutdown = self.shutdown.child_token();
        while let Some((stream, addr, permit)) = self.next(&listener).await {
            let peer = Peer {
                addr: plain(addr),
                scheme: Scheme::Http,
            };
            let shared = Shared {
                settings: self.settings.get(),
                counters: Arc::clone(&self.counters),
                shutdown: shutdown.clone(),
            };
            let wire = Wire::new(Stream::Plain(stream));
            let connection = http1::serve(wire, peer, shared, service.clone());
            let tunnels = self.tunnels.clone();
            self.tracker.spawn(async move {
                let switched = connection.await;
                if let Some((wire, tunnel)) = switched {
                    tunnels.spawn(async move {
                        tunnel::run(wire, tunnel).await;
                        drop(permit);
                    });
                }
            });
        }
    }

    /// Goes by these settings from the next connection on. How many connections there may be at
    /// once stays as it is.
    pub fn adopt(&self, settings: Settings) {
        self.settings.set(settings);
    }

    /// How many connections are open. Every listener holds a place of its own while it waits for one.
    pub fn open(&self) -> usize {
        self.most.saturating_sub(self.limit.available_permits())
    }

    /// Waits until accepting is to end.
    pub async fn ended(&self) {
        self.shutdown.cancelled().await;
    }

    /// Waits until every tracked task has ended, at most the settings' `drain`.
    ///
    /// Returns how many were still running when the time was over.
    pub async fn drain(&self) -> usize {
        self.tracker.close();
        match tokio::time::timeout(self.settings.get().drain, self.tracker.wait()).await {
            Ok(()) => 0,
            Err(_elapsed) => self.tracker.len(),
        }
    }

    /// The next connection, once there is room for it; none after shutdown.
    async fn next(
        &self,
        listener: &TcpListener,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        loop {
            let accepted = async {
                let permit = Arc::clone(&self.limit).acquire_owned().await.ok()?;
                Some((listener.accept().await, permit))
            };
            // Cancel-safe: a permit that is dropped goes back, and `accept` loses no connection.
            let (accepted, permit) = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return None,
                accepted = accepted => accepted?,
            };
            match accepted {
                Ok((stream, addr)) => return Some((stream, addr, permit)),
                Err(error) => {
                    warn!(%error, "could not accept a connection");
                    drop(permit);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// An IPv4 peer on an IPv6 listener is an IPv4 peer.
fn plain(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
