//! The pass-through path on one worker, between a client and shops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use refgate::event::Counters;
use refgate::store::{Scheme, Store, Stores, Upstream};
use refgate::{accept, forward, proxy};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::wire::Wire;

/// Long enough never to matter.
const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Setup {
    stores: Vec<Store>,
    pub(crate) accept: accept::Settings,
    pub(crate) forward: forward::Settings,
}

/// A proxy that runs; dropped, it is told to end.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) counters: Arc<Counters>,
    pub(crate) shutdown: CancellationToken,
    thread: Option<JoinHandle<usize>>,
}

/// A store `shop.test` in front of this shop.
pub(crate) fn spawn_proxy(shop: SocketAddr) -> Running {
    Setup::new(shop).start()
}

impl Setup {
    pub(crate) fn new(shop: SocketAddr) -> Self {
        let store = Store {
            name: "shop".parse().unwrap(),
            hosts: vec!["shop.test".to_owned()],
            scheme: Scheme::Http,
            upstream: Upstream {
                host: shop.ip().to_string(),
                port: shop.port(),
            },
            currency: "USD".parse().unwrap(),
            number_format: "1,234.56".parse().unwrap(),
            max_amount: "5000".parse().unwrap(),
            orders: "test".parse().unwrap(),
        };
        Self {
            stores: vec![store],
            accept: accept::Settings {
                listen: vec!["127.0.0.1:0".parse().unwrap()],
                workers: 1,
                connections: 100,
                head_limit: 16 * 1024,
                head_timeout: LONG,
                idle_timeout: LONG,
                stall_timeout: LONG,
                drain: Duration::from_secs(10),
            },
            forward: forward::Settings {
                trusted_proxies: Vec::new(),
                connect_timeout: LONG,
                response_timeout: LONG,
                body_timeout: LONG,
                pool_idle: LONG,
                pool_size: 8,
                tunnel_timeout: LONG,
            },
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn host(mut self, upstream: &str) -> Self {
        self.stores[0].upstream.host = upstream.to_owned();
        self
    }

    pub(crate) fn start(self) -> Running {
        let accept = Arc::new(self.accept);
        let stall = accept.stall_timeout;
        let listener = accept::bind(accept.listen[0], 1, stall).unwrap().remove(0);
        let addr = listener.local_addr().unwrap();
        let counters = Arc::new(Counters::default());
        let shutdown = CancellationToken::new();
        let tracker = TaskTracker::new();
        let worker = accept::Worker::new(
            accept,
            Arc::clone(&counters),
            shutdown.clone(),
            tracker.clone(),
        );
        let (stores, forward) = (Arc::new(Stores::new(self.stores)), Arc::new(self.forward));
        let counted = Arc::clone(&counters);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let client =
                    forward::Client::new(Arc::clone(&forward), Arc::clone(&counted), tracker);
                let service = Arc::new(proxy::Service::new(forward, stores, counted, client));
                let listener = TcpListener::from_std(listener).unwrap();
                let handle = move |peer, request| {
                    proxy::Service::handle(Arc::clone(&service), peer, request)
                };
                worker.serve(listener, handle).await;
                worker.drain().await
            })
        });
        Running {
            addr,
            counters,
            shutdown,
            thread: Some(thread),
        }
    }
}

impl Running {
    pub(crate) fn connect(&self) -> Wire {
        Wire::to(self.addr)
    }

    /// Drains; how many tasks were still running at the end of it.
    pub(crate) fn stop(mut self) -> usize {
        self.shutdown.cancel();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            assert_eq!(thread.join().unwrap(), 0, "tasks left over");
        }
    }
}
