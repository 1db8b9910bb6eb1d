//! Orders that are known without their row, and versions of the schema.

use std::fs;
use std::path::Path;

use refgate::ledger::{Deed, Entered, Error, IDS, KnownOrder, Learned, Ledger, Role, Source};
use refgate::name::Namespace;
use refgate::order::OrderId;
use rusqlite::Connection;

use crate::support::sale::{NOW, candidate, later, open, sqlite};

pub(crate) fn demo() -> Namespace {
    "demo".parse().unwrap()
}

async fn learn(ledger: &Ledger, namespace: Namespace, ids: &[&str]) -> Learned {
    let ids: Vec<OrderId> = ids.iter().map(|id| id.parse().unwrap()).collect();
    ledger.learn(namespace, ids, NOW).await.unwrap()
}

#[tokio::test]
async fn an_imported_order_is_no_new_one_by_any_of_its_ids() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    ledger
        .enter(candidate("1000", Some("25.00")))
        .await
        .unwrap();
    let learned = learn(&ledger, demo(), &["1000", "1001", "token", "1001"]).await;
    let expected = Learned {
        new: 2,
        known: 1,
        orders: 1,
    };
    assert_eq!(learned, expected);
    let again = learn(&ledger, demo(), &["1000", "1001", "token"]).await;
    assert_eq!((again.new, again.known, again.orders), (0, 2, 1));

    let mut by_alias = candidate("1002", Some("25.00"));
    by_alias.order.aliases = vec!["token".parse().unwrap()];
    for known in [candidate("1001", Some("25.00")), by_alias] {
        let order = known.order.clone();
        let entered = ledger.enter(known).await.unwrap();
        let known = KnownOrder {
            namespace: demo(),
            since: NOW,
            source: Source::Imported,
        };
        assert_eq!(entered, Entered::Known(order, known));
    }
    let counts = ledger.counts().await.unwrap();
    assert_eq!((counts.credited, counts.organic, counts.held), (1, 0, 0));
    let seen = ledger.enter(candidate("1000", Some("25.00"))).await;
    assert!(matches!(seen, Ok(Entered::Again(_))), "its row comes first");
    let other = ledger.enter(candidate("1003", Some("25.00"))).await;
    assert!(matches!(other, Ok(Entered::New(_))), "{other:?}");
}

#[tokio::test]
async fn what_is_known_is_known_in_its_namespace_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    for name in ["demo", "a", "z"] {
        learn(&ledger, name.parse().unwrap(), &["1001"]).await;
    }
    learn(&ledger, "m".parse().unwrap(), &["1002"]).await;
    drop(ledger);
    let ledger = open(dir.path(), Role::Run).unwrap();
    let known = ledger.known("1001".to_owned()).await.unwrap();
    let names: Vec<_> = known.iter().map(|known| known.namespace.as_str()).collect();
    assert_eq!(names, ["a", "demo", "z"]);
    assert_eq!(ledger.known("1003".to_owned()).await.unwrap(), []);
    let mut elsewhere = candidate("1001", Some("25.00"));
    elsewhere.order.key.namespace = "m".parse().unwrap();
    let new = ledger.enter(elsewhere).await.unwrap();
    assert!(matches!(new, Entered::New(_)), "{new:?}");
}

