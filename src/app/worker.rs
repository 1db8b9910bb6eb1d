//! One worker thread: its listeners, and what its requests go by.

use std::net::TcpListener;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::accept::{Door, Worker};
use crate::access;
use crate::acme::Tokens;
use crate::config::Settings;
use crate::current::Current;
use crate::event::Counters;
use crate::forward;
use crate::proxy::{self, Service};
use crate::watch::Watcher;

/// What requests go by, from one reading of the configuration to the next.
#[derive(Clone, Debug)]
pub(super) struct Generation {
    pub(super) proxy: Arc<proxy::Settings>,
    pub(super) watcher: Arc<Watcher>,
}

/// The request path's part of the configuration.
pub(super) fn proxy(
    settings: &Settings,
    access: Option<access::Log>,
    tokens: Arc<Tokens>,
) -> proxy::Settings {
    proxy::Settings {
        options: settings.forwarding,
        access,
        tokens,
        stores: settings.stores.clone(),
        capture: settings.capture.clone(),
        exclude: settings.exclude.clone(),
        forward: Arc::new(settings.forward.clone()),
    }
}

/// A generation for a worker to go by, and where it says that it does.
pub(super) type Adopt = (Generation, oneshot::Sender<()>);

/// One worker thread's share.
pub(super) struct Path {
    pub(super) worker: Worker,
    /// What each listener's connections go through.
    pub(super) doors: Vec<Door>,
    pub(super) generation: Generation,
    pub(super) adopt: mpsc::Receiver<Adopt>,
    pub(super) counters: Arc<Counters>,
    pub(super) tracker: TaskTracker,
}

impl Path {
    /// Serves until shutdown and drains; returns how many tasks were cut off.
    pub(super) fn run(self, runtime: &Runtime, listeners: Vec<TcpListener>) -> usize {
        runtime.block_on(async {
            let worker = self.worker.clone();
            self.serve(listeners).await;
            worker.drain().await
        })
    }

    /// Serves until shutdown. A request goes by one generation from its beginning to its end.
    async fn serve(mut self, listeners: Vec<TcpListener>) {
        let mut client = self.client(&self.generation);
        let service = Arc::new(Current::new(self.service(&client)));
        for (listener, door) in listeners.into_iter().zip(self.doors.clone()) {
            let listener = match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => {
                    warn!(%error, "a listener cannot be used");
                    continue;
                }
            };
            let (worker, service) = (self.worker.clone(), Arc::clone(&service));
            self.tracker.spawn(async move {
                let handle = move |peer, request| service.get().handle(peer, request);
                worker.serve(listener, door, handle).await;
            });
        }
        loop {
            // Cancel-safe: a generation that is not taken is not acknowledged either.
            let (generation, adopted) = tokio::select! {
                () = self.worker.ended() => return,
                Some(adopt) = self.adopt.recv() => adopt,
            };
            // The connections to the shops stay, unless how they are to be kept has changed.
            if generation.proxy.forward != self.generation.proxy.forward {
                client = self.client(&generation);
            }
            self.generation = generation;
            service.set(self.service(&client));
            // Whoever asked may have given up waiting.
            adopted.send(()).ok();
        }
    }

    fn client(&self, generation: &Generation) -> Arc<forward::Client> {
        let settings = Arc::clone(&generation.proxy.forward);
        let counters = Arc::clone(&self.counters);
        Arc::new(forward::Client::new(settings, counters, &self.tracker))
    }

    fn service(&self, client: &Arc<forward::Client>) -> Service {
        let Generation { proxy, watcher } = self.generation.clone();
        Service::new(
            proxy,
            watcher,
            Arc::clone(&self.counters),
            Arc::clone(client),
        )
    }
}
