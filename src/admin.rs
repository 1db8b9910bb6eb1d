//! The operator's listener: health, alarms and counters, and what he may have done.
//!
//! It is on loopback, or a Unix socket, or asks for a token (`door`); what is done by it is recorded
//! with who did it.

mod door;
mod listener;
mod metrics;
mod serve;
mod settings;
mod steering;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::actor::Actor;
use crate::cause::Causes;
use crate::clock::Time;
use crate::current::Current;
use crate::deliver::{Deliver, State};
use crate::event::{Counters, Event};
use crate::ledger::{Deed, Ledger, Pause};
use crate::record::spool::Spool;
use crate::reload::{Asking, Outcome};
use crate::store::Stores;
use metrics::{Kind, Page};

pub use listener::Listener;
pub use serve::serve;
pub use settings::{Address, Settings, Token};

/// How long the ledger may take over a probe, or its counts.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the pages are made from.
#[derive(Debug)]
pub struct Admin {
    counters: Arc<Counters>,
    ledger: Ledger,
    spool: Spool,
    view: View,
    /// Probes go one by one, lest they pile up before a ledger that hangs.
    probing: Mutex<()>,
}

/// What the metrics tell beside events and the ledger.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The stores.
    pub stores: Option<Arc<Current<Stores>>>,
    /// How many connections of shoppers are open.
    pub connections: Option<Gauge>,
    /// How many lines the access log has dropped.
    pub access_dropped: Option<Gauge>,
    /// Where another configuration is asked for.
    pub reload: Option<Asking>,
    /// Who sends the postbacks.
    pub deliver: Option<Deliver>,
}

/// Something whose value is asked for when it is to be shown.
#[derive(Clone)]
pub struct Gauge(Arc<dyn Fn() -> usize + Send + Sync>);

impl Gauge {
    /// What `ask` returns.
    pub fn new(ask: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl std::fmt::Debug for Gauge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (self.0)().fmt(f)
    }
}

impl Admin {
    /// Pages on what has been counted since the start, and on what these say of themselves.
    pub const fn new(counters: Arc<Counters>, ledger: Ledger, spool: Spool) -> Self {
        Self {
            counters,
            ledger,
            spool,
            view: View {
                stores: None,
                connections: None,
                access_dropped: None,
                reload: None,
                deliver: None,
            },
            probing: Mutex::const_new(()),
        }
    }

    /// The same, with more to tell.
    #[must_use]
    pub fn showing(self, view: View) -> Self {
        Self { view, ..self }
    }

