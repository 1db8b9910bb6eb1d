//! The whole app by its front door: a raw client, the app, a raw shop and a test network.

use std::net::TcpListener;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::Parser as _;
use refgate::alarm::Standing;
use refgate::cli::steer::Hand;
use refgate::cli::{explain, held, say};
use refgate::click::{Came, Click};
use refgate::clock::Time;
use refgate::config::Settings;
use refgate::demo::network::{Call, Network};
use refgate::event::Event;
use refgate::ledger::{self, Ledger, OrderFilter, Role, Story, Told};
use refgate::order::Order;
use refgate::postback::State;
use refgate::record::spool::Spool;
use refgate::visit::{Visit, VisitId};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::config::{Folder, over};
use super::message::Message;
use super::proxy::{Running, run};
use super::shop::Shop;
use super::wire::{PATIENCE, Wire};

/// What a test does not say otherwise.
const BASE: &str = include_str!("front.yaml");

/// Everything that runs. The app ends first, then what it speaks with.
pub(crate) struct Front {
    proxy: Option<Running>,
    pub(crate) network: Network,
    pub(crate) settings: Settings,
    pub(crate) shop: Shop,
    _playing: Playing,
    /// Ledger and spool, which outlive the app.
    _dir: TempDir,
}

#[derive(Debug, clap::Parser)]
struct Held {
    #[command(flatten)]
    args: held::Args,
}

/// The network's thread.
struct Playing {
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    /// The app before `shop`.
    pub(crate) fn of(shop: Shop) -> Self {
        Self::with("", shop)
    }

