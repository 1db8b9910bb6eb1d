//! Versions of the schema on PostgreSQL, where replicas of several versions meet. Without a server each test says that
//! it did not run.

use std::path::Path;
use std::sync::Barrier;

use refgate::ledger::postgres::SCHEMA;
use refgate::ledger::{Entered, Error, Ledger, Role};
use tempfile::TempDir;

use super::known::demo;
use crate::support::postgres::{self, ask, run, settings};
use crate::support::sale::{LEASE, NOW, aspire, candidate};

/// A database with the ledger of version 1.
fn version_1() -> Option<(TempDir, String)> {
    let (dir, url) = empty()?;
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/postgres-v1.sql");
    run(&url, &std::fs::read_to_string(fixture).unwrap());
    Some((dir, url))
}

fn empty() -> Option<(TempDir, String)> {
    postgres::server()?;
    let dir = tempfile::tempdir().unwrap();
    let url = postgres::of(dir.path()).unwrap();
    Some((dir, url))
}

fn open(url: &str, role: Role) -> Result<Ledger, Error> {
    Ledger::open(&settings(url), role, NOW)
}

fn meta(url: &str, key: &str) -> Vec<String> {
    let sql = format!("SELECT value FROM refgate.meta WHERE key = '{key}'");
    ask(url, &sql)
}

/// Every column, index and constraint, one a line.
fn shape(url: &str) -> Vec<String> {
    let mut shape = ask(
        url,
        "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
           FROM information_schema.columns WHERE table_schema = 'refgate'
         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'refgate'
         UNION ALL SELECT conrelid::regclass::text || ' ' || pg_get_constraintdef(oid)
           FROM pg_constraint WHERE connamespace = 'refgate'::regnamespace",
    );
    shape.sort();
    shape
}

#[tokio::test]
async fn an_earlier_versions_tables_are_brought_up_to_date_once() {
    let (Some((_dir, url)), Some((_other, fresh))) = (version_1(), empty()) else {
        return;
    };
    let tool = open(&url, Role::Tool).unwrap_err();
    assert!(
        matches!(tool, Error::OlderSchema { found: 1, .. }),
        "{tool:?}"
    );
    let start = Barrier::new(4);
    let ledgers: Vec<Ledger> = std::thread::scope(|scope| {
        let opener = || {
            start.wait();
            open(&url, Role::Run).unwrap()
        };
        let openers: Vec<_> = (0..4).map(|_| scope.spawn(opener)).collect();
        openers.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(meta(&url, "schema"), [SCHEMA.to_string()]);
    assert_eq!(meta(&url, "runs"), ["7"]);
    assert_eq!(meta(&url, "known_key").len(), 1);
    drop(open(&fresh, Role::Run).unwrap());
    assert_eq!(shape(&url), shape(&fresh), "a fresh one is no other");

    let again = ledgers[0].enter(candidate("1001", Some("25.00"))).await;
    assert!(matches!(again, Ok(Entered::Again(_))), "{again:?}");
    let due = ledgers[1].claim(&aspire(), NOW, LEASE, 9).await.unwrap();
    assert_eq!(due.len(), 1);
    let told = ledgers[2].story("token".to_owned()).await.unwrap();
    assert_eq!(told[0].order.key.id.as_str(), "1002");
}

#[tokio::test]
async fn it_steps_back_and_comes_again() {
    let Some((_dir, url)) = version_1() else {
        return;
    };
    let ledger = open(&url, Role::Run).unwrap();
    let ids = vec!["1900".parse().unwrap()];
    ledger.learn(demo(), ids, NOW).await.unwrap();
    drop(ledger);
    let stepped = Ledger::step_back(&settings(&url), true).await.unwrap();
    assert_eq!((stepped.from, stepped.to, stepped.known_orders), (2, 1, 1));
    assert_eq!(meta(&url, "schema"), ["1"]);
    let again = Ledger::step_back(&settings(&url), true).await.unwrap_err();
    assert!(matches!(again, Error::OlderSchema { .. }), "{again:?}");
    // As version 1 writes.
    run(
        &url,
        "SET search_path = refgate; INSERT INTO transitions (order_id, postback_id, at, was, became, cause)
         VALUES (2, 2, 1, 'due', 'held', NULL)",
    );
    let ledger = open(&url, Role::Run).unwrap();
    assert_eq!(ledger.known("1900".to_owned()).await.unwrap().len(), 1);
    assert_eq!(meta(&url, "stepped_back_from"), [""; 0]);
    drop(ledger);
    Ledger::step_back(&settings(&url), true).await.unwrap();
    drop(open(&url, Role::Run).unwrap());
}

#[tokio::test]
async fn a_newer_versions_tables_are_used_where_they_say_so() {
    let Some((_dir, url)) = empty() else { return };
    drop(open(&url, Role::Run).unwrap());
    let newer = format!(
        "UPDATE refgate.meta SET value = '{}' WHERE key IN ('schema', 'compatible_from')",
        SCHEMA + 1
    );
    run(&url, &newer);
    let refused = open(&url, Role::Run).unwrap_err();
    assert!(matches!(refused, Error::NewerSchema { .. }), "{refused:?}");
    let says_so =
        format!("UPDATE refgate.meta SET value = '{SCHEMA}' WHERE key = 'compatible_from'");
    run(&url, &says_so);
    let ledger = open(&url, Role::Run).unwrap();
    let entered = ledger.enter(candidate("1001", Some("25.00"))).await;
    assert!(matches!(entered, Ok(Entered::New(_))), "{entered:?}");
    assert_eq!(meta(&url, "schema"), [(SCHEMA + 1).to_string()]);
}
