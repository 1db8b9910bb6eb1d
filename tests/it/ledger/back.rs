//! The step back by one version: what the version before has no word for is named, gets one that it has, and is itself
//! again afterwards.

mod before;
mod everything;

use std::collections::BTreeSet;
use std::path::Path;

use refgate::ledger::{Error, Ledger, OrderFilter, Role, Settings, SteppedBack, Story};
use refgate::order::Doubt;
use refgate::postback::State;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::postgres;
use crate::support::sale::open;
use everything::everything;

/// The words of SQLite's version 2, PostgreSQL's version 1: all that its refgate reads in these columns, by its source. A
/// word that is not among them makes every list of it fail.
const WORDS: [(&str, &[&str]); 5] = [
    ("standing FROM orders", &["credited", "organic", "held"]),
    ("doubt FROM orders WHERE doubt IS NOT NULL", DOUBTS),
    ("doubt FROM postbacks WHERE doubt IS NOT NULL", DOUBTS),
    (
        "state FROM postbacks",
        &[
            "due",
            "sending",
            "accepted",
            "duplicate",
            "rejected",
            "unclear",
            "dead",
            "held",
        ],
    ),
    (
        "verdict FROM attempts WHERE verdict IS NOT NULL",
        &[
            "accepted",
            "duplicate",
            "rejected",
            "not_processed",
            "unclear",
        ],
    ),
];

const DOUBTS: &[&str] = &[
    "unreadable",
    "differs",
    "currency_contradicts",
    "no_rate",
    "over_max_amount",
    "not_positive",
    "unproven",
    "dry_run",
];

/// What it asks of the JSON in a sighting, beside what may be missing there.
const SIGHTING: [&str; 11] = [
    "at", "store", "rule", "request", "key", "aliases", "fields", "amount", "working", "faults",
    "visit",
];

/// All that the ledger knows of each order.
async fn stories(ledger: &Ledger) -> Vec<Story> {
    let orders = ledger.orders(OrderFilter::default(), 1000).await.unwrap();
    let ids: BTreeSet<String> = orders
        .iter()
        .map(|order| order.key.id.to_string())
        .collect();
    let mut all = Vec::new();
    for id in ids {
        all.extend(ledger.story(id).await.unwrap());
    }
    all
}

fn settings(dir: &Path) -> Settings {
    match postgres::of(dir) {
        Some(url) => postgres::settings(&url),
        None => Settings::Sqlite(dir.join("refgate.db")),
    }
}

/// The distinct values of `SELECT DISTINCT` and this.
fn values(dir: &Path, what: &str) -> Vec<String> {
    let sql = format!("SELECT DISTINCT {what}");
    if let Some(url) = postgres::of(dir) {
        return postgres::ask(&url, &format!("SET search_path = refgate; {sql}"));
    }
    let db = Connection::open(dir.join("refgate.db")).unwrap();
    let mut statement = db.prepare(&sql).unwrap();
    let values = statement.query_map([], |row| row.get(0)).unwrap();
    values.collect::<Result<_, _>>().unwrap()
}

/// A folder with the ledger that has everything.
async fn filled() -> (TempDir, Vec<Story>) {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    everything(&ledger).await;
    let told = stories(&ledger).await;
    (dir, told)
}

/// Which doubts would be renamed, of which table, to what, and how many.
fn named(stepped: &SteppedBack) -> Vec<(&str, &str, &str, u64)> {
    let doubts = stepped.doubts.iter();
    let named = doubts.map(|one| (&*one.of, &*one.was, one.becomes, one.count));
    named.collect()
}

/// What the version before cannot read.
fn strange(dir: &Path) -> Vec<String> {
    let mut strange = Vec::new();
    for (what, words) in WORDS {
        let values = values(dir, what).into_iter();
        let unknown = values.filter(|word| !words.contains(&word.as_str()));
        strange.extend(unknown.map(|word| format!("{what}: {word}")));
    }
    for body in values(dir, "body FROM sightings") {
        let body: Value = serde_json::from_str(&body).unwrap();
        let missing = SIGHTING.iter().filter(|key| body.get(key).is_none());
        strange.extend(missing.map(|key| format!("a sighting without {key}")));
        let found_by = body["found_by"].as_str().unwrap();
        if !["request", "session", "shared_session"].contains(&found_by) {
            strange.push(format!("found_by {found_by}"));
        }
    }
    strange
}