    /// The same, with the top-level keys of `piece` in place of the usual ones.
    pub(crate) fn with(piece: &str, shop: Shop) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = ledger::Settings::Sqlite(dir.path().join("refgate.db"));
        Self::in_folder(dir, ledger, piece, shop)
    }

    /// The same, on this ledger.
    pub(crate) fn on(ledger: ledger::Settings, piece: &str, shop: Shop) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), ledger, piece, shop)
    }

    fn in_folder(dir: TempDir, ledger: ledger::Settings, piece: &str, shop: Shop) -> Self {
        let (network, playing, address) = Playing::start();
        let text = over(BASE, piece)
            .replace("SHOP", &shop.addr().to_string())
            .replace("NETWORK", &address);
        let mut settings = Folder::with(&text).loaded().settings;
        settings.ledger = ledger;
        settings.record.spool = dir.path().join("spool");
        // Nobody waits here between the click and the order.
        if !piece.contains("min_click_age") {
            settings.record.min_click_age = Duration::ZERO;
        }
        let proxy = run(settings.clone(), tempfile::tempdir().unwrap());
        Self {
            proxy: Some(proxy),
            network,
            settings,
            shop,
            _playing: playing,
            _dir: dir,
        }
    }

    /// Ends the app and starts it anew, as a new process would.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let folder = tempfile::tempdir().unwrap();
        self.proxy = Some(run(self.settings.clone(), folder));
    }

    /// Ends the app.
    pub(crate) fn stop(&mut self) {
        drop(self.proxy.take());
    }

    fn running(&self) -> &Running {
        self.proxy.as_ref().unwrap()
    }

    /// The ledger's SQLite file.
    pub(crate) fn ledger_file(&self) -> &Path {
        let ledger::Settings::Sqlite(path) = &self.settings.ledger else {
            panic!("{}", self.settings.ledger)
        };
        path
    }

    pub(crate) fn count(&self, event: Event) -> u64 {
        self.running().counters.get(event)
    }

    /// What is wrong, as the operator sees it.
    pub(crate) fn alarms(&self) -> Vec<Standing> {
        self.running().counters.alarms().standing()
    }

    /// A client's connection to the app.
    pub(crate) fn connect(&self) -> Wire {
        self.running().connect()
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        ask(self.connect(), request.as_ref())
    }

    /// The same request to the shop itself.
    pub(crate) fn direct(&self, request: impl AsRef<[u8]>) -> Message {
        ask(Wire::to(self.shop.addr()), request.as_ref())
    }

    /// Asks through the app; the answer is what the shop itself gives, head and body.
    pub(crate) fn same(&self, request: impl AsRef<[u8]>) -> Message {
        let through = self.ask(&request);
        assert_same(&through, &self.direct(&request));
        through
    }

    /// Asks the US store through the app with our parameter in the target; the answer is what the shop
    /// itself gives, but that caches must not keep it.
    pub(crate) fn same_but_caching(&self, target: impl AsRef<[u8]>) -> Message {
        let request = [
            b"GET ",
            target.as_ref(),
            b" HTTP/1.1\r\nHost: us.test\r\n\r\n",
        ]
        .concat();
        let through = self.ask(&request);
        let (mut ours, mut shops) = (through.clone(), self.direct(&request));
        assert_eq!(ours.all("cache-control"), [b"private, no-cache"]);
        for name in ["cache-control", "expires"] {
            ours.without(name);
            shops.without(name);
        }
        assert_same(&ours, &shops);
        through
    }

    /// Follows an affiliate's link into the US store; the cookie as it is sent back.
    pub(crate) fn click(&self) -> String {
        self.click_at("/")
    }

    /// The same, by a link to this page.
    pub(crate) fn click_at(&self, path: &str) -> String {
        let answer = self.ask(get(&format!("{path}?affiliate_id=123456"), ""));
        cookie(&answer).expect("no cookie")
    }

    /// A cookie, sealed with the app's key, of a click so long ago.
    pub(crate) fn cookie_of(&self, age: Duration) -> String {
        let click = Click {
            network: "aspire".parse().unwrap(),
            values: [("affiliate_id".to_owned(), "123456".to_owned())].into(),
            at: Time::now().minus(age),
            came: Came::default(),
        };
        self.sealed(&Visit::new(VisitId(7), click))
    }

    /// A cookie with this visit, sealed with the app's key.
    pub(crate) fn sealed(&self, visit: &Visit) -> String {
        let visit = serde_json::to_value(visit).unwrap();
        let sealed =
            serde_json::json!({"version": 1, "purpose": "visit", "group": "all", "visit": visit});
        let keys = &self.settings.capture.keys;
        format!("refgate={}", keys.seal("refgate", &sealed.to_string()))
    }

    /// The visit in a cookie `NAME=VALUE`.
    pub(crate) fn visit(&self, cookie: &str) -> Visit {
        let (name, value) = cookie.split_once('=').unwrap();
        let text = self.settings.capture.keys.open(name, value).unwrap();
        let sealed: serde_json::Value = serde_json::from_str(&text).unwrap();
        serde_json::from_value(sealed["visit"].clone()).unwrap()
    }

    /// Looks into the ledger as a tool does, beside the app.
    fn look<T>(&self, ask: impl AsyncFnOnce(Ledger) -> Result<T, ledger::Error>) -> T {
        let ledger = Ledger::open(&self.settings.ledger, Role::Tool, Time::now()).unwrap();
        runtime().block_on(ask(ledger)).unwrap()
    }

    /// Every order.
    pub(crate) fn orders(&self) -> Vec<Order> {
        self.look(async |ledger| ledger.orders(OrderFilter::default(), 1000).await)
    }

    /// All that is known of an order; none if it is not there.
    pub(crate) fn story(&self, id: &str) -> Option<Story> {
        let stories = self.look(async |ledger| ledger.story(id.to_owned()).await);
        assert!(stories.len() < 2, "{stories:?}");
        stories.into_iter().next()
    }

    /// What the operator is told of an order.
    pub(crate) fn explain(&self, id: &str, as_json: bool) -> String {
        let (words, done) = self.try_explain(id, as_json);
        done.unwrap();
        words
    }

    /// The same, and how it ended.
    pub(crate) fn try_explain(&self, id: &str, as_json: bool) -> (String, Result<(), say::Error>) {
        let args = explain::Args {
            order: id.to_owned(),
        };
        let (spool, mut out) = (self.spool(), Vec::new());
        let ledger = Ledger::open(&self.settings.ledger, Role::Tool, Time::now());
        let from = (ledger.as_ref().map_err(Clone::clone), &spool);
        let done = runtime().block_on(explain::run(&args, from, as_json, &mut out));
        (String::from_utf8(out).unwrap(), done)
    }

    /// Where its orders wait for the ledger.
    pub(crate) fn spool(&self) -> Spool {
        let keys = self.settings.capture.keys.clone();
        Spool::new(self.settings.record.spool.clone(), keys)
    }

    /// What `refgate held` says, typed so.
    pub(crate) fn held(&self, line: &str) -> String {
        let hand = Hand {
            actor: "anna".parse().unwrap(),
            now: Time::now(),
            follows: self.settings.deliver.holds.follows.clone(),
        };
        let typed = Held::try_parse_from(line.split(' ')).unwrap();
        let mut out = Vec::new();
        self.look(async |ledger| {
            let done = held::run(&typed.args, &ledger, &hand, false, &mut out);
            done.await.unwrap();
            Ok(())
        });
        String::from_utf8(out).unwrap()
    }

    /// Waits until the order's one postback is in `state`.
    pub(crate) fn settled(&self, id: &str, state: State) -> Told {
        let mut seen = String::new();
        let told = eventually(|| {
            let story = self.story(id)?;
            seen = format!("{:?}", story.postbacks);
            let told = story.postbacks.into_iter().next()?;
            (told.postback.state == state).then_some(told)
        });
        told.unwrap_or_else(|| panic!("order {id} never came to {state}: {seen}"))
    }

    /// Waits until the first attempt at the order's one postback has ended.
    pub(crate) fn attempted(&self, id: &str) {
        let ended = eventually(|| {
            let told = self.story(id)?.postbacks.into_iter().next()?;
            told.attempts.first()?.outcome.clone()
        });
        assert!(ended.is_some(), "order {id} was never told");
    }

    /// Every call to the network, once there are `count`.
    pub(crate) fn calls(&self, count: usize) -> Vec<Call> {
        let calls = eventually(|| Some(self.network.calls()).filter(|calls| calls.len() >= count));
        calls.unwrap_or_else(|| panic!("never {count}: {:?}", self.network.calls()))
    }

    /// Waits until the event was counted that often, or more often.
    pub(crate) fn counted_at_least(&self, event: Event, count: u64) {
        let reached = eventually(|| (self.count(event) >= count).then_some(()));
        assert!(reached.is_some(), "{}: {}", event.name(), self.count(event));
    }

    /// Waits until the event was counted that often.
    pub(crate) fn counted(&self, event: Event, count: u64) {
        let reached = eventually(|| (self.count(event) >= count).then_some(()));
        let got = self.count(event);
        assert_eq!((reached, got), (Some(()), count), "{}", event.name());
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Playing {
    fn start() -> (Network, Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (network, shutdown) = (Network::new(), CancellationToken::new());
        let (serving, told) = (network.clone(), shutdown.clone());
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                serving.serve(listener, told).await;
            });
        });
        let thread = Some(thread);
        (network, Self { shutdown, thread }, address)
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.thread.take().unwrap().join().ok();
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn ask(mut wire: Wire, request: &[u8]) -> Message {
    wire.say(request);
    wire.message(request.starts_with(b"HEAD"))
}

