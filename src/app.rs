//! The app: every stage put together, started and ended in order.
//!
//! One worker thread per core accepts and proxies on a runtime of its own; one
//! control runtime delivers and serves the operator. What can be refused is
//! refused in [`App::start`], before anything is served.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{self, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::accept::{self, Worker};
use crate::admin::{self, Admin};
use crate::clock::Time;
use crate::config::Settings;
use crate::deliver::Deliver;
use crate::event::Counters;
use crate::forward;
use crate::ledger::{self, Ledger, Role};
use crate::observe::{Pool, Rules};
use crate::proxy::{self, Service};
use crate::record::Recorder;
use crate::record::spool::Spool;
use crate::watch::Watcher;

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] accept::BindError),
    /// The ledger cannot be opened.
    #[error("cannot open the ledger {path}")]
    Ledger {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ledger::Error,
    },
    /// The client that sends postbacks cannot be made.
    #[error("postbacks cannot be sent from this machine")]
    Deliver(#[source] reqwest::Error),
    /// The system gives no thread, runtime or registration of a socket.
    #[error("the system gives no thread")]
    System(#[from] io::Error),
}

/// Everything that is needed, bound and open.
#[derive(Debug)]
pub struct App {
    accept: Arc<accept::Settings>,
    proxy: Arc<proxy::Settings>,
    watcher: Arc<Watcher>,
    recorder: Recorder,
    spool: Spool,
    deliver: Deliver,
    ledger: Ledger,
    counters: Arc<Counters>,
    /// By worker, one listener for each address.
    listeners: Vec<Vec<TcpListener>>,
    admin: Option<TcpListener>,
    tracker: TaskTracker,
}

impl App {
    /// Binds the addresses, opens the ledger, starts the readers.
    ///
    /// # Errors
    /// Whatever of it is refused; nothing was served then.
    pub fn start(settings: Settings, now: Time) -> Result<Self, Error> {
        let listeners = bind(&settings.accept)?;
        let admin = settings.admin.map(TcpListener::bind).transpose()?;
        let ledger = Ledger::open(&settings.ledger, Role::Run, now);
        let ledger = ledger.map_err(|source| Error::Ledger {
            path: settings.ledger.path.clone(),
            source,
        })?;
        let counters = Arc::new(Counters::default());
        let tracker = TaskTracker::new();

        let keys = settings.capture.keys.clone();
        let spool = Spool::new(settings.record.spool.clone(), keys);
        let hold = settings.record.hold;
        let recorder = Recorder::new(ledger.clone(), spool.clone(), hold, Arc::clone(&counters));
        let spooled = recorder.clone();
        let pool = Pool::new(settings.observe.readers, settings.observe.read_timeout)?;
        let rules = Rules::new(settings.observe.clone(), &settings.stores);
        let watcher = Watcher::new(
            (&settings.observe, rules),
            pool,
            (settings.record, recorder),
            Arc::clone(&counters),
            tracker.clone(),
        );
        let deliver = Deliver::new(ledger.clone(), settings.deliver, Arc::clone(&counters));
        Ok(Self {
            accept: Arc::new(settings.accept),
            proxy: Arc::new(proxy::Settings {
                stores: settings.stores,
                capture: settings.capture,
                forward: Arc::new(settings.forward),
            }),
            watcher: Arc::new(watcher),
            recorder: spooled,
            spool,
            deliver: deliver.map_err(Error::Deliver)?,
            ledger,
            counters,
            listeners,
            admin,
            tracker,
        })
    }

    /// Where shoppers are served.
    ///
    /// # Errors
    /// The system does not say.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let first = self.listeners.first().into_iter().flatten();
        first.map(TcpListener::local_addr).collect()
    }

    /// What has happened, and will.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Where the operator is served, if he is.
    ///
    /// # Errors
    /// The system does not say.
    pub fn admin_address(&self) -> io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Serves until `end` comes, then lets requests and sends in flight finish
    /// within the settings' `drain`. Returns how many were cut off.
    ///
    /// # Errors
    /// The system gives no runtime or thread.
    pub fn run(self, end: impl Future<Output = ()>) -> Result<usize, Error> {
        let shutdown = CancellationToken::new();
        let worker = Worker::new(
            Arc::clone(&self.accept),
            Arc::clone(&self.counters),
            shutdown.clone(),
            self.tracker.clone(),
        );
        for address in self.addresses()? {
            info!(%address, "serving");
        }
        let mut workers = Vec::new();
        for (number, listeners) in self.listeners.into_iter().enumerate() {
            let path = Path {
                worker: worker.clone(),
                proxy: Arc::clone(&self.proxy),
                watcher: Arc::clone(&self.watcher),
                counters: Arc::clone(&self.counters),
                tracker: self.tracker.clone(),
            };
            let runtime = runtime()?;
            let thread = thread::Builder::new().name(format!("worker-{number}"));
            workers.push(thread.spawn(move || path.run(&runtime, listeners))?);
        }

        let control = runtime()?;
        let cut = control.block_on(async {
            let admin = Admin::new(self.counters, self.ledger, self.spool);
            let operating = admin::serve(listener(self.admin)?, Arc::new(admin), shutdown.clone());
            let delivering = self.deliver.run(shutdown.clone(), self.accept.drain);
            let ending = async {
                end.await;
                info!("ending: requests and sends in flight may finish");
                shutdown.cancel();
            };
            // What an earlier run could not enter.
            let recovering = async {
                tokio::select! {
                    () = self.recorder.recover() => {}
                    () = shutdown.cancelled() => {}
                }
            };
            // Joined on this runtime, which must live to see a second signal.
            let draining = async {
                shutdown.cancelled().await;
                tokio::task::spawn_blocking(move || join(workers)).await
            };
            let ended = tokio::join!(draining, operating, delivering, ending, recovering);
            Ok::<_, Error>(ended.0.unwrap_or(0))
        })?;
        if cut > 0 {
            warn!(cut, "cut off what did not finish in time");
        }
        Ok(cut)
    }
}

