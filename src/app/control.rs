//! What runs beside the workers, on one runtime: sending, the operator's pages, health checks,
//! certificates, other configurations, and the end.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::info;

use super::away;
use super::health::Checking;
use super::keeping::Keeping;
use super::looking::Looking;
use super::reload::{Again, Reloader};
use super::webhook::Telling;
use super::{Error, Threads};
use crate::accept::tls::Acceptor;
use crate::acme::Acme;
use crate::admin::{self, Admin};
use crate::clock::Time;
use crate::deliver::Deliver;
use crate::event::Counters;
use crate::record::{Recorder, Returns};

/// From one sweep of sessions to the next.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// Everything that it needs.
pub(super) struct Control<'a> {
    pub(super) admin: Option<admin::Listener>,
    pub(super) operator: Arc<Admin>,
    pub(super) deliver: Deliver,
    pub(super) recorder: Recorder,
    pub(super) checking: Checking,
    pub(super) looking: Looking,
    pub(super) tls: Option<Acceptor>,
    pub(super) acme: Option<Acme>,
    pub(super) reloader: Reloader,
    pub(super) again: Option<Again<'a>>,
    pub(super) counters: Arc<Counters>,
    pub(super) shutdown: CancellationToken,
}

impl Control<'_> {
    /// Runs until `end` comes and the workers' threads have ended; returns how many of their tasks
    /// were cut off. Says where is served once everything is in its place.
    pub(super) async fn run(
        self,
        end: impl Future<Output = ()>,
        threads: Threads,
        addresses: Vec<SocketAddr>,
    ) -> Result<usize, Error> {
        let Self { shutdown, .. } = &self;
        let shutdown = shutdown.clone();
        let accept = &self.reloader.present.accept;
        let (drain, look_every) = (accept.drain, accept.tls.look_every);
        let ledger = self.reloader.ledger.clone();
        let counters = Arc::clone(&self.counters);
        let telling = Telling::of(&self.looking);
        let keeping = Keeping::of(&self.reloader);
        let mut end = pin!(end);
        // Whoever listens for signals does so before anybody hears that this serves.
        let over = poll_fn(|cx| Poll::Ready(end.as_mut().poll(cx).is_ready())).await;
        for address in addresses {
            info!(%address, "serving");
        }
        let ending = async {
            if !over {
                end.await;
            }
            info!("ending: requests and sends in flight may finish");
            shutdown.cancel();
        };
        // What an operator, or certbot, puts in place of a certificate.
        let looking = async {
            if let Some(tls) = self.tls {
                let certificates = Arc::clone(tls.certificates());
                certificates
                    .watch(look_every, self.counters, shutdown.clone())
                    .await;
            }
        };
        let reloading = async {
            if let Some(again) = self.again {
                // It holds two configurations at a time.
                Box::pin(self.reloader.run(again)).await;
            }
        };
        // Joined on this runtime, which must live to see a second signal.
        let draining = async {
            shutdown.cancelled().await;
            tokio::task::spawn_blocking(move || join(threads)).await
        };
        let ended = tokio::join!(
            draining,
            ending,
            admin::serve(self.admin, self.operator, shutdown.clone()),
            self.deliver.run(shutdown.clone(), drain),
            until(&shutdown, away::watch(ledger, counters)),
            // What an earlier run could not enter, or this one while the database was away.
            until(&shutdown, self.recorder.keep_up()),
            until(&shutdown, sweep(self.recorder.returns())),
            until(&shutdown, self.checking.run()),
            until(&shutdown, keeping.run()),
            until(&shutdown, self.looking.run()),
            until(&shutdown, telling.run()),
            until(&shutdown, reloading),
            looking,
            obtain(self.acme, &shutdown),
        );
        ended.2?;
        Ok(ended.0.unwrap_or(0))
    }
}

async fn obtain(acme: Option<Acme>, shutdown: &CancellationToken) {
    if let Some(acme) = acme {
        acme.run(shutdown.clone()).await;
    }
}

/// Removes the sessions whose time is over, now and then.
async fn sweep(returns: &Returns) {
    loop {
        returns.sweep(Time::now()).await;
        tokio::time::sleep(SWEEP).await;
    }
}

/// Does `what` until it is done, or the end comes.
async fn until(shutdown: &CancellationToken, what: impl Future<Output = ()>) {
    tokio::select! {
        () = what => {}
        () = shutdown.cancelled() => {}
    }
}

/// Waits for every worker; how many tasks were cut off. One that panicked has
/// said so, and its requests are gone.
fn join(workers: Threads) -> usize {
    let ends = workers.into_iter().map(JoinHandle::join);
    ends.filter_map(Result::ok).max().unwrap_or(0)
}
