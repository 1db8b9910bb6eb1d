//! A ledger that is new where one was, older than it was, or another configuration's.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use refgate::ledger::{Custody, Deed, Entered, Error, Ledger, Role, Settings, Whose};
use refgate::postback::State;
use tempfile::TempDir;

use crate::support::front::eventually;
use crate::support::postgres::{self, ask};
use crate::support::sale::{LEASE, NOW, aspire, candidate, later, open, settlement};

fn whose(name: Option<&str>, hosts: &[&str]) -> Whose {
    Whose {
        name: name.map(|name| name.parse().unwrap()),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
    }
}

fn shop() -> Whose {
    whose(None, &["shop.example"])
}

fn settings(dir: &Path) -> Settings {
    match postgres::of(dir) {
        Some(url) => postgres::settings(&url),
        None => Settings::Sqlite(dir.join("refgate.db")),
    }
}

/// The ledger of `dir`, run on by whoever has his spool in `spool`.
fn run_on(dir: &Path, spool: &Path) -> Ledger {
    Ledger::run(&settings(dir), Custody::new(shop(), spool), NOW).unwrap()
}

async fn enter(ledger: &Ledger, id: &str) {
    let entered = ledger.enter(candidate(id, Some("25.00"))).await;
    assert!(matches!(entered, Ok(Entered::New(_))), "{entered:?}");
}

/// Enters an order and begins to send it.
async fn send(ledger: &Ledger, id: &str) {
    enter(ledger, id).await;
    let claimed = ledger.claim(&aspire(), NOW, LEASE, 1).await.unwrap();
    let begun = ledger
        .begin(claimed[0].id, "http://x/".to_owned(), NOW)
        .await;
    let end = settlement(&claimed[0], begun.unwrap(), State::Accepted);
    ledger.settle(end).await.unwrap();
}

fn by_hand() -> Deed {
    Deed {
        actor: "anna".parse().unwrap(),
        verb: "",
        subject: None,
        reason: Some("compared with the network".to_owned()),
    }
}

async fn why(ledger: &Ledger) -> String {
    let held = ledger.unaccepted().await.unwrap();
    held.map(|held| held.why).unwrap_or_default()
}

struct Place {
    dir: TempDir,
    spool: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            spool: tempfile::tempdir().unwrap(),
        }
    }

    fn run(&self) -> Ledger {
        run_on(self.dir.path(), self.spool.path())
    }
}

