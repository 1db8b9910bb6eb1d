//! The app: every stage put together, started and ended in order.
//!
//! One worker thread per core accepts and proxies on a runtime of its own; one
//! control runtime delivers and serves the operator. What can be refused is
//! refused in [`App::start`], before anything is served.

mod access;
mod away;
mod control;
mod health;
mod keeping;
mod listen;
mod looking;
mod reload;
mod webhook;
mod worker;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{self, Runtime};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::accept::passed::{self, Passed};
use crate::accept::{self, Worker, tls};
use crate::acme::{self, Acme, Tokens};
use crate::admin::{self, Admin, Gauge, View};
use crate::clock::Time;
use crate::config::Settings;
use crate::current::Current;
use crate::deliver::Deliver;
use crate::event::Counters;
use crate::ledger::{self, Custody, Ledger};
use crate::observe::{Pool, Rules};
use crate::record::Recorder;
use crate::record::spool::Spool;
use crate::reload::Asking;
use crate::store::Stores;
use crate::watch::Watcher;
use access::Access;
use control::Control;
use health::Checking;
use listen::Listening;
use looking::Looking;
use reload::Reloader;
use worker::{Adopt, Generation, Path as WorkerPath, proxy};

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
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// Certificates that an authority gives cannot be kept.
    #[error(transparent)]
    Acme(#[from] acme::CacheError),
    /// The ledger cannot be opened.
    #[error("cannot open the ledger {place}")]
    Ledger {
        /// The file, or the database's URL without its password.
        place: String,
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
    listening: Listening,
    generation: Generation,
    recorder: Recorder,
    access: Access,
    spool: Spool,
    deliver: Deliver,
    /// What obtains certificates, if that is asked for.
    acme: Option<Acme>,
    ledger: Ledger,
    counters: Arc<Counters>,
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
    pub fn start_on(passed: Passed, settings: Settings, now: Time) -> Result<Self, Error> {
        let listening = Listening::begin(&settings, passed)?;
        let custody = Custody::new(settings.whose(), &settings.record.spool);
        let ledger = Ledger::run(&settings.ledger, custody, now);
        let ledger = ledger.map_err(|source| Error::Ledger {
            place: settings.ledger.to_string(),
            source,
        })?;
        let counters = Arc::new(Counters::default());
        let tracker = TaskTracker::new();
        let tokens = Arc::new(Tokens::default());
        let acme = match (&settings.acme, &listening.tls) {
            (Some(acme), Some(tls)) => {
                let answers = (Arc::clone(tls.certificates()), Arc::clone(&tokens));
                Some(Acme::open(
                    acme.clone(),
                    answers,
                    Arc::clone(&counters),
                    now,
                )?)
            }
            _ => None,
        };

        let keys = settings.capture.keys.clone();
        let spool = Spool::new(settings.record.spool.clone(), keys);
        let hold = settings.record.hold;
        let recorder = Recorder::new(ledger.clone(), spool.clone(), hold, Arc::clone(&counters));
        let pool = Pool::new(settings.observe.readers, settings.observe.read_timeout)?;
        let rules = Rules::new(settings.observe.clone(), &settings.stores);
        let watcher = Watcher::new(
            (&settings.observe, rules),
            pool,
            (settings.record.clone(), recorder.clone()),
            Arc::clone(&counters),
            tracker.clone(),
        );
        let access = Access::default();
        let sending = settings.deliver.clone();
        let deliver = Deliver::new(ledger.clone(), sending, Arc::clone(&counters));
        let log = access.log(settings.access_log);
        Ok(Self {
            generation: Generation {
                proxy: Arc::new(proxy(&settings, log, tokens)),
                watcher: Arc::new(watcher),
            },
            settings,
            listening,
            recorder,
            access,
            spool,
            deliver: deliver.map_err(Error::Deliver)?,
            acme,
            ledger,
            counters,
            tracker,
        })
    }

    /// Where shoppers are served.
    ///
    /// # Errors
    /// The system does not say.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listening.addresses()
    }

    /// What has happened, and will.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Where the operator is served, if he is.
    ///
    /// # Errors
    /// The system does not say.
    pub fn admin_address(&self) -> io::Result<Option<admin::Address>> {
        let admin = self.listening.admin.as_ref();
        admin.map(admin::Listener::address).transpose()
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
        let control = self.control((worker, workers), again, shutdown);
        let cut = runtime()?.block_on(control.run(end, threads, addresses))?;
        if cut > 0 {
            warn!(cut, "cut off what did not finish in time");
        }
        Ok(cut)
    }

    /// Starts the workers; where each of them takes another generation.
    fn spawn(&mut self, worker: &Worker) -> Result<(Threads, Vec<mpsc::Sender<Adopt>>), Error> {
        let (mut threads, mut workers) = (Vec::new(), Vec::new());
        let listeners = std::mem::take(&mut self.listening.workers);
        for (number, listeners) in listeners.into_iter().enumerate() {
            let (adopt, adopting) = mpsc::channel(1);
            let path = WorkerPath {
                worker: worker.clone(),
                doors: self.listening.doors.clone(),
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

    /// What runs beside the workers.
    fn control(
        self,
        (worker, workers): (Worker, Vec<mpsc::Sender<Adopt>>),
        again: Option<(Again<'_>, Asking)>,
        shutdown: CancellationToken,
    ) -> Control<'_> {
        let (again, asking) = again.unzip();
        let stores = Arc::new(Current::new(self.settings.stores.clone()));
        let operator = self.operator(&worker, &stores, asking);
        let forward = Arc::clone(&self.generation.proxy.forward);
        let looking = self.looking(&stores);
        let (checked, checking) = watch::channel((self.settings.stores.clone(), forward));
        let checking = Checking {
            checked: checking,
            counters: Arc::clone(&self.counters),
            tracker: self.tracker,
        };
        let reloader = Reloader {
            present: self.settings,
            generation: self.generation,
            stores,
            workers,
            worker,
            tls: self.listening.tls.clone(),
            deliver: self.deliver.clone(),
            recorder: self.recorder.clone(),
            access: self.access,
            checked,
            ledger: self.ledger,
            alarms: Arc::clone(&looking.settings),
            counters: Arc::clone(&self.counters),
        };
        Control {
            admin: self.listening.admin,
            operator: Arc::new(operator),
            deliver: self.deliver,
            recorder: self.recorder,
            checking,
            looking,
            tls: self.listening.tls,
            acme: self.acme,
            reloader,
            again,
            counters: self.counters,
            shutdown,
        }
    }

    /// What is looked at for alarms.
    fn looking(&self, stores: &Arc<Current<Stores>>) -> Looking {
        let ledger = match &self.settings.ledger {
            ledger::Settings::Sqlite(path) => path.parent().map(Path::to_owned),
            ledger::Settings::Postgres(_) => None,
        };
        let tls = self.listening.tls.as_ref();
        Looking {
            settings: Arc::new(Current::new(self.settings.alarms.clone())),
            counters: Arc::clone(&self.counters),
            ledger: self.ledger.clone(),
            spool: self.spool.clone(),
            deliver: self.deliver.clone(),
            stores: Arc::clone(stores),
            certificates: tls.map(|tls| Arc::clone(tls.certificates())),
            folders: ledger
                .into_iter()
                .chain([self.settings.record.spool.clone()])
                .collect(),
        }
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
            deliver: Some(self.deliver.clone()),
        })
    }
}

/// The workers' threads; each returns how many tasks were cut off.
type Threads = Vec<JoinHandle<usize>>;

fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}
