//! The scene: a shop, a network, and the real proxy between them, by the
//! configuration that a real operator would use.
//!
//! The shop listens where the configuration says the stores' shops are, the
//! network where the postbacks go; both must be loopback. Ledger and spool are
//! in a folder that is gone with the scene, so a demo leaves nothing behind.

use std::fs;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use reqwest::Url;
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::network::Network;
use super::shop::{Shop, Storefront};
use crate::app::{self, App};
use crate::clock::Time;
use crate::config::keys::Missing;
use crate::config::{self, Faults, Settings};
use crate::ledger;
use crate::money::Currency;
use crate::name::{NetworkName, StoreName};
use crate::record;

/// The configuration that comes with refgate.
const SHIPPED: &str = include_str!("../../proxy.yaml");

/// What it is called beside the ledger.
const NAME: &str = "proxy.yaml";

/// What stands in an affiliate's link, for the first pattern that takes it: a
/// partner id, a transaction id (domain.md §1).
const EXAMPLES: [&str; 2] = ["123456", "102656693ac3ca6e0cdafbfe89ab99"];

/// Why there is no scene.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is at fault.
    #[error(transparent)]
    Faults(#[from] Faults),
    /// A shop or a network that is somebody else's.
    #[error(
        "{0} is not on loopback: the demo plays the shop and the network itself, and speaks to nobody else"
    )]
    NotLoopback(String),
    /// The shop or the network cannot listen where the configuration says.
    #[error("the demo's shop or network cannot listen on {address}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No value fits the parameters of a network.
    #[error("the demo knows no value that the parameters of the network {0} take")]
    NoExample(NetworkName),
    /// The proxy cannot start.
    #[error(transparent)]
    App(#[from] app::Error),
    /// No thread, no folder for the ledger.
    #[error("the demo cannot be set up on this machine")]
    System(#[from] io::Error),
}

/// A store as shoppers reach it.
#[derive(Clone, Debug)]
pub struct Front {
    /// Its name.
    pub name: StoreName,
    /// What its prices are in.
    pub currency: Currency,
    /// Its address.
    pub url: Url,
}

/// Everything but the shopper.
#[derive(Debug)]
pub struct Scene {
    /// The shop, to be asked what it sold.
    pub shop: Shop,
    /// The network, to be asked what it was told.
    pub network: Network,
    /// The stores.
    pub fronts: Vec<Front>,
    /// By what it goes.
    pub settings: Settings,
    app: App,
    others: Others,
    /// Ledger and spool.
    folder: TempDir,
}

/// The thread that the shop and the network run on.
#[derive(Debug)]
struct Others {
    thread: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Scene {
    /// Sets the scene by the configuration at `path`, or by the shipped one.
    ///
    /// # Errors
    /// The configuration is at fault or leads away from this machine, or an
    /// address is taken.
    pub fn set(
        path: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
        now: Time,
    ) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("refgate-demo-").tempdir()?;
        let shipped = folder.path().join(NAME);
        if path.is_none() {
            fs::write(&shipped, SHIPPED)?;
        }
        let path = path.unwrap_or(&shipped);
        let mut settings = config::load(path, env, Missing::Pretend)?.settings;
        settings.ledger = ledger::Settings::Sqlite(folder.path().join("refgate.db"));
        settings.record.spool = folder.path().join("spool");
        // Its shopper buys faster than people do.
        settings.record.min_click_age = Duration::ZERO;
        // Nobody outside is asked for anything.
        settings.acme = None;

        let shops = shops(&settings)?;
        let networks = networks(&settings)?;
        let app = App::start(settings.clone(), now)?;
        let port = app.addresses()?.first().map(SocketAddr::port);
        let fronts = fronts(&settings, port);
        let (shop, network) = (Shop::new(), Network::new());
        let others = Others::start(&shop, shops, &fronts, (&network, networks))?;
        Ok(Self {
            shop,
            network,
            fronts,
            settings,
            app,
            others,
            folder,
        })
    }

    /// The links that affiliates of each network would put on their pages, for a store.
    ///
    /// # Errors
    /// No value is known that a network's parameters take.
    pub fn links(&self, front: &Front) -> Result<Vec<Url>, Error> {
        let networks = self.settings.capture.networks.iter();
        networks
            .map(|network| {
                let mut url = front.url.clone();
                for parameter in network.parameters.iter().filter(|one| one.required) {
                    let example = EXAMPLES.iter().find(|value| parameter.takes(value));
                    let example = example.ok_or_else(|| Error::NoExample(network.name.clone()))?;
                    url.query_pairs_mut().append_pair(&parameter.name, example);
                }
                Ok(url)
            })
            .collect()
    }

    /// The shipped configuration, beside the ledger that it names; none if another one is played.
    pub fn config(&self) -> Option<PathBuf> {
        let shipped = self.folder.path().join(NAME);
        shipped.exists().then_some(shipped)
    }

    /// Plays until `end` comes; then the shop and the network go too.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn play(self, end: impl Future<Output = ()>) -> Result<(), Error> {
        self.app.run(end)?;
        self.others.shutdown.cancel();
        // A panic of theirs was told when it happened.
        self.others.thread.join().ok();
        Ok(())
    }
}

