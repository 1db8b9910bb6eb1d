//! The app: every stage put together, started and ended in order.
//!
//! One worker thread per core accepts and proxies on a runtime of its own; one
//! control runtime delivers and serves the operator. What can be refused is
//! refused in [`App::start`], before anything is served.

mod access;
mod health;
mod reload;
mod worker;

use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, JoinHandle};

use tokio::runtime::{self, Runtime};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::accept::passed::{self, Passed};
use crate::accept::{self, Worker};
use crate::admin::{self, Admin, Gauge, View};
use crate::clock::Time;
use crate::config::Settings;
use crate::current::Current;
use crate::deliver::Deliver;
use crate::event::Counters;
use crate::ledger::{self, Ledger, Role};
use crate::observe::{Pool, Rules};
use crate::record::Recorder;
use crate::record::spool::Spool;
use crate::reload::Asking;
use crate::store::Stores;
use crate::watch::Watcher;
use access::Access;
use health::Checked;
use reload::Reloader;
use worker::{Adopt, Generation, Path, proxy};

pub use reload::Again;

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] accept::BindError),
    /// A socket that was passed is of no use.
    #[error(transparent)]
    Passed(#[from] passed::Error),
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
    settings: Settings,
    generation: Generation,
    recorder: Recorder,
    access: Access,
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
        Self::start_on(Passed::default(), settings, now)
    }

    /// The same, on the sockets that were passed, where there are such.
    ///
    /// # Errors
    /// As [`start`](Self::start); or a socket was passed that is not needed.
    pub fn start_on(mut passed: Passed, settings: Settings, now: Time) -> Result<Self, Error> {
        let listeners = bind(&settings.accept, &mut passed)?;
        let admin = settings.admin.map(|address| match passed.one(address) {
            Some(listener) => Ok(listener),
            None => TcpListener::bind(address),
        });
        let admin = admin.transpose()?;
        passed.finish()?;
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
            (settings.record.clone(), recorder),
            Arc::clone(&counters),
            tracker.clone(),
        );
        let access = Access::default();
        let sending = settings.deliver.clone();
        let deliver = Deliver::new(ledger.clone(), sending, Arc::clone(&counters));
        Ok(Self {
            generation: Generation {
                proxy: Arc::new(proxy(&settings, access.log(settings.access_log))),
                watcher: Arc::new(watcher),
            },
            settings,
            recorder: spooled,
            access,
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
        self.run_again(end, None)
    }

    /// The same; another configuration may come from `again`, which others ask for by the
    /// [`Asking`] beside it.
    ///
    /// # Errors
    /// The system gives no runtime or thread.
    pub fn run_again(
        mut self,
        end: impl Future<Output = ()>,
        again: Option<(Again<'_>, Asking)>,
    ) -> Result<usize, Error> {
        let shutdown = CancellationToken::new();
        let worker = Worker::new(
            self.settings.accept.clone(),
            Arc::clone(&self.counters),
            shutdown.clone(),
            self.tracker.clone(),
        );
        let addresses = self.addresses()?;
        let (threads, workers) = self.spawn(&worker)?;
        let control = runtime()?;
        let drain = self.settings.accept.drain;
        let (again, asking) = again.unzip();
        let (admin, deliver) = (self.admin.take(), self.deliver.clone());
        let recorder = self.recorder.clone();
        let stores = Arc::new(Current::new(self.settings.stores.clone()));
        let operator = Arc::new(self.operator(&worker, &stores, asking));
        let forward = Arc::clone(&self.generation.proxy.forward);
        let (checked, checking) = watch::channel((self.settings.stores.clone(), forward));
        let counters = Arc::clone(&self.counters);
        let checking = health::run(checking, counters, self.tracker.clone());
        let reloader = self.reloader(workers, worker, stores, checked);
        let cut = control.block_on(async {
            let operating = admin::serve(listener(admin)?, operator, shutdown.clone());
            let delivering = deliver.run(shutdown.clone(), drain);
            let mut end = std::pin::pin!(end);
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
            // What an earlier run could not enter.
            let recovering = until(&shutdown, recorder.recover());
            let checking = until(&shutdown, checking);
            let reloading = async {
                if let Some(again) = again {
                    reloader.run(again).await;
                }
            };
            let reloading = until(&shutdown, reloading);
            // Joined on this runtime, which must live to see a second signal.
            let draining = async {
                shutdown.cancelled().await;
                tokio::task::spawn_blocking(move || join(threads)).await
            };
            let ended = tokio::join!(
                draining, operating, delivering, ending, recovering, reloading, checking
            );
            Ok::<_, Error>(ended.0.unwrap_or(0))
        })?;
        if cut > 0 {
            warn!(cut, "cut off what did not finish in time");
        }
        Ok(cut)
    }

    /// Starts the workers; where each of them takes another generation.
    fn spawn(&mut self, worker: &Worker) -> Result<(Threads, Vec<mpsc::Sender<Adopt>>), Error> {
        let (mut threads, mut workers) = (Vec::new(), Vec::new());
        for (number, listeners) in std::mem::take(&mut self.listeners).into_iter().enumerate() {
            let (adopt, adopting) = mpsc::channel(1);
            let path = Path {
                worker: worker.clone(),
                generation: self.generation.clone(),
                adopt: adopting,
                counters: Arc::clone(&self.counters),
                tracker: self.tracker.clone(),
            };
            let runtime = runtime()?;
            let thread = thread::Builder::new().name(format!("worker-{number}"));
            threads.push(thread.spawn(move || path.run(&runtime, listeners))?);
            workers.push(adopt);
        }
        Ok((threads, workers))
    }

    /// What the operator is shown.
    fn operator(
        &self,
        worker: &Worker,
        stores: &Arc<Current<Stores>>,
        reload: Option<Asking>,
    ) -> Admin {
        let worker = worker.clone();
        let (ledger, spool) = (self.ledger.clone(), self.spool.clone());
        Admin::new(Arc::clone(&self.counters), ledger, spool).showing(View {
            stores: Some(Arc::clone(stores)),
            connections: Some(Gauge::new(move || worker.open())),
            access_dropped: Some(self.access.dropped()),
            reload,
        })
    }

    fn reloader(
        self,
        workers: Vec<mpsc::Sender<Adopt>>,
        worker: Worker,
        stores: Arc<Current<Stores>>,
        checked: watch::Sender<Checked>,
    ) -> Reloader {
        Reloader {
            present: self.settings,
            generation: self.generation,
            stores,
            workers,
            worker,
            deliver: self.deliver,
            recorder: self.recorder,
            access: self.access,
            checked,
            ledger: self.ledger,
            counters: self.counters,
        }
    }
}

/// The workers' threads; each returns how many tasks were cut off.
type Threads = Vec<JoinHandle<usize>>;

/// Does `what` until it is done, or the end comes.
async fn until(shutdown: &CancellationToken, what: impl Future<Output = ()>) {
    tokio::select! {
        () = what => {}
        () = shutdown.cancelled() => {}
    }
}

fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

/// Waits for every worker; how many tasks were cut off. One that panicked has
/// said so, and its requests are gone.
fn join(workers: Threads) -> usize {
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
fn bind(settings: &accept::Settings, passed: &mut Passed) -> Result<Vec<Vec<TcpListener>>, Error> {
    let mut by_worker: Vec<Vec<TcpListener>> = Vec::new();
    by_worker.resize_with(settings.workers.max(1), Vec::new);
    for address in &settings.listen {
        let (workers, stall) = (by_worker.len(), settings.stall_timeout);
        let listeners = match passed.shared(*address, workers, stall)? {
            Some(shared) => shared,
            None => accept::bind(*address, workers, stall)?,
        };
        for (worker, listener) in by_worker.iter_mut().zip(listeners) {
            worker.push(listener);
        }
    }
    Ok(by_worker)
}