/// One worker thread's share.
struct Path {
    worker: Worker,
    proxy: Arc<proxy::Settings>,
    watcher: Arc<Watcher>,
    counters: Arc<Counters>,
    tracker: TaskTracker,
}

impl Path {
    /// Serves until shutdown and drains; returns how many tasks were cut off.
    fn run(self, runtime: &Runtime, listeners: Vec<TcpListener>) -> usize {
        runtime.block_on(async {
            let forward = Arc::clone(&self.proxy.forward);
            let client =
                forward::Client::new(forward, Arc::clone(&self.counters), self.tracker.clone());
            let service = Arc::new(Service::new(
                self.proxy,
                self.watcher,
                self.counters,
                client,
            ));
            for listener in listeners {
                let listener = match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => listener,
                    Err(error) => {
                        warn!(%error, "a listener cannot be used");
                        continue;
                    }
                };
                let (worker, service) = (self.worker.clone(), Arc::clone(&service));
                self.tracker.spawn(async move {
                    let handle = move |peer, request| Arc::clone(&service).handle(peer, request);
                    worker.serve(listener, handle).await;
                });
            }
            drop(service);
            self.worker.ended().await;
            self.worker.drain().await
        })
    }
}

fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

/// Waits for every worker; how many tasks were cut off. One that panicked has
/// said so, and its requests are gone.
fn join(workers: Vec<JoinHandle<usize>>) -> usize {
    let ends = workers.into_iter().map(JoinHandle::join);
    ends.filter_map(Result::ok).max().unwrap_or(0)
}

/// To be called on the runtime that will use it.
fn listener(admin: Option<TcpListener>) -> io::Result<Option<tokio::net::TcpListener>> {
    let Some(listener) = admin else {
        return Ok(None);
    };
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener).map(Some)
}

/// One listener per address for each worker.
fn bind(settings: &accept::Settings) -> Result<Vec<Vec<TcpListener>>, Error> {
    let mut by_worker: Vec<Vec<TcpListener>> = Vec::new();
    by_worker.resize_with(settings.workers.max(1), Vec::new);
    for address in &settings.listen {
        let listeners = accept::bind(*address, by_worker.len(), settings.stall_timeout)?;
        for (worker, listener) in by_worker.iter_mut().zip(listeners) {
            worker.push(listener);
        }
    }
    Ok(by_worker)
}