#[tokio::test]
async fn the_version_before_reads_every_word_and_nothing_is_lost_by_it() {
    let (dir, before) = filled().await;
    let settings = settings(dir.path());
    let asked = Ledger::step_back(&settings, false).await.unwrap();
    let same = stories(&open(dir.path(), Role::Tool).unwrap()).await;
    assert_eq!(same, before, "nothing was done");
    assert_ne!(
        strange(dir.path()),
        [""; 0],
        "there is something to be done"
    );
    #[rustfmt::skip]
    let unproven = ["blocked", "id_reused", "many_networks", "operator", "too_many", "too_young"];
    let mut expected = Vec::new();
    for of in ["orders", "postbacks"] {
        expected.extend(unproven.map(|was| {
            let count = 1 + u64::from((of, was) == ("postbacks", "operator"));
            (of, was, "unproven", count)
        }));
        expected.push((of, "shadow", "dry_run", 1));
    }
    let mut found = named(&asked);
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let others = (asked.known_orders, asked.pauses, asked.webhooks);
    assert_eq!(others, (2, 1, 1));

    let stepped = Ledger::step_back(&settings, true).await.unwrap();
    assert_eq!(stepped, asked);
    assert_eq!(strange(dir.path()), [""; 0]);
    let after = stories(&open(dir.path(), Role::Run).unwrap()).await;
    assert_eq!(after, before);
    let meta = "value FROM meta WHERE key = 'stepped_back_from'";
    assert_eq!(values(dir.path(), meta), [""; 0]);
    // Once more, as the first time.
    let again = Ledger::step_back(&settings, true).await.unwrap();
    assert_eq!(again.doubts, asked.doubts);
    assert_eq!(stories(&open(dir.path(), Role::Run).unwrap()).await, before);
}

#[tokio::test]
async fn what_was_decided_there_meanwhile_stands() {
    let (dir, _) = filled().await;
    let settings = settings(dir.path());
    Ledger::step_back(&settings, true).await.unwrap();
    let released = "UPDATE postbacks SET state = 'due', due = 1, doubt = NULL WHERE doubt = 'unproven' AND order_id =
        (SELECT id FROM orders WHERE number = 'too_young')";
    match postgres::of(dir.path()) {
        Some(url) => postgres::run(&url, &format!("SET search_path = refgate; {released}")),
        None => {
            let db = Connection::open(dir.path().join("refgate.db")).unwrap();
            assert_eq!(db.execute(released, []).unwrap(), 1);
        }
    }
    let ledger = open(dir.path(), Role::Run).unwrap();
    for (id, state, doubt) in [
        ("too_young", State::Due, None),
        ("too_many", State::Held, Some(Doubt::TooMany)),
        ("unproven", State::Held, Some(Doubt::Unproven)),
        ("shadow", State::Held, Some(Doubt::Shadow)),
    ] {
        let story = ledger.story(id.to_owned()).await.unwrap().remove(0);
        let postback = &story.postbacks[0].postback;
        assert_eq!((postback.state, postback.doubt), (state, doubt), "{id}");
    }
}

#[tokio::test]
async fn a_ledger_that_is_not_accepted_is_not_given_to_one_that_would_send_by_it() {
    let (dir, _) = filled().await;
    let held = "INSERT INTO meta (key, value) VALUES ('unaccepted', '{\"at\":1,\"why\":\"it is older than it was\"}')";
    match postgres::of(dir.path()) {
        Some(url) => postgres::run(&url, &format!("SET search_path = refgate; {held}")),
        None => {
            let db = Connection::open(dir.path().join("refgate.db")).unwrap();
            db.execute_batch(held).unwrap();
        }
    }
    for sure in [false, true] {
        let refused = Ledger::step_back(&settings(dir.path()), sure)
            .await
            .unwrap_err();
        assert!(
            matches!(&refused, Error::Unaccepted { why } if why.contains("older")),
            "{refused:?}"
        );
    }
}
