//! What the operator is told of refgate's health, and what asking costs.

mod steering;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use refgate::admin::{Address, Admin, Gauge, Listener, Settings, Token, View, serve};
use refgate::alarm::Alarm;
use refgate::current::Current;
use refgate::demo::network::Manner;
use refgate::event::Counters;
use refgate::ledger::{Ledger, Role};
use refgate::postback::State;
use refgate::record::spool::Spool;
use refgate::seal::Keys;
use refgate::secret::Secret;
use rusqlite::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::support::config::{Folder, shipped};
use crate::support::office::{ASPIRE, Office};
use crate::support::sale::{NOW, candidate, sqlite as open};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn spool(dir: &Path) -> Spool {
    let keys = Keys::parse(["ab".repeat(64).as_str()]).unwrap();
    Spool::new(dir.join("spool"), keys)
}

/// The whole answer to one GET.
async fn get(dir: &Path, ledger: &Ledger, path: &str) -> String {
    get_from(Admin::new(Arc::default(), ledger.clone(), spool(dir)), path).await
}

async fn get_from(admin: Admin, path: &str) -> String {
    ask(admin, &format!("GET {path}"), "").await
}

/// What comes of a visit to the listener, which ends with it.
async fn served<T>(admin: Admin, visit: impl AsyncFnOnce(SocketAddr) -> T) -> T {
    let mut own = Settings::open(Address::Tcp("127.0.0.1:0".parse().unwrap()));
    own.tokens = vec![Token {
        name: "alice".parse().unwrap(),
        token: Secret::new(TOKEN),
    }];
    let listener = Listener::bind(own, |_| None).unwrap();
    let Address::Tcp(address) = listener.address().unwrap() else {
        panic!()
    };
    let admin = Arc::new(admin);
    let shutdown = CancellationToken::new();
    let visiting = async {
        let seen = visit(address).await;
        shutdown.cancel();
        seen
    };
    let (served, seen) = tokio::join!(serve(Some(listener), admin, shutdown.clone()), visiting);
    served.unwrap();
    seen
}

