//! Health checks: the only requests of our own to a shop, where the operator names their path.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Version};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::cause::Causes;
use crate::event::{Counters, Event};
use crate::forward::{self, Client, Resend};
use crate::message::{Fields, Incoming, Interim, Request, RequestHead, Target};
use crate::store::upstreams::{Health, Member, Pulse};
use crate::store::{Store, Stores};

/// Why a check failed.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Shop(#[from] forward::Error),
    #[error("it answers with status {0}")]
    Status(u16),
    #[error("no answer within {0:?}")]
    Late(Duration),
}

/// What is checked now: the stores, and how a shop is spoken to.
pub(super) type Checked = (Stores, Arc<forward::Settings>);

/// Checks whatever `checked` says at the time.
pub(super) struct Checking {
    pub(super) checked: watch::Receiver<Checked>,
    pub(super) counters: Arc<Counters>,
    pub(super) tracker: TaskTracker,
}

impl Checking {
    /// Goes on until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            let checked = self.checked.borrow_and_update().clone();
            let checks = begin(&checked, &self.counters, &self.tracker);
            let word = self.checked.changed().await;
            if word.is_err() {
                // Whoever gave it is gone: nothing else comes, and the checks go on.
                checks.join_all().await;
                return;
            }
        }
    }
}

/// One task for each upstream of each store that has checks.
fn begin(
    (stores, settings): &Checked,
    counters: &Arc<Counters>,
    tracker: &TaskTracker,
) -> JoinSet<()> {
    let mut checks = JoinSet::new();
    let checked = stores.all().iter();
    let checked = checked.filter_map(|store| Some((store, store.upstreams.plan().health.clone()?)));
    let mut client = None;
    for (store, health) in checked {
        let client = client.get_or_insert_with(|| {
            let (settings, counters) = (Arc::clone(settings), Arc::clone(counters));
            Arc::new(Client::new(settings, counters, tracker))
        });
        for member in store.upstreams.members() {
            checks.spawn(check(Check {
                client: Arc::clone(client),
                store: Arc::clone(store),
                member: member.clone(),
                health: health.clone(),
                counters: Arc::clone(counters),
            }));
        }
    }
    checks
}

/// One upstream's.
struct Check {
    client: Arc<Client>,
    store: Arc<Store>,
    member: Member,
    health: Health,
    counters: Arc<Counters>,
}

async fn check(check: Check) {
    let Check {
        store,
        member,
        health,
        ..
    } = &check;
    let (store, upstream) = (&store.name, &member.upstream);
    let mut pulse = Pulse::new(!member.is_down());
    let mut every = interval(health.every);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let beat = check.beat().await;
        if beat.is_err() {
            check.counters.add(Event::CheckFailed);
        }
        let changed = pulse.beat(beat.is_ok(), health);
        if let Some(up) = changed {
            member.set_up(up);
        }
        match (changed, beat) {
            (Some(true), _) => info!(%store, %upstream, "an upstream is up"),
            (Some(false), Err(fault)) => {
                error!(%store, %upstream, "an upstream is down: {}", Causes(&fault));
            }
            (_, Err(fault)) => {
                warn!(%store, %upstream, "a health check failed: {}", Causes(&fault));
            }
            (_, Ok(())) => {}
        }
    }
}

impl Check {
    async fn beat(&self) -> Result<(), Fault> {
        let limit = self.health.timeout;
        let asking = self
            .client
            .send(&self.member.upstream, self.request(), Resend::Safe);
        let answered = tokio::time::timeout(limit, asking);
        // The body, if there is any, is not of interest: its connection ends with it.
        let response = answered.await.map_err(|_elapsed| Fault::Late(limit))?;
        let status = response
            .map_err(|failed| failed.error)?
            .head
            .status
            .as_u16();
        if status == self.health.status {
            Ok(())
        } else {
            Err(Fault::Status(status))
        }
    }

    fn request(&self) -> Request {
        let host = self.store.hosts.first().map_or("", String::as_str);
        let fields: Fields = [
            ("Host", host),
            ("User-Agent", "refgate-health"),
            ("Accept", "*/*"),
        ]
        .into_iter()
        .collect();
        Request {
            head: Box::new(RequestHead {
                method: Method::GET,
                target: Target::from(self.health.path.as_str()),
                authority: None,
                protocol: None,
                version: Version::HTTP_11,
                fields,
            }),
            body: Incoming::empty(),
            interim: Interim::closed(),
        }
    }
}