impl Others {
    fn start(
        shop: &Shop,
        shops: Vec<(TcpListener, Currency)>,
        fronts: &[Front],
        (network, networks): (&Network, Vec<TcpListener>),
    ) -> Result<Self, Error> {
        let runtime = runtime()?;
        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let within = runtime.enter();
        for (listener, currency) in shops {
            let other = fronts.iter().find(|front| front.currency != currency);
            let sibling = other.map_or("", |front| front.url.as_str());
            let front = match currency.as_str() {
                "CAD" => Storefront::ca(sibling),
                _ => Storefront::us(sibling),
            };
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tasks.spawn(shop.clone().serve(listener, front, shutdown.clone()));
        }
        for listener in networks {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tasks.spawn(network.clone().serve(listener, shutdown.clone()));
        }
        tasks.close();
        drop(within);
        let thread = thread::Builder::new()
            .name("demo".to_owned())
            .spawn(move || runtime.block_on(tasks.wait()))?;
        Ok(Self { thread, shutdown })
    }
}

fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

/// One listener for each upstream, with the currency of the store it serves.
fn shops(settings: &Settings) -> Result<Vec<(TcpListener, Currency)>, Error> {
    let mut shops = Vec::new();
    let mut taken = Vec::new();
    for store in settings.stores.all() {
        for member in store.upstreams.members() {
            let upstream = &member.upstream;
            if taken.contains(&upstream) {
                continue;
            }
            taken.push(upstream);
            let listener = listen(&upstream.host, upstream.port, upstream)?;
            shops.push((listener, store.currency));
        }
    }
    Ok(shops)
}

/// One listener for each address that postbacks go to.
fn networks(settings: &Settings) -> Result<Vec<TcpListener>, Error> {
    let mut taken: Vec<(String, u16)> = Vec::new();
    let mut networks = Vec::new();
    for destination in settings.deliver.destinations.values() {
        let text = destination.template.to_string();
        let url = Url::parse(&text).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        let port = url
            .as_ref()
            .and_then(Url::port_or_known_default)
            .unwrap_or(0);
        if destination.template.is_https() {
            return Err(Error::NotLoopback(format!("https://{host}")));
        }
        let address = (host.to_owned(), port);
        if !taken.contains(&address) {
            networks.push(listen(host, port, &format!("http://{host}"))?);
            taken.push(address);
        }
    }
    Ok(networks)
}

fn listen(host: &str, port: u16, shown: &impl ToString) -> Result<TcpListener, Error> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = (bare, port).to_socket_addrs()?.next();
    let address = address
        .filter(|address| address.ip().is_loopback())
        .ok_or_else(|| Error::NotLoopback(shown.to_string()))?;
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    bind().map_err(|source| Error::Bind { address, source })
}

/// Each store by its first host, on the port that is listened on; first those
/// whose money a network counts in.
fn fronts(settings: &Settings, port: Option<u16>) -> Vec<Front> {
    let stores = settings.stores.all().iter();
    let mut fronts: Vec<_> = stores
        .filter_map(|store| {
            let mut url = Url::parse(&format!("http://{}/", store.hosts.first()?)).ok()?;
            url.set_port(port).ok()?;
            Some(Front {
                name: store.name.clone(),
                currency: store.currency,
                url,
            })
        })
        .collect();
    let networks = &settings.record.destinations;
    fronts.sort_by_key(|front| {
        let counts = |network: &record::Destination| network.currency == front.currency;
        !networks.values().any(counts)
    });
    fronts
}
