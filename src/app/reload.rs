//! Another configuration: read, compared with the one in force, adopted or refused as a whole.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};

use super::access::Access;
use super::health::Checked;
use super::worker::{Adopt, Generation, proxy};
use crate::accept::Worker;
use crate::accept::tls::{self, Acceptor};
use crate::alarm;
use crate::cause::Causes;
use crate::config::keys::Source;
use crate::config::{Faults, Loaded, Settings};
use crate::current::Current;
use crate::deliver::Deliver;
use crate::event::{Counters, Event};
use crate::ledger::{self, Ledger, PostbackFilter};
use crate::name::NetworkName;
use crate::observe::Rules;
use crate::postback::State;
use crate::record::Recorder;
use crate::record::spool::Spool;
use crate::reload::{Asked, Outcome};
use crate::store::Stores;

/// How often the file is looked at, where it is watched.
const LOOK: Duration = Duration::from_secs(2);

/// How long a worker may take to go by another generation.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where another configuration comes from.
pub struct Again<'a> {
    /// The file.
    pub path: &'a Path,
    /// Reads it as it is now.
    pub load: &'a dyn Fn() -> Result<Loaded, Faults>,
    /// Called when a reload is over, whatever came of it.
    pub over: &'a dyn Fn(),
    /// Who asks for it.
    pub asked: mpsc::Receiver<Asked>,
}

impl std::fmt::Debug for Again<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path;
        f.debug_struct("Again")
            .field("path", &path)
            .finish_non_exhaustive()
    }
}

