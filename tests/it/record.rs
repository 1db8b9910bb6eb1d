//! The order path: into the ledger, or into the spool and from there, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use refgate::event::{Counters, Event};
use refgate::ledger::{Entered, Ledger, Role};
use refgate::record::spool::{Fault, Spool, import};
use refgate::record::{PATIENCE, Recorded, Recorder};
use refgate::seal::Keys;
use rusqlite::Connection;
use tokio::time::Instant;

use crate::support::sale::{LEASE, NOW, aspire, candidate, sqlite as open};

/// A hold that no test waits for.
const HOLD: Duration = Duration::from_secs(3600);

fn keys(digit: &str) -> Keys {
    Keys::parse([digit.repeat(128).as_str()]).unwrap()
}

fn spool(dir: &Path) -> Spool {
    Spool::new(dir.join("spool"), keys("a"))
}

/// A recorder on a ledger, with what it counts.
fn recorder(dir: &Path, ledger: &Ledger, hold: Duration) -> (Recorder, Arc<Counters>) {
    let counters = Arc::new(Counters::default());
    let recorder = Recorder::new(ledger.clone(), spool(dir), hold, Arc::clone(&counters));
    (recorder, counters)
}

/// The files of a directory whose names end so; none if it is not there.
fn files(dir: PathBuf) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "order"))
        .collect()
}

#[tokio::test]
async fn an_order_is_entered_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let (recorder, counters) = recorder(dir.path(), &ledger, HOLD);
    for _ in 0..2 {
        let recorded = recorder
            .record(candidate("1001", Some("25.00")), Instant::now())
            .await;
        assert!(matches!(recorded, Recorded::Entered(_)), "{recorded:?}");
    }
    recorder
        .record(candidate("1002", None), Instant::now())
        .await;
    let count = |event| counters.get(event);
    assert_eq!(count(Event::OrderEntered), 2);
    assert_eq!(count(Event::OrderSeenAgain), 1);
    assert_eq!(count(Event::OrderHeld), 1);
    assert_eq!(files(dir.path().join("spool")), Vec::<PathBuf>::new());
}

/// Spools an order while `broken` is in force, mends it, and imports twice.
async fn spooled_then_imported_once(dir: &Path, ledger: &Ledger, mend: impl FnOnce()) {
    let (recorder, counters) = recorder(dir, ledger, HOLD);
    let recorded = recorder
        .record(candidate("1001", Some("25.00")), Instant::now())
        .await;
    assert_eq!(recorded, Recorded::Spooled);
    assert_eq!(counters.get(Event::LedgerFailed), 1);
    assert_eq!(counters.get(Event::OrderSpooled), 1);
    assert_eq!(files(dir.join("spool")).len(), 1);
    mend();
    for round in 0..2 {
        let imported = import(&spool(dir), ledger).await.unwrap();
        assert_eq!(imported.entered.len(), 1 - round, "{imported:?}");
        assert!(imported.kept.is_empty(), "{imported:?}");
    }
    assert_eq!(files(dir.join("spool")).len(), 0);
    assert_eq!(files(dir.join("spool/done")).len(), 1);
    let stories = ledger.story("1001".to_owned()).await.unwrap();
    assert_eq!(stories.len(), 1);
    assert_eq!(stories[0].seen, 1);
    assert_eq!(stories[0].postbacks.len(), 1);
}