    /// 200 while orders can be entered, 503 otherwise.
    async fn health(&self) -> Response<Full<Bytes>> {
        let probed = self.probe().await;
        let (status, word) = match probed {
            Ok(()) => (StatusCode::OK, "ok"),
            Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "degraded"),
        };
        let count = |event| self.counters.get(event);
        let health = serde_json::json!({
            "status": word,
            "time": Time::now().to_string(),
            "ledger": probed.err().unwrap_or_else(|| "ok".to_owned()),
            "spool_waiting": self.spooled().await,
            "orders_spooled": count(Event::OrderSpooled),
            "orders_logged": count(Event::OrderLogged),
            "rules_unreadable": count(Event::RuleUnreadable),
            "postbacks_unclear": count(Event::PostbackUnclear),
            "networks_down": self.networks_down(),
            "paused": self.pauses().await.map(names),
            "ledger_not_accepted": self.unaccepted().await,
            "alarms": self.alarm_names(),
        });
        page(status, "application/json", format!("{health}\n"))
    }

    /// What stands, for the operator to look at; no reason either.
    fn alarm_names(&self) -> Vec<&'static str> {
        let standing = self.counters.alarms().standing().into_iter();
        let mut names: Vec<_> = standing.map(|one| one.alarm.name()).collect();
        names.dedup();
        names
    }

    /// Every alarm that stands, with all that is known of it.
    fn alarms(&self) -> Response<Full<Bytes>> {
        let alarms = serde_json::json!({
            "time": Time::now().to_string(),
            "alarms": self.counters.alarms().standing(),
        });
        page(StatusCode::OK, "application/json", format!("{alarms}\n"))
    }

    /// The networks that nothing, or little, is sent to; this is no reason not to serve shoppers.
    fn networks_down(&self) -> Vec<String> {
        let standings = self.view.deliver.iter().flat_map(Deliver::standings);
        let down = standings.filter(|(_, standing)| standing.state != State::Up);
        down.map(|(name, _)| name.to_string()).collect()
    }

    /// Another configuration, on somebody's word.
    async fn reload(&self, actor: Actor) -> Outcome {
        self.record(actor, "reload").await;
        match &self.view.reload {
            Some(asking) => asking.ask().await,
            None => Err("this one was started without a file to read again".to_owned()),
        }
    }

    /// Keeps who did what. A ledger that does not take it is no reason not to do it: the log has it too.
    async fn record(&self, actor: Actor, verb: &'static str) {
        info!(%actor, verb, "asked for by the admin listener");
        let deed = Deed {
            actor,
            verb,
            subject: None,
            reason: None,
        };
        let recording = self.ledger.record(deed, Time::now());
        let why = match tokio::time::timeout(PATIENCE, recording).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => Causes(&error).to_string(),
            Err(_elapsed) => format!("it takes no write within {PATIENCE:?}"),
        };
        warn!(verb, why, "the ledger does not record what was asked for");
    }

    /// Whether an order can be entered now: reads succeed also where the ledger is locked, full or
    /// read-only, so only a write tells. An error says why not.
    async fn probe(&self) -> Result<(), String> {
        let probe = async {
            let _one = self.probing.lock().await;
            self.ledger.probe(Time::now()).await
        };
        match tokio::time::timeout(PATIENCE, probe).await {
            Ok(probed) => probed.map_err(|error| error.to_string()),
            Err(_elapsed) => Err(format!("the ledger takes no write within {PATIENCE:?}")),
        }
    }

    /// Why nothing is sent by the ledger, if that is so and can be told. Orders are entered all the same.
    async fn unaccepted(&self) -> Option<String> {
        let held = tokio::time::timeout(PATIENCE, self.ledger.unaccepted()).await;
        Some(held.ok()?.ok()??.why)
    }

    /// Which destinations are paused; none if that cannot be told.
    async fn pauses(&self) -> Option<Vec<Pause>> {
        let pauses = tokio::time::timeout(PATIENCE, self.ledger.pauses()).await;
        pauses.ok()?.ok()
    }

    /// Orders in the spool; none if that cannot be told.
    async fn spooled(&self) -> Option<usize> {
        let spool = self.spool.clone();
        let waiting = tokio::task::spawn_blocking(move || spool.waiting()).await;
        waiting.ok()?.ok()
    }

    /// The Prometheus text format, version 0.0.4.
    async fn metrics(&self) -> Response<Full<Bytes>> {
        let mut text = Page::default();
        for event in Event::ALL {
            let name = format!("{}_total", event.name());
            let count = self.counters.get(*event);
            text.single(&name, Kind::Counter, event.help().trim(), count);
        }
        metrics::alarms(&mut text, &self.counters.alarms().standing());
        self.passing(&mut text);
        if let Some(waiting) = self.spooled().await {
            let help = "Orders that wait in the spool for the ledger.";
            text.single("spool_waiting", Kind::Gauge, help, waiting);
        }
        if let Some(pauses) = self.pauses().await {
            metrics::pauses(&mut text, self.view.deliver.as_ref(), &pauses);
        }
        let counts = tokio::time::timeout(PATIENCE, self.ledger.states()).await;
        if let Ok(Ok(counts)) = counts {
            text.metric(
                "postbacks",
                Kind::Gauge,
                "Postbacks in the ledger, by state.",
            );
            for (state, count) in counts {
                text.sample("postbacks", format_args!("{{state=\"{state}\"}}"), count);
            }
        }
        page(
            StatusCode::OK,
            "text/plain; version=0.0.4",
            text.into_text(),
        )
    }

    /// What passes now, and has passed.
    fn passing(&self, text: &mut Page) {
        let View {
            stores,
            connections,
            access_dropped,
            reload: _,
            deliver,
        } = &self.view;
        if let Some(Gauge(open)) = connections {
            let help = "Connections of shoppers that are open.";
            text.single("connections", Kind::Gauge, help, open());
        }
        if let Some(Gauge(dropped)) = access_dropped {
            let help = "Lines of the access log that nobody read fast enough.";
            text.single("access_log_dropped_total", Kind::Counter, help, dropped());
        }
        if let Some(stores) = stores {
            let stores = stores.get();
            let stores = || stores.all().iter().map(Arc::as_ref);
            metrics::traffic(text, stores());
            metrics::upstreams(text, stores(), Instant::now());
        }
        if let Some(deliver) = deliver {
            metrics::networks(text, &deliver.standings());
        }
    }
}

fn names(pauses: Vec<Pause>) -> Vec<String> {
    let name = |pause: Pause| pause.destination.to_string();
    pauses.into_iter().map(name).collect()
}

fn page(status: StatusCode, media_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // No page elsewhere may make anything of it.
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