/// The same answer, but for the framing's spelling of an end that the connection told.
pub(crate) fn assert_same(through: &Message, direct: &Message) {
    let (mut through, mut direct) = (through.clone(), direct.clone());
    for message in [&mut through, &mut direct] {
        message.without("connection");
        message.start = message.start.replace("HTTP/1.0", "HTTP/1.1");
    }
    if direct.framing == super::message::Framing::Close {
        through.without("transfer-encoding");
    }
    assert_eq!(through.start, direct.start);
    assert_eq!(through.sorted(), direct.sorted());
    assert_eq!(through.complete, direct.complete);
    assert!(through.body == direct.body, "bodies differ");
}

/// A GET of the US store.
pub(crate) fn get(target: &str, fields: &str) -> String {
    from("us.test", target, fields)
}

/// A GET of any store; each field ends with CR LF.
pub(crate) fn from(host: &str, target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")
}

/// A GET of the US store with a cookie.
pub(crate) fn with(cookie: &str, target: &str) -> String {
    get(target, &format!("Cookie: {cookie}\r\n"))
}

/// Our cookie in an answer, as it is sent back: `NAME=VALUE`.
pub(crate) fn cookie(answer: &Message) -> Option<String> {
    let fields = answer.all("set-cookie").into_iter();
    let mut texts = fields.map(|field| String::from_utf8(field).unwrap());
    let ours = texts.find(|text| text.trim_start_matches("__Host-").starts_with("refgate="))?;
    Some(ours.split(';').next().unwrap().to_owned())
}

/// Asks again until there is an answer or patience ends.
#[expect(clippy::disallowed_methods, reason = "between two looks")]
pub(crate) fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() > end {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