#[tokio::test]
async fn a_locked_ledger_spools_and_the_import_enters_once() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let other = Connection::open(dir.path().join("refgate.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    spooled_then_imported_once(dir.path(), &ledger, || {
        other.execute_batch("ROLLBACK").unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_slow_ledger_spools_before_the_hold_ends_and_takes_the_file_back() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let other = Connection::open(dir.path().join("refgate.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (recorder, counters) = recorder(dir.path(), &ledger, Duration::from_millis(5));
    let recording = recorder.record(candidate("1001", Some("25.00")), Instant::now());
    let unlocking = async {
        while counters.get(Event::OrderSpooled) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(files(dir.path().join("spool")).len(), 1);
        other.execute_batch("ROLLBACK").unwrap();
    };
    let (recorded, ()) = tokio::join!(recording, unlocking);
    assert!(matches!(recorded, Recorded::Entered(_)), "{recorded:?}");
    assert_eq!(counters.get(Event::OrderEntered), 1);
    assert_eq!(files(dir.path().join("spool")).len(), 0);
}

#[tokio::test]
async fn without_a_hold_the_ledger_still_has_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let other = Connection::open(dir.path().join("refgate.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (recorder, counters) = recorder(dir.path(), &ledger, Duration::ZERO);
    let begun = Instant::now();
    let recording = recorder.record(candidate("1001", Some("25.00")), begun);
    let spooling = async {
        while counters.get(Event::OrderSpooled) == 0 {
            tokio::task::yield_now().await;
        }
        let waited = begun.elapsed();
        other.execute_batch("ROLLBACK").unwrap();
        waited
    };
    let (_recorded, waited) = tokio::join!(recording, spooling);
    assert!(waited >= PATIENCE, "spooled after {waited:?}");
}

#[tokio::test]
async fn without_ledger_and_spool_the_order_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    fs::write(dir.path().join("spool"), "a file in its place").unwrap();
    let other = Connection::open(dir.path().join("refgate.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (recorder, counters) = recorder(dir.path(), &ledger, HOLD);
    let recorded = recorder
        .record(candidate("1001", Some("25.00")), Instant::now())
        .await;
    assert_eq!(recorded, Recorded::Logged);
    assert_eq!(counters.get(Event::OrderLogged), 1);
    assert_eq!(counters.get(Event::OrderSpooled), 0);
}

#[tokio::test]
async fn what_is_spooled_is_entered_at_the_start_and_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let (recorder, counters) = recorder(dir.path(), &ledger, HOLD);
    let spooled = |number| {
        let sealed = spool(dir.path()).seal(&candidate(number, Some("25.00")));
        spool(dir.path()).write(&sealed.unwrap(), NOW).unwrap();
    };
    let entered = async |orders| {
        while counters.get(Event::OrderEntered) < orders {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    spooled("1001");
    let seen = async {
        entered(1).await;
        spooled("1002");
        entered(2).await;
    };
    let soon = tokio::time::timeout(Duration::from_secs(60), seen);
    tokio::select! {
        () = recorder.keep_up() => panic!("nothing looks into the spool any more"),
        seen = soon => seen.unwrap(),
    }
    assert_eq!(counters.get(Event::OrderSeenAgain), 0);
    let due = ledger.claim(&aspire(), NOW, LEASE, 9).await.unwrap();
    assert_eq!(due.len(), 2);
}

#[tokio::test]
async fn a_tampered_or_foreign_file_is_told_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let spool = spool(dir.path());
    let sealed = spool.seal(&candidate("1001", Some("25.00"))).unwrap();
    let path = spool
        .write(&sealed, refgate::clock::Time::from_millis(5))
        .unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let foreign = Spool::new(dir.path().join("spool"), keys("b"));
    let sealed = foreign.seal(&candidate("1002", Some("25.00"))).unwrap();
    foreign
        .write(&sealed, refgate::clock::Time::from_millis(6))
        .unwrap();
    fs::write(
        dir.path().join("spool/7.order"),
        vec![b'A'; 2 * 1024 * 1024],
    )
    .unwrap();

    let imported = import(&spool, &ledger).await.unwrap();
    assert!(imported.entered.is_empty(), "{imported:?}");
    assert_eq!(imported.kept.len(), 3);
    assert!(
        imported
            .kept
            .iter()
            .all(|(_, fault)| matches!(fault, Fault::Sealed)),
        "{imported:?}"
    );
    assert_eq!(
        files(dir.path().join("spool")).len(),
        3,
        "kept where they are"
    );
    assert_eq!(ledger.counts().await.unwrap().credited, 0);
}

#[tokio::test]
async fn the_import_ends_where_the_ledger_fails_and_goes_on_later() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let spool = spool(dir.path());
    for (number, id) in [(1, "1001"), (2, "1002")] {
        let sealed = spool.seal(&candidate(id, Some("25.00"))).unwrap();
        spool
            .write(&sealed, refgate::clock::Time::from_millis(number))
            .unwrap();
    }
    let other = Connection::open(dir.path().join("refgate.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let imported = import(&spool, &ledger).await.unwrap();
    assert!(
        matches!(imported.kept.as_slice(), [(_, Fault::Ledger(_))]),
        "{imported:?}"
    );
    other.execute_batch("ROLLBACK").unwrap();
    let imported = import(&spool, &ledger).await.unwrap();
    let ids: Vec<_> = imported
        .entered
        .iter()
        .map(|(_, entered)| match entered {
            Entered::New(order) => order.key.id.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, ["1001", "1002"], "in the order of their times");
}