#[tokio::test]
async fn the_first_one_and_each_after_it_is_taken_as_it_is() {
    let place = Place::new();
    for number in 0..3 {
        let ledger = place.run();
        assert_eq!(why(&ledger).await, "");
        send(&ledger, &format!("n{number}")).await;
        assert_eq!(ledger.watch_over(NOW).await.unwrap(), None);
    }
    let witness = place.spool.path().join("ledger.witness");
    let text = fs::read_to_string(&witness).unwrap();
    assert!(text.contains("\"n2\""), "the last order is in it: {text}");
    let mode = fs::metadata(&witness).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_new_one_in_its_place_sends_nothing_until_it_is_accepted() {
    let (place, other) = (Place::new(), tempfile::tempdir().unwrap());
    send(&place.run(), "1001").await;
    let ledger = run_on(other.path(), place.spool.path());
    assert!(
        why(&ledger).await.contains("another one"),
        "{}",
        why(&ledger).await
    );
    let held = ledger.watch_over(later(1)).await.unwrap();
    assert!(held.is_some());

    // Orders are entered, nothing is sent.
    enter(&ledger, "2001").await;
    assert_eq!(ledger.waiting().await.unwrap(), []);
    assert_eq!(ledger.claim(&aspire(), NOW, LEASE, 9).await.unwrap(), []);
    drop(ledger);
    let ledger = run_on(other.path(), place.spool.path());
    assert!(
        why(&ledger).await.contains("another one"),
        "after a restart"
    );

    let tool = open(other.path(), Role::Tool).unwrap();
    let custody = Custody::new(shop(), place.spool.path());
    assert_eq!(tool.doubts(&custody).await.unwrap().len(), 1);
    tool.accept(Some(shop()), by_hand(), later(60))
        .await
        .unwrap();
    assert_eq!(tool.doubts(&custody).await.unwrap(), [""; 0]);

    assert_eq!(
        ledger.claim(&aspire(), NOW, LEASE, 9).await.unwrap().len(),
        1
    );
    assert_eq!(ledger.watch_over(later(61)).await.unwrap(), None);
    drop((ledger, tool, custody));
    let again = run_on(other.path(), place.spool.path());
    assert_eq!(why(&again).await, "");
    drop(again);
    let first = place.run();
    assert!(why(&first).await.contains("another one"), "now that one is");
}

#[tokio::test]
async fn what_was_claimed_before_it_is_held_is_not_begun() {
    let (place, other) = (Place::new(), tempfile::tempdir().unwrap());
    let ledger = place.run();
    enter(&ledger, "1001").await;
    let claimed = ledger.claim(&aspire(), NOW, LEASE, 1).await.unwrap();
    // As another replica does that finds it out.
    let held =
        "INSERT INTO meta (key, value) VALUES ('unaccepted', '{\"at\":1,\"why\":\"older\"}')";
    match postgres::of(place.dir.path()) {
        Some(url) => postgres::run(&url, &held.replace("meta", "refgate.meta")),
        None => rusqlite::Connection::open(place.dir.path().join("refgate.db"))
            .unwrap()
            .execute_batch(held)
            .unwrap(),
    }
    let begun = ledger
        .begin(claimed[0].id, "http://x/".to_owned(), NOW)
        .await;
    assert!(matches!(begun, Err(Error::NotPossible { .. })), "{begun:?}");
    drop(other);
}

/// A file that was copied, and put back when the ledger had gone on.
#[tokio::test]
async fn a_restored_file_is_held_whatever_it_lacks() {
    if postgres::is_meant() {
        return;
    }
    for lacks in ["an order", "an attempt", "a change", "a run"] {
        let place = Place::new();
        let (file, copy) = (
            place.dir.path().join("refgate.db"),
            place.dir.path().join("copy"),
        );
        let ledger = place.run();
        enter(&ledger, "1001").await;
        drop(ledger);
        fs::copy(&file, &copy).unwrap();
        let ledger = place.run();
        match lacks {
            "an order" => enter(&ledger, "1002").await,
            "an attempt" => {
                let claimed = ledger.claim(&aspire(), NOW, LEASE, 1).await.unwrap();
                let begun = ledger.begin(claimed[0].id, "http://x/".to_owned(), NOW);
                begun.await.unwrap();
            }
            "a change" => {
                let db = rusqlite::Connection::open(&file).unwrap();
                db.execute_batch(
                    "INSERT INTO transitions (order_id, at, became) VALUES (1, 1, 'credited')",
                )
                .unwrap();
                ledger.watch_over(later(1)).await.unwrap();
            }
            _ => {}
        }
        drop(ledger);
        fs::rename(&copy, &file).unwrap();
        let ledger = place.run();
        assert!(why(&ledger).await.contains("older than it was"), "{lacks}");
        let accepted = ledger.accept(None, by_hand(), later(9));
        accepted.await.unwrap();
        drop(ledger);
        assert_eq!(why(&place.run()).await, "", "{lacks}");
    }
}

#[tokio::test]
async fn who_has_not_seen_the_acceptance_yet_goes_by_it_too() {
    let (place, other) = (Place::new(), tempfile::tempdir().unwrap());
    // A second replica, or the same one with another spool.
    let second = tempfile::tempdir().unwrap();
    send(&place.run(), "1001").await;
    drop(run_on(place.dir.path(), second.path()));
    let ledger = run_on(other.path(), place.spool.path());
    let accepted = ledger.accept(None, by_hand(), later(60));
    accepted.await.unwrap();
    drop(ledger);
    assert_eq!(why(&run_on(other.path(), second.path())).await, "");
}

#[tokio::test]
async fn a_witness_that_cannot_be_read_is_no_proof() {
    let place = Place::new();
    enter(&place.run(), "1001").await;
    fs::write(place.spool.path().join("ledger.witness"), "{").unwrap();
    let ledger = place.run();
    assert!(why(&ledger).await.contains("cannot be read"));
    ledger.accept(None, by_hand(), later(9)).await.unwrap();
    ledger.watch_over(later(10)).await.unwrap();
    ledger.write_witness();
    drop(ledger);
    assert_eq!(why(&place.run()).await, "");
}

#[tokio::test]
async fn a_spool_that_cannot_be_written_stops_nothing() {
    let place = Place::new();
    let file = place.spool.path().join("file");
    fs::write(&file, "").unwrap();
    let ledger = run_on(place.dir.path(), &file);
    send(&ledger, "1001").await;
}

#[tokio::test]
async fn another_configurations_ledger_is_refused_until_it_is_accepted() {
    let place = Place::new();
    drop(place.run());
    let (own, staging) = (
        settings(place.dir.path()),
        whose(None, &["staging.example"]),
    );
    let run =
        |whose: &Whose| Ledger::run(&own, Custody::new(whose.clone(), place.spool.path()), NOW);
    let refused = run(&staging).unwrap_err();
    let words = refused.to_string();
    for part in ["shop.example", "staging.example", "refgate ledger accept"] {
        assert!(words.contains(part), "{words}");
    }
    let tool = open(place.dir.path(), Role::Tool).unwrap();
    let foreign = tool.refuse_foreign(&staging).await;
    assert!(matches!(foreign, Err(Error::NotOurs { .. })), "{foreign:?}");
    assert_eq!(tool.refuse_foreign(&shop()).await.ok(), Some(()));
    drop(tool);

    // Hosts come and go, one of them staying each time.
    for hosts in [
        &["shop.example", "www.shop.example"][..],
        &["www.shop.example"],
    ] {
        drop(run(&whose(None, hosts)).unwrap());
    }
    run(&shop()).unwrap_err();
    let named = whose(Some("shop"), &["www.shop.example"]);
    let ledger = run(&named).unwrap();
    let other = ledger.belong(staging.clone()).await;
    assert!(matches!(other, Err(Error::NotOurs { .. })), "{other:?}");
    drop(ledger);
    // By its name it is known anywhere, and nobody without it is.
    drop(run(&whose(Some("shop"), &["elsewhere.example"])).unwrap());
    run(&whose(None, &["elsewhere.example"])).unwrap_err();

    let tool = open(place.dir.path(), Role::Tool).unwrap();
    let custody = Custody::new(staging.clone(), place.spool.path());
    assert_eq!(tool.doubts(&custody).await.unwrap().len(), 1);
    tool.accept(Some(staging.clone()), by_hand(), later(9))
        .await
        .unwrap();
    drop((tool, custody));
    let ledger = run(&staging).unwrap();
    assert_eq!(why(&ledger).await, "");
    let hosts: BTreeSet<_> = staging.hosts.clone();
    assert_eq!(hosts.len(), 1);
}

/// A failover to a standby that was behind: the newest rows are gone, the processes are not.
#[tokio::test]
async fn a_database_that_lost_commits_is_held_by_whoever_made_them() {
    let Some(url) = postgres::server().and_then(|_| {
        let dir = tempfile::tempdir().unwrap();
        postgres::of(dir.path()).map(|url| (dir, url))
    }) else {
        return;
    };
    let (dir, url) = url;
    let (mine, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ledger = run_on(dir.path(), mine.path());
    let replica = run_on(dir.path(), theirs.path());
    enter(&replica, "1000").await;
    send(&ledger, "1001").await;
    let lost = "SET search_path = refgate; DELETE FROM transitions WHERE postback_id IS NOT NULL;
        DELETE FROM attempts; UPDATE postbacks SET state = 'due', due = 1, attempts = 0";
    postgres::run(&url, lost);
    let end = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'refgate'";
    assert!(!ask(&url, end).is_empty());
    let held = tokio::task::spawn_blocking(move || {
        let sql = "SELECT value FROM refgate.meta WHERE key = 'unaccepted'";
        eventually(|| ask(&url, sql).pop())
    });
    let held = held.await.unwrap().unwrap();
    assert!(held.contains("does not know what was sent"), "{held}");
    // The other replica has not made what is gone, and obeys all the same.
    let claimed = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        loop {
            match replica.claim(&aspire(), NOW, LEASE, 9).await {
                Ok(claimed) => return claimed,
                Err(_away) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    });
    assert_eq!(claimed.await.unwrap(), []);
}