/// Why the configuration before stays in force.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0}")]
    Faults(#[from] Faults),
    #[error("only a restart can change {}", .0.join(", "))]
    Restart(Vec<&'static str>),
    #[error("there is no key file {}: with a new key every visit would be forgotten; \
             make one with `refgate key new` if that is meant", .0.display())]
    NoKeys(PathBuf),
    #[error("the network `{0}` is left out, and postbacks to it are still to be sent")]
    Unsent(NetworkName),
    #[error("the ledger does not say what is still to be sent")]
    Ledger(#[from] ledger::Error),
    #[error(transparent)]
    Tls(#[from] tls::Error),
    #[error("postbacks cannot be sent from this machine")]
    Deliver(#[from] reqwest::Error),
    #[error("a worker does not go by it within {PATIENCE:?}: restart refgate")]
    Stuck,
}

/// What reloading changes.
pub(super) struct Reloader {
    pub(super) present: Settings,
    pub(super) generation: Generation,
    pub(super) stores: Arc<Current<Stores>>,
    pub(super) workers: Vec<mpsc::Sender<Adopt>>,
    pub(super) worker: Worker,
    pub(super) tls: Option<Acceptor>,
    pub(super) deliver: Deliver,
    pub(super) recorder: Recorder,
    pub(super) access: Access,
    /// What is checked by requests of our own.
    pub(super) checked: watch::Sender<Checked>,
    pub(super) ledger: Ledger,
    pub(super) alarms: Arc<Current<alarm::Settings>>,
    pub(super) counters: Arc<Counters>,
}

/// Which content a file has, as far as that can be told without reading it.
type Stamp = Option<(u64, u64, SystemTime)>;

impl Reloader {
    /// Answers whoever asks, and looks at the file where it is watched; never ends.
    pub(super) async fn run(mut self, mut again: Again<'_>) {
        let mut look = tokio::time::interval(LOOK);
        let mut taken = stamp(again.path);
        let mut seen = taken;
        loop {
            // Cancel-safe: an asker that was not taken is still in the queue.
            let asked = tokio::select! {
                Some(asked) = again.asked.recv() => Some(asked),
                _ = look.tick() => None,
            };
            let now = stamp(again.path);
            // Somebody may still be writing: it must look the same twice.
            let settled = now == std::mem::replace(&mut seen, now);
            let changed = self.present.watch && settled && now != taken;
            if asked.is_none() && !changed {
                continue;
            }
            taken = now;
            let outcome = self.again(&again).await;
            (again.over)();
            if let Some(asked) = asked {
                asked.answer(outcome);
            }
        }
    }

    async fn again(&mut self, again: &Again<'_>) -> Outcome {
        let done = match (again.load)() {
            Ok(loaded) => self.adopt(loaded).await,
            Err(faults) => Err(faults.into()),
        };
        match done {
            Ok(words) => {
                self.counters.add(Event::Reloaded);
                info!("{words}");
                Ok(words)
            }
            Err(refused) => {
                self.counters.add(Event::ReloadRefused);
                let words = Causes(&refused).to_string();
                error!("not reloaded, the configuration before stays in force: {words}");
                Err(words)
            }
        }
    }

    /// Everything that may be refused comes first.
    async fn adopt(&mut self, loaded: Loaded) -> Result<String, Refused> {
        let Loaded {
            mut settings,
            warnings,
            ..
        } = loaded;
        let fixed = fixed(&self.present, &settings);
        if !fixed.is_empty() {
            return Err(Refused::Restart(fixed));
        }
        let sources = std::iter::once(&settings.keys).chain(settings.group_keys.values());
        for source in sources {
            if let Source::New(path) = source {
                return Err(Refused::NoKeys(path.clone()));
            }
        }
        self.all_sent(&settings).await?;
        self.ledger.belong(settings.whose()).await?;
        let sending = Deliver::prepare(settings.deliver.clone())?;
        let certificates = Acceptor::read(&settings.accept.tls)?;

        settings.stores = settings.stores.after(&self.stores.get());
        let generation = self.generation(&settings);
        self.hand_out(&generation).await?;
        self.worker.adopt(settings.accept.clone());
        if let Some(tls) = &self.tls {
            tls.adopt(certificates);
        }
        self.deliver.adopt(sending);
        self.alarms.set(settings.alarms.clone());
        self.stores.set(settings.stores.clone());
        let forward = Arc::clone(&generation.proxy.forward);
        self.checked
            .send_replace((settings.stores.clone(), forward));
        self.generation = generation;
        self.present = settings;
        for warning in &warnings {
            warn!("{warning}");
        }
        let stores = self.present.stores.all().len();
        let rules = self.present.observe.rules.len();
        Ok(format!(
            "reloaded: stores {stores}, rules {rules}, warnings {}",
            warnings.len()
        ))
    }

    /// Whoever is left out must have been told everything.
    async fn all_sent(&self, next: &Settings) -> Result<(), Refused> {
        let kept = &next.deliver.destinations;
        let before = self.present.deliver.destinations.keys();
        for network in before.filter(|network| !kept.contains_key(*network)) {
            for state in [State::Due, State::Sending] {
                let filter = PostbackFilter {
                    destination: Some(network.clone()),
                    ..PostbackFilter::in_state(state)
                };
                if !self.ledger.postbacks(filter, 1).await?.is_empty() {
                    return Err(Refused::Unsent(network.clone()));
                }
            }
        }
        Ok(())
    }

    fn generation(&self, settings: &Settings) -> Generation {
        let rules = Rules::new(settings.observe.clone(), &settings.stores);
        let spool = Spool::new(settings.record.spool.clone(), settings.capture.keys.clone());
        let recorder = self.recorder.with(spool, settings.record.hold);
        let watcher = self.generation.watcher.with(
            (&settings.observe, rules),
            (settings.record.clone(), recorder),
        );
        let log = self.access.log(settings.access_log);
        let before = &self.generation.proxy;
        Generation {
            proxy: Arc::new(proxy(settings, log, Arc::clone(&before.tokens))),
            watcher: Arc::new(watcher),
        }
    }

    /// Returns when every worker goes by it.
    async fn hand_out(&self, generation: &Generation) -> Result<(), Refused> {
        let handing = async {
            for worker in &self.workers {
                let (adopted, adopting) = oneshot::channel();
                // A worker that is gone serves nobody.
                if worker.send((generation.clone(), adopted)).await.is_ok() {
                    adopting.await.ok();
                }
            }
        };
        tokio::time::timeout(PATIENCE, handing)
            .await
            .map_err(|_elapsed| Refused::Stuck)
    }
}

/// The keys of what differs and cannot change while requests are served.
fn fixed(present: &Settings, next: &Settings) -> Vec<&'static str> {
    let (own, other) = (&present.accept, &next.accept);
    let same = [
        ("listen", own.listen == other.listen),
        ("tls.minimum", own.tls.minimum == other.tls.minimum),
        ("tls.acme", present.acme == next.acme),
        ("admin", present.admin == next.admin),
        ("workers", own.workers == other.workers),
        ("limits.connections", own.connections == other.connections),
        (
            "limits.readers",
            present.observe.readers == next.observe.readers,
        ),
        ("timeouts.stall", own.stall_timeout == other.stall_timeout),
        ("timeouts.drain", own.drain == other.drain),
        ("name", present.name == next.name),
        (
            "ledger",
            (&present.ledger, present.keep) == (&next.ledger, next.keep),
        ),
        ("spool", present.record.spool == next.record.spool),
    ];
    let differing = same.into_iter().filter(|(_, same)| !same);
    differing.map(|(key, _)| key).collect()
}

fn stamp(path: &Path) -> Stamp {
    let about = fs::metadata(path).ok()?;
    Some((about.ino(), about.len(), about.modified().ok()?))
}