/// A connection by which alice has asked for `METHOD PATH`, with her token.
async fn asking(address: SocketAddr, line: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The whole answer.
async fn ask(admin: Admin, line: &str, body: &str) -> String {
    served(admin, async |address| {
        let mut answer = String::new();
        let mut stream = asking(address, line, body).await;
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    })
    .await
}

#[tokio::test]
async fn a_ledger_that_takes_no_order_is_degraded() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let well = get(dir.path(), &ledger, "/healthz").await;
    assert!(well.starts_with("HTTP/1.1 200"), "{well}");

    let other = Connection::open(dir.path().join("refgate.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let locked = get(dir.path(), &ledger, "/healthz").await;
    assert!(locked.starts_with("HTTP/1.1 503"), "{locked}");
    assert!(locked.contains("\"status\":\"degraded\""), "{locked}");
    assert!(locked.contains("takes no write within 1s"), "{locked}");

    other.execute_batch("ROLLBACK").unwrap();
    // What is queued before it may still have to be refused.
    ledger.probe(NOW).await.ok();
    let again = get(dir.path(), &ledger, "/healthz").await;
    assert!(again.starts_with("HTTP/1.1 200"), "{again}");
}

#[tokio::test]
async fn what_waits_in_the_spool_is_seen_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let none = get(dir.path(), &ledger, "/healthz").await;
    assert!(none.contains("\"spool_waiting\":0"), "{none}");
    let spool = spool(dir.path());
    let sealed = spool.seal(&candidate("1001", Some("25.00"))).unwrap();
    spool.write(&sealed, NOW).unwrap();
    let one = get(dir.path(), &ledger, "/healthz").await;
    assert!(one.contains("\"spool_waiting\":1"), "{one}");
    let metrics = get(dir.path(), &ledger, "/metrics").await;
    assert!(metrics.contains("\nrefgate_spool_waiting 1\n"), "{metrics}");
}

#[tokio::test]
async fn the_counts_do_not_go_through_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    let other = Connection::open(dir.path().join("refgate.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The writer waits for the lock, as it would be busy with an order.
    let entering = ledger.enter(candidate("1002", Some("25.00")));
    tokio::pin!(entering);
    let early = tokio::time::timeout(Duration::from_millis(50), &mut entering).await;
    assert!(early.is_err(), "{early:?}");
    tokio::select! {
        biased;
        entered = &mut entering => panic!("the counts waited for {entered:?}"),
        counts = ledger.counts() => assert_eq!(counts.unwrap().credited, 1),
    }
    other.execute_batch("ROLLBACK").unwrap();
    entering.await.unwrap();
}

#[tokio::test]
async fn what_passes_is_told_by_store_and_upstream_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let stores = Folder::with(&shipped()).loaded().settings.stores;
    let us = stores.find("store-us.localhost").unwrap();
    us.traffic.answered(200, Duration::from_millis(30));
    us.traffic.answered(503, Duration::from_secs(20));
    us.traffic.sent(1234);
    for _ in 0..3 {
        us.upstreams.members()[0].failed(Instant::now());
    }
    let view = View {
        stores: Some(Arc::new(Current::new(stores))),
        connections: Some(Gauge::new(|| 7)),
        access_dropped: Some(Gauge::new(|| 8)),
        reload: None,
        deliver: None,
    };
    let admin = Admin::new(Arc::default(), ledger, spool(dir.path())).showing(view);
    let metrics = get_from(admin, "/metrics").await;
    for line in [
        "refgate_responses_total{store=\"us\",status=\"2xx\"} 1",
        "refgate_responses_total{store=\"us\",status=\"5xx\"} 1",
        "refgate_responses_total{store=\"ca\",status=\"2xx\"} 0",
        "refgate_response_seconds_bucket{store=\"us\",le=\"0.025\"} 0",
        "refgate_response_seconds_bucket{store=\"us\",le=\"0.05\"} 1",
        "refgate_response_seconds_bucket{store=\"us\",le=\"10\"} 1",
        "refgate_response_seconds_bucket{store=\"us\",le=\"+Inf\"} 2",
        "refgate_response_seconds_sum{store=\"us\"} 20.03",
        "refgate_response_seconds_count{store=\"us\"} 2",
        "refgate_response_bytes_total{store=\"us\"} 1234",
        "refgate_upstream_state{store=\"us\",upstream=\"http://127.0.0.1:8081\",state=\"resting\"} 1",
        "refgate_upstream_state{store=\"us\",upstream=\"http://127.0.0.1:8081\",state=\"up\"} 0",
        "refgate_upstream_state{store=\"ca\",upstream=\"http://127.0.0.1:8082\",state=\"up\"} 1",
        "refgate_connections 7",
        "refgate_access_log_dropped_total 8",
        "# HELP refgate_requests_total A request was accepted.",
    ] {
        assert!(
            metrics.contains(&format!("\n{line}\n")),
            "{line}:\n{metrics}"
        );
    }
    is_well_formed(metrics.split_once("\r\n\r\n").unwrap().1);
}

#[tokio::test]
async fn a_network_that_is_down_is_named_and_is_no_reason_not_to_serve() {
    let mut office = Office::open(ASPIRE).await;
    office.settings.rest.after = 1;
    office.second("other").await;
    office.network.always(Manner::Busy(503, None));
    let deliver = office.ready();
    let running = office.run(deliver.clone(), Duration::ZERO);
    let id = office.sell("A-1").await;
    office.wait(id, &[State::Due]).await;
    let admin = || {
        let (counters, ledger) = (Arc::clone(&office.counters), office.ledger.clone());
        Admin::new(counters, ledger, spool(office.dir.path())).showing(View {
            deliver: Some(deliver.clone()),
            ..View::default()
        })
    };
    let health = get_from(admin(), "/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert!(
        health.contains("\"networks_down\":[\"aspire\"]"),
        "{health}"
    );
    let metrics = get_from(admin(), "/metrics").await;
    running.end().await;
    for line in [
        "refgate_network_state{network=\"aspire\",state=\"up\"} 0",
        "refgate_network_state{network=\"aspire\",state=\"resting\"} 1",
        "refgate_network_state{network=\"other\",state=\"up\"} 1",
        "refgate_postbacks_under_way{network=\"other\"} 0",
        "refgate_network_rests_total 1",
    ] {
        assert!(
            metrics.contains(&format!("\n{line}\n")),
            "{line}:\n{metrics}"
        );
    }
    is_well_formed(metrics.split_once("\r\n\r\n").unwrap().1);
}

#[tokio::test]
async fn what_stands_is_told_and_is_no_reason_not_to_serve() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let counters: Arc<Counters> = Arc::default();
    let admin = || Admin::new(Arc::clone(&counters), ledger.clone(), spool(dir.path()));
    let none = get_from(admin(), "/alarms").await;
    assert!(none.contains("\"alarms\":[]"), "{none}");
    let alarms = counters.alarms();
    alarms.raise(Alarm::RuleUnreadable, "us/thanks", "no total\u{1b}[2J", NOW);
    alarms.raise(Alarm::RuleUnreadable, "ca/thanks", "no id", NOW);
    let health = get_from(admin(), "/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert!(
        health.contains("\"alarms\":[\"rule_unreadable\"]"),
        "{health}"
    );
    let metrics = get_from(admin(), "/metrics").await;
    for line in [
        "refgate_alarm{alarm=\"rule_unreadable\"} 1",
        "refgate_alarm{alarm=\"disk_full\"} 0",
    ] {
        assert!(
            metrics.contains(&format!("\n{line}\n")),
            "{line}:\n{metrics}"
        );
    }
    is_well_formed(metrics.split_once("\r\n\r\n").unwrap().1);
    let told = get_from(admin(), "/alarms").await;
    let told: serde_json::Value =
        serde_json::from_str(told.split_once("\r\n\r\n").unwrap().1).unwrap();
    let [ca, us] = &told["alarms"].as_array().unwrap()[..] else {
        panic!("{told}")
    };
    assert_eq!(ca["subject"], "ca/thanks");
    assert_eq!(us["words"], "no total\\u{1b}[2J");
    assert_eq!(us["level"], "urgent");
    assert_eq!(us["manual"], "docs/alarms.md#rule_unreadable");
    assert_eq!(us["since"], NOW.to_string());
}

/// Each metric has one HELP and one TYPE before its samples, and no series stands twice.
fn is_well_formed(text: &str) {
    let (mut helped, mut typed, mut series) = (HashSet::new(), HashSet::new(), HashSet::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(helped.insert(name) && !words.trim().is_empty(), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, _kind) = kind.split_once(' ').unwrap();
            assert!(helped.contains(name) && typed.insert(name), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(series.insert(name), "{line}");
            assert!(
                value.bytes().all(|b| b.is_ascii_digit() || b == b'.'),
                "{line}"
            );
            let name = name.split('{').next().unwrap();
            let parts = ["_bucket", "_sum", "_count"];
            let whole = parts.iter().find_map(|part| name.strip_suffix(part));
            let whole = whole.filter(|whole| typed.contains(whole)).unwrap_or(name);
            assert!(typed.contains(whole), "{line}");
        }
    }
    assert!(series.len() > 60, "{}", series.len());
}
