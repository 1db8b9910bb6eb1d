//! The app on one worker, between a client and shops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use refgate::accept::Listener;
use refgate::app::App;
use refgate::clock::Time;
use refgate::config::{self, keys::Missing};
use refgate::event::Counters;
use refgate::store::tls::Tls;
use refgate::store::{Protocol, Scheme, Store, Stores, Upstream};
use refgate::{accept, forward};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::wire::Wire;

/// Long enough never to matter.
const LONG: Duration = Duration::from_secs(60);

/// What is not said otherwise: no rule, and a network that nobody needs.
const BASE: &str = "
listen: 127.0.0.1:0
stores:
  shop:
    hosts: [shop.test]
    scheme: http
    insecure_http: true
    upstream: http://127.0.0.1:1
    currency: USD
    number_format: '1,234.56'
    max_amount: 5000
    consent: not_needed
    orders: test
networks:
  aspire:
    click: { affiliate_id: '[0-9]{1,12}' }
    postback: http://127.0.0.1:1/aff_lsr?aff_id=AFFILIATE_ID&amount=AMOUNT&adv_unique1=ORDER_ID
    currency: USD
    answers: [{ status: 200, body: success=true, means: accepted }]
";

pub(crate) struct Setup {
    stores: Vec<Store>,
    pub(crate) accept: accept::Settings,
    pub(crate) forward: forward::Settings,
}

/// A free port of this machine.
pub(crate) fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A proxy that runs; dropped, it is told to end.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    /// Where it listens, the first of them too.
    pub(crate) addrs: Vec<SocketAddr>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) shutdown: CancellationToken,
    thread: Option<JoinHandle<usize>>,
    /// Where its ledger is.
    _folder: TempDir,
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
            upstreams: Upstream {
                host: shop.ip().to_string(),
                port: shop.port(),
                tls: None,
                protocol: Protocol::default(),
            }
            .into(),
            currency: "USD".parse().unwrap(),
            number_format: "1,234.56".parse().unwrap(),
            max_amount: "5000".parse().unwrap(),
            consent: refgate::consent::Consent::NotNeeded,
            orders: "test".parse().unwrap(),
            group: Default::default(),
            scope: Default::default(),
            traffic: Arc::default(),
        };
        Self {
            stores: vec![store],
            accept: accept::Settings {
                listen: vec![Listener::plain(any())],
                tls: accept::tls::Settings::default(),
                workers: 1,
                connections: 100,
                trusted: Vec::new(),
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

    /// Its upstream speaks HTTP/2; by TLS, if that is said.
    pub(crate) fn http2(mut self, tls: Option<Arc<Tls>>) -> Self {
        let known = &self.stores[0].upstreams.members()[0].upstream;
        self.stores[0].upstreams = Upstream {
            tls,
            protocol: Protocol::Http2,
            ..known.clone()
        }
        .into();
        self
    }

    pub(crate) fn host(mut self, upstream: &str) -> Self {
        let port = self.stores[0].upstreams.members()[0].upstream.port;
        let host = upstream.to_owned();
        self.stores[0].upstreams = Upstream {
            host,
            port,
            tls: None,
            protocol: Protocol::default(),
        }
        .into();
        self
    }

    pub(crate) fn start(self) -> Running {
        let (mut settings, folder) = base();
        settings.accept = self.accept;
        settings.forward = self.forward;
        settings.stores = Stores::new(self.stores);
        run(settings, folder)
    }
}

/// The settings of [`BASE`], and the folder that their ledger goes into.
pub(crate) fn base() -> (config::Settings, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.yaml");
    std::fs::write(&file, BASE).unwrap();
    let loaded = config::load(&file, &|_| None, Missing::Pretend).unwrap();
    (loaded.settings, folder)
}

/// Runs the app by these settings; the folder, with the ledger in it, goes with it.
pub(crate) fn run(settings: config::Settings, folder: TempDir) -> Running {
    let app = App::start(settings, Time::now()).unwrap();
    let addrs = app.addresses().unwrap();
    let counters = app.counters();
    let shutdown = CancellationToken::new();
    let told = shutdown.clone();
    let thread = std::thread::spawn(move || app.run(told.cancelled_owned()).unwrap());
    Running {
        addr: addrs[0],
        addrs,
        counters,
        shutdown,
        thread: Some(thread),
        _folder: folder,
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
