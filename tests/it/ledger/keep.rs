//! Looking after the ledger: check, backup, compact, and what is older than the retention.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use refgate::ledger::{
    Custody, Entered, Error, Ledger, RETIRED, Retiring, Role, Settings, Source, Whose,
};
use refgate::order::Doubt;
use refgate::postback::State;
use rusqlite::Connection;

use crate::support::postgres;
use crate::support::sale::{LEASE, NOW, aspire, candidate, later, open, settlement, sqlite};

/// SQL on the ledger of `dir`, in whichever engine.
fn change(dir: &Path, sql: &str) {
    match postgres::of(dir) {
        Some(url) => postgres::run(&url, &format!("SET search_path = refgate; {sql}")),
        None => Connection::open(dir.join("refgate.db"))
            .unwrap()
            .execute_batch(sql)
            .unwrap(),
    }
}

/// An accepted order, a rejected one, an unclear one, one that is being sent, one that is due and one that is held.
async fn some_of_each(ledger: &Ledger) {
    for id in ["accepted", "rejected", "unclear", "sending", "due"] {
        ledger.enter(candidate(id, Some("25.00"))).await.unwrap();
    }
    ledger.enter(candidate("held", None)).await.unwrap();
    let mut shadow = candidate("shadow", Some("25.00"));
    shadow.postbacks[0].held = Some((Doubt::Shadow, "mode: shadow".to_owned()));
    ledger.enter(shadow).await.unwrap();
    let mut organic = candidate("organic", Some("25.00"));
    organic.order.standing = refgate::order::Standing::Organic;
    organic.postbacks.clear();
    organic.order.aliases = vec!["another".parse().unwrap()];
    ledger.enter(organic).await.unwrap();
    let claimed = ledger.claim(&aspire(), NOW, LEASE, 4).await.unwrap();
    let ends = [State::Accepted, State::Rejected, State::Unclear].map(Some);
    for (postback, end) in claimed.iter().zip(ends.into_iter().chain([None])) {
        let begun = ledger.begin(postback.id, "http://x/".to_owned(), NOW);
        let attempt = begun.await.unwrap();
        if let Some(state) = end {
            let end = settlement(postback, attempt, state);
            ledger.settle(end).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_the_ledger_does_itself_is_sound() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    some_of_each(&ledger).await;
    ledger
        .enter(candidate("held", Some("30.00")))
        .await
        .unwrap();
    let tool = open(dir.path(), Role::Tool).unwrap();
    assert_eq!(tool.check().await.unwrap(), [""; 0]);
    if postgres::is_meant() {
        return;
    }
    for name in ["ledger-v1.db", "ledger-v2.db"] {
        let dir = tempfile::tempdir().unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        fs::copy(fixtures.join(name), dir.path().join("refgate.db")).unwrap();
        let ledger = sqlite(dir.path(), Role::Run).unwrap();
        assert_eq!(ledger.check().await.unwrap(), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn each_fault_is_named() {
    let faults = [
        (
            "DELETE FROM aliases WHERE number = 'due'",
            "an order that its own id does not lead to: demo/due",
        ),
        (
            "UPDATE aliases SET namespace = 'x' WHERE number = 'another'",
            "an id that leads to an order of another namespace: x/another",
        ),
        (
            "DELETE FROM sightings WHERE order_id = (SELECT id FROM orders WHERE number = 'due')",
            "kept, or never: demo/due",
        ),
        (
            "UPDATE orders SET standing = 'organic' WHERE number = 'due'",
            "an order whose standing is not what it last became: demo/due",
        ),
        (
            "UPDATE postbacks SET state = 'dead', due = NULL WHERE state = 'due'",
            "a postback whose state is not what it last became: ",
        ),
        (
            "UPDATE attempts SET ended = 1, verdict = 'unclear' WHERE ended IS NULL",
            "a postback that is being sent without an open attempt: ",
        ),
        (
            "UPDATE attempts SET ended = NULL, verdict = NULL WHERE id = (SELECT min(id) FROM attempts)",
            "an open attempt at a postback that is not being sent: ",
        ),
        (
            "UPDATE postbacks SET attempts = 7 WHERE state = 'accepted'",
            "a postback that does not count its attempts as they are: ",
        ),
        (
            "UPDATE transitions SET order_id = (SELECT max(id) FROM orders) WHERE became = 'accepted'",
            "a change of a postback that is not its order's: ",
        ),
        (
            "INSERT INTO known_orders (namespace, mark, at, source) VALUES ('demo', 'x', 1, 'imported')",
            "a known order whose mark is none: demo/x",
        ),
        (
            "DELETE FROM meta WHERE key = 'created_at'",
            "a want in `meta`: created_at",
        ),
    ];
    for (sql, words) in faults {
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path(), Role::Run).unwrap();
        some_of_each(&ledger).await;
        change(dir.path(), sql);
        let found = ledger.check().await.unwrap();
        assert!(
            found.iter().any(|fault| fault.contains(words)),
            "{sql}: {found:?}"
        );
    }
}

#[tokio::test]
async fn a_damaged_file_and_a_broken_reference_are_faults() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sqlite(dir.path(), Role::Run).unwrap();
    some_of_each(&ledger).await;
    let db = Connection::open(dir.path().join("refgate.db")).unwrap();
    db.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM orders WHERE number = 'organic'")
        .unwrap();
    let found = ledger.check().await.unwrap();
    let words = "a row that refers to none: aliases";
    assert!(
        found.iter().any(|fault| fault.starts_with(words)),
        "{found:?}"
    );
    db.execute_batch("PRAGMA ignore_check_constraints = ON; UPDATE orders SET currency = NULL")
        .unwrap();
    let found = ledger.check().await.unwrap();
    assert!(
        found.iter().any(|fault| fault.starts_with("the file: ")),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_copy_is_made_while_orders_are_entered() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sqlite(dir.path(), Role::Run).unwrap();
    for number in 0..200 {
        ledger
            .enter(candidate(&number.to_string(), Some("25.00")))
            .await
            .unwrap();
    }
    let tool = sqlite(dir.path(), Role::Tool).unwrap();
    let file = dir.path().join("copy.db");
    let entering = async {
        for number in 200..300 {
            let entered = ledger.enter(candidate(&number.to_string(), Some("25.00")));
            entered.await.unwrap();
        }
    };
    let ((), backup) = tokio::join!(entering, tool.backup(file.clone()));
    let backup = backup.unwrap();
    assert!((200..=300).contains(&backup.orders), "{backup:?}");
    let about = fs::metadata(&file).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    assert_eq!(about.len(), backup.bytes);
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().ends_with(".part"))
        .collect();
    assert!(left.is_empty(), "{left:?}");

    let copy = Ledger::open(&Settings::Sqlite(file.clone()), Role::Run, NOW).unwrap();
    assert_eq!(copy.counts().await.unwrap().credited, backup.orders);
    drop(copy);
    let before = fs::read(&file).unwrap();
    let again = tool.backup(file.clone()).await.unwrap_err();
    assert!(matches!(again, Error::Io { .. }), "{again:?}");
    let over = tool.backup(dir.path().join("refgate.db")).await;
    assert!(matches!(over, Err(Error::Io { .. })), "{over:?}");
    assert_eq!(fs::read(&file).unwrap(), before);
    let nowhere = tool.backup(PathBuf::from("/nowhere/copy.db")).await;
    assert!(matches!(nowhere, Err(Error::Io { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn postgres_has_its_own_tools() {
    if postgres::server().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let told = ledger.backup(PathBuf::from("copy")).await.unwrap_err();
    let words = told.to_string();
    assert!(
        words.contains("pg_dump --format=custom --schema=refgate --file='copy' 'postgres://"),
        "{words}"
    );
    ledger.compact().await.unwrap();
}

#[tokio::test]
async fn what_is_settled_and_old_is_retired_and_known() {
    let dir = tempfile::tempdir().unwrap();
    let spool = tempfile::tempdir().unwrap();
    let settings = match postgres::of(dir.path()) {
        Some(url) => postgres::settings(&url),
        None => Settings::Sqlite(dir.path().join("refgate.db")),
    };
    let run = || {
        let whose = Whose {
            name: None,
            hosts: ["shop.example".to_owned()].into(),
        };
        Ledger::run(&settings, Custody::new(whose, spool.path()), NOW).unwrap()
    };
    let ledger = run();
    some_of_each(&ledger).await;
    let none = ledger.retire(NOW, Retiring::default()).await.unwrap();
    assert_eq!((none.orders, none.next), (0, None), "not older");
    let retired = ledger.retire(later(1), Retiring::default()).await.unwrap();
    assert_eq!((retired.orders, retired.next), (4, None));

    for id in ["accepted", "rejected", "shadow", "organic", "another"] {
        assert_eq!(ledger.story(id.to_owned()).await.unwrap(), [], "{id}");
        let known = ledger.known(id.to_owned()).await.unwrap();
        assert_eq!((known[0].source, known[0].since), (Source::Retired, NOW));
        let again = ledger.enter(candidate(id, Some("25.00"))).await.unwrap();
        assert!(matches!(again, Entered::Known(..)), "{again:?}");
    }
    for id in ["unclear", "sending", "due", "held"] {
        assert_eq!(ledger.story(id.to_owned()).await.unwrap().len(), 1, "{id}");
        assert_eq!(ledger.known(id.to_owned()).await.unwrap(), [], "{id}");
    }
    assert_eq!(ledger.check().await.unwrap(), [""; 0]);
    // What went was not lost: the witness saw it last.
    drop(ledger);
    let ledger = run();
    assert_eq!(ledger.unaccepted().await.unwrap(), None);
}

#[tokio::test]
async fn an_old_order_that_somebody_changed_lately_stays() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    some_of_each(&ledger).await;
    change(
        dir.path(),
        "INSERT INTO transitions (order_id, at, was, became, cause)
           SELECT id, 1795392005000, standing, standing, 'by hand' FROM orders WHERE number = 'accepted'",
    );
    let retired = ledger.retire(later(1), Retiring::default()).await.unwrap();
    assert_eq!(retired.orders, 3);
    let retired = ledger.retire(later(10), Retiring::default()).await.unwrap();
    assert_eq!(retired.orders, 1);
}

#[tokio::test]
async fn free_space_is_given_back_in_steps_while_orders_are_entered() {
    if postgres::is_meant() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let ledger = sqlite(dir.path(), Role::Run).unwrap();
    let mut entering = tokio::task::JoinSet::new();
    for number in 0..600 {
        let mut old = candidate(&format!("old{number}"), Some("25.00"));
        old.postbacks.clear();
        old.order.standing = refgate::order::Standing::Organic;
        old.sighting.fields[0].text = "x".repeat(4000);
        let ledger = ledger.clone();
        entering.spawn(async move { ledger.enter(old).await.unwrap() });
    }
    entering.join_all().await;
    let (mut next, mut all) = (Some(Retiring::default()), 0);
    while let Some(from) = next {
        let retired = ledger.retire(later(1), from).await.unwrap();
        assert!(retired.orders <= RETIRED);
        (next, all) = (retired.next, all + retired.orders);
    }
    assert_eq!(all, 600);

    let tool = sqlite(dir.path(), Role::Tool).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let entering = async {
        let mut number = 0;
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            let order = candidate(&format!("new{number}"), Some("25.00"));
            // No order is refused, as one would be that waits for longer than a lock is waited for.
            ledger.enter(order).await.unwrap();
            number += 1;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        number
    };
    let compacting = async {
        let compacted = tool.compact().await.unwrap();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        compacted
    };
    let (entered, compacted) = tokio::join!(entering, compacting);
    assert!(entered > 0);
    assert_eq!(
        compacted.step,
        Some(256),
        "a MiB at most is moved in a commit"
    );
    assert!(compacted.after * 2 < compacted.before, "{compacted:?}");
    assert_eq!(ledger.check().await.unwrap(), [""; 0]);
    // What was removed stands nowhere in the file any more.
    drop((tool, ledger));
    let compacted = sqlite(dir.path(), Role::Tool).unwrap().compact().await;
    assert_eq!(
        compacted.unwrap().step,
        None,
        "nobody runs: the whole of it"
    );
    let bytes = fs::read(dir.path().join("refgate.db")).unwrap();
    assert!(!bytes.windows(64).any(|window| window == [b'x'; 64]));
}