#[tokio::test]
async fn as_many_as_are_learned_at_once_fit() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let ids: Vec<String> = (0..IDS).map(|number| format!("n{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let learned = learn(&ledger, demo(), &ids).await;
    assert_eq!(learned.new, u64::try_from(IDS).unwrap());
    let deed = Deed {
        actor: "anna".parse().unwrap(),
        verb: "import-known",
        subject: Some("demo".to_owned()),
        reason: Some("\0 of shop.csv".to_owned()),
    };
    ledger.record(deed, later(1)).await.unwrap();
}

/// The file holds no id that is known without its row.
#[tokio::test]
async fn of_a_known_order_a_keyed_hash_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sqlite(dir.path(), Role::Run).unwrap();
    learn(&ledger, demo(), &["secret-order-number"]).await;
    drop(ledger);
    let path = dir.path().join("refgate.db");
    let bytes = fs::read(&path).unwrap();
    let id = b"secret-order-number";
    assert!(!bytes.windows(id.len()).any(|window| window == id));
    let db = Connection::open(&path).unwrap();
    let mark = |sql: &str| -> String { db.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(mark("SELECT mark FROM known_orders").len(), 64);
    // Without its key nothing is known, and that is told.
    db.execute_batch("UPDATE meta SET value = 'x' WHERE key = 'known_key'")
        .unwrap();
    let error = sqlite(dir.path(), Role::Run).unwrap_err();
    let column = "meta.known_key";
    assert!(matches!(error, Error::Row { column: found, .. } if found == column));
}

fn fixture(name: &str, dir: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fs::copy(fixtures.join(name), dir.join("refgate.db")).unwrap();
}

fn version(dir: &Path) -> i64 {
    let db = Connection::open(dir.join("refgate.db")).unwrap();
    db.pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

/// What version 2's refgate asked of a file before it used it, and what it wrote into it.
fn version_2_writes(dir: &Path) {
    let db = Connection::open(dir.join("refgate.db")).unwrap();
    let number = |pragma: &str| -> i64 {
        db.pragma_query_value(None, pragma, |row| row.get(0))
            .unwrap()
    };
    assert_eq!(number("application_id"), 0x7266_6774);
    assert!(number("user_version") <= 2);
    db.execute_batch(
        "INSERT INTO orders (namespace, number, at, store, rule, standing, why, seen)
           VALUES ('demo', '2001', 1795392000000, 'us', 'thank-you', 'organic', 'no click', 1);
         INSERT INTO aliases SELECT namespace, number, id FROM orders WHERE number = '2001';
         INSERT INTO postbacks (order_id, destination, event, sequence, captured, state, at)
           SELECT id, 'aspire', 'sale', 0, '{}', 'dead', at FROM orders WHERE number = '2001';
         INSERT INTO transitions (order_id, postback_id, at, was, became, cause)
           SELECT id, NULL, at, NULL, 'organic', NULL FROM orders WHERE number = '2001';
         INSERT INTO sessions (mark, visit, at, until) VALUES ('ab', NULL, 1, 2);",
    )
    .unwrap();
}

#[tokio::test]
async fn an_earlier_versions_ledger_steps_back_and_comes_again() {
    for name in ["ledger-v1.db", "ledger-v2.db"] {
        let dir = tempfile::tempdir().unwrap();
        fixture(name, dir.path());
        let ledger = sqlite(dir.path(), Role::Run).unwrap();
        learn(&ledger, demo(), &["1900"]).await;
        let settings = refgate::ledger::Settings::Sqlite(dir.path().join("refgate.db"));
        let refused = Ledger::step_back(&settings, true).await.unwrap_err();
        assert!(matches!(refused, Error::InUse { .. }), "{refused:?}");
        drop(ledger);
        let stepped = Ledger::step_back(&settings, true).await.unwrap();
        assert_eq!((stepped.from, stepped.to), (3, 2));
        assert_eq!((stepped.known_orders, stepped.pauses), (1, 0));
        let again = Ledger::step_back(&settings, true).await.unwrap_err();
        assert!(matches!(again, Error::OlderSchema { .. }), "{again:?}");
        version_2_writes(dir.path());

        let ledger = sqlite(dir.path(), Role::Run).unwrap();
        assert_eq!(version(dir.path()), 3);
        assert_eq!(ledger.known("1900".to_owned()).await.unwrap().len(), 1);
        for id in ["1001", "2001"] {
            assert_eq!(ledger.story(id.to_owned()).await.unwrap().len(), 1, "{id}");
        }
        drop(ledger);
        Ledger::step_back(&settings, true).await.unwrap();
        sqlite(dir.path(), Role::Run).unwrap();
    }
}

/// A refgate one version newer says how old another one may be that uses its ledger.
#[tokio::test]
async fn a_newer_versions_ledger_is_used_where_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    drop(sqlite(dir.path(), Role::Run).unwrap());
    let db = Connection::open(dir.path().join("refgate.db")).unwrap();
    let newer = "PRAGMA user_version = 4; ALTER TABLE orders ADD COLUMN tomorrow TEXT;
        UPDATE meta SET value = '4' WHERE key = 'compatible_from'";
    db.execute_batch(newer).unwrap();
    for role in [Role::Run, Role::Tool] {
        let error = sqlite(dir.path(), role).unwrap_err();
        assert!(
            matches!(error, Error::NewerSchema { found: 4, .. }),
            "{error:?}"
        );
    }
    db.execute_batch("UPDATE meta SET value = '3' WHERE key = 'compatible_from'")
        .unwrap();
    let ledger = sqlite(dir.path(), Role::Run).unwrap();
    let entered = ledger.enter(candidate("1001", Some("25.00"))).await;
    assert!(matches!(entered, Ok(Entered::New(_))), "{entered:?}");
    drop(ledger);
    assert_eq!(version(dir.path()), 4, "it stays what it is");
    drop(sqlite(dir.path(), Role::Tool).unwrap());
}
