//! A ledger, a test network and the delivery between them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use refgate::clock::Time;
use refgate::deliver::egress::Egress;
use refgate::deliver::{Answer, Dedupe, Deliver, Destination, Holds, Settings, Terms};
use refgate::demo::network::Network;
use refgate::event::Counters;
use refgate::ledger::{Error, Ledger, Role, Told};
use refgate::name::NetworkName;
use refgate::postback::{Mode, PostbackId, State, Verdict};
use refgate::secret::Secret;
use regex::Regex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::sale;

/// Aspire's URL, for a network at ADDRESS.
pub(crate) const ASPIRE: &str =
    "http://ADDRESS/aff_lsr?offer_id=1&aff_id=AFFILIATE_ID&amount=AMOUNT&adv_unique1=ORDER_ID";

/// The same, with the order's id as the network's unique id.
pub(crate) const UNIQUE: &str = "http://ADDRESS/aff_lsr?offer_id=1&aff_id=AFFILIATE_ID&amount=AMOUNT&conversion_unique_id=ORDER_ID";

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Everything a delivery test needs.
pub(crate) struct Office {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) network: Network,
    pub(crate) counters: Arc<Counters>,
    pub(crate) settings: Settings,
    pub(crate) ledger: Ledger,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Office {
    /// An office that sends to its own honest test network.
    pub(crate) async fn open(template: &str) -> Self {
        let tasks = TaskTracker::new();
        let shutdown = CancellationToken::new();
        let (network, address) = network(&tasks, &shutdown).await;
        let dir = tempfile::tempdir().unwrap();
        Self {
            ledger: sale::open(dir.path(), Role::Run).unwrap(),
            settings: settings(template, address),
            counters: Arc::default(),
            dir,
            network,
            shutdown,
            tasks,
        }
    }

    /// One more test network.
    pub(crate) async fn network(&self) -> (Network, SocketAddr) {
        network(&self.tasks, &self.shutdown).await
    }

    /// The one destination.
    pub(crate) fn destination(&mut self) -> &mut Destination {
        self.settings.destinations.get_mut(&sale::aspire()).unwrap()
    }

    /// One more destination, an honest network of its own.
    pub(crate) async fn second(&mut self, name: &str) -> (Network, NetworkName) {
        let (network, address) = self.network().await;
        let name: NetworkName = name.parse().unwrap();
        let destination = Destination {
            template: ASPIRE
                .replace("ADDRESS", &address.to_string())
                .parse()
                .unwrap(),
            ..self.destination().clone()
        };
        self.settings.destinations.insert(name.clone(), destination);
        (network, name)
    }

    /// Enters an order that is owed to that network's partner 123456.
    pub(crate) async fn sell_by(&self, network: &NetworkName, id: &str) -> PostbackId {
        self.enter(network, id, &[("affiliate_id", "123456")]).await
    }

    /// Enters an order that is owed to partner 123456.
    pub(crate) async fn sell(&self, id: &str) -> PostbackId {
        self.sell_to(id, &[("affiliate_id", "123456")]).await
    }

    /// Enters an order that is owed to a click with these values.
    pub(crate) async fn sell_to(&self, id: &str, values: &[(&str, &str)]) -> PostbackId {
        self.enter(&sale::aspire(), id, values).await
    }

    async fn enter(&self, network: &NetworkName, id: &str, values: &[(&str, &str)]) -> PostbackId {
        let mut sale = sale::candidate(id, Some("1249.95"));
        let now = Time::now();
        sale.sighting.at = now;
        sale.order.at = now;
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let click = sale.order.click.as_mut().unwrap();
        click.values = values.iter().map(owned).collect();
        click.network = network.clone();
        sale.postbacks[0].destination = network.clone();
        let key = sale.order.key.clone();
        self.ledger.enter(sale).await.unwrap();
        let stories = self.ledger.story(key.id.to_string()).await.unwrap();
        let told = stories.iter().flat_map(|story| &story.postbacks).next();
        told.unwrap().postback.id
    }

    /// Runs the delivery until told otherwise.
    pub(crate) fn start(&self) -> Running {
        self.start_draining(PATIENCE)
    }

    /// Runs it with another limit for the end.
    pub(crate) fn start_draining(&self, drain: Duration) -> Running {
        self.run(self.ready(), drain)
    }

    /// A delivery that is not yet under way.
    pub(crate) fn ready(&self) -> Deliver {
        let (settings, counters) = (self.settings.clone(), Arc::clone(&self.counters));
        Deliver::new(self.ledger.clone(), settings, counters).unwrap()
    }

    /// Sets it under way.
    pub(crate) fn run(&self, deliver: Deliver, drain: Duration) -> Running {
        let shutdown = CancellationToken::new();
        let task = self.tasks.spawn(deliver.run(shutdown.clone(), drain));
        Running { shutdown, task }
    }

    /// Enters an order, delivers it until it is in one of `states`, and ends the delivery.
    pub(crate) async fn deliver(&self, states: &[State]) -> Told {
        let id = self.sell("A-1").await;
        let running = self.start();
        let told = self.wait(id, states).await;
        running.end().await;
        told
    }

    /// Waits until an attempt has ended and left the postback in one of `states`.
    pub(crate) async fn wait(&self, id: PostbackId, states: &[State]) -> Told {
        let seen = async {
            loop {
                let told = self.ledger.postback(id).await.unwrap();
                let ended = told
                    .attempts
                    .last()
                    .is_some_and(|last| last.outcome.is_some());
                if ended && states.contains(&told.postback.state) {
                    return told;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        let seen = seen.map_err(|_elapsed| ());
        let stands = self.ledger.postback(id).await;
        assert!(seen.is_ok(), "{stands:?}");
        seen.unwrap()
    }

    /// Drops the ledger and opens it anew, as a restarted process does.
    pub(crate) async fn restart(mut self) -> Self {
        let elsewhere = tempfile::tempdir().unwrap();
        self.ledger = sale::open(elsewhere.path(), Role::Run).unwrap();
        let reopen = async {
            loop {
                // Killed tasks let go of it one by one.
                match sale::open(self.dir.path(), Role::Run) {
                    Err(Error::InUse { .. }) => tokio::task::yield_now().await,
                    opened => return opened.unwrap(),
                }
            }
        };
        self.ledger = tokio::time::timeout(PATIENCE, reopen).await.unwrap();
        self
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A delivery under way.
pub(crate) struct Running {
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    /// Ends it as SIGTERM does; a panic in it is the test's.
    pub(crate) async fn end(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap();
    }

    /// Ends it as `kill -9` does: whatever it was about to do is not done.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

async fn network(tasks: &TaskTracker, shutdown: &CancellationToken) -> (Network, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let network = Network::new();
    tasks.spawn(network.clone().serve(listener, shutdown.clone()));
    (network, address)
}

/// Settings with one destination: a TUNE network at `address`.
fn settings(template: &str, address: SocketAddr) -> Settings {
    let template = template.replace("ADDRESS", &address.to_string());
    let destination = Destination {
        template: template.parse().unwrap(),
        secrets: vec![Secret::new("hush")],
        answers: tune(),
        dedupe: Dedupe::None,
        concurrency: 4,
        rate: None,
        mode: Mode::Live,
        pause_after: None,
        webhook: None,
    };
    Settings {
        destinations: [(sale::aspire(), destination)].into(),
        schedule: vec![Duration::from_secs(60), Duration::from_secs(600)],
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(10),
        concurrency: 4,
        rest: Terms {
            after: 5,
            first: Duration::from_secs(30),
            longest: Duration::from_secs(600),
        },
        answer_limit: 4096,
        egress: Egress::default(),
        retry_after_limit: Duration::from_secs(3600),
        holds: Holds::default(),
    }
}

/// What TUNE's answers mean, as in the shipped configuration.
fn tune() -> Vec<Answer> {
    let answer = |body: &str, means, reason: Option<&str>| Answer {
        status: Some(200),
        body: Some(Regex::new(body).unwrap()),
        means,
        reason: reason.map(|reason| Regex::new(reason).unwrap()),
    };
    let words = Some("err_msg=([^;]*)");
    vec![
        answer(r"^\s*success=true", Verdict::Accepted, None),
        answer("(?i)success=false.*duplicate", Verdict::Duplicate, words),
        answer("success=false", Verdict::Rejected, words),
    ]
}
