//! Faults of the disk that only the ledger's own connection can show.

use super::*;
use crate::capture::seal::Keys;
use crate::clock::Time;
use crate::ledger::{Error, Role, Settings};
use crate::record::spool::import;

const NOW: Time = Time::from_millis(1_795_392_000_000);

fn candidate() -> Candidate {
    let text = include_str!("candidate.json");
    serde_json::from_str(text).unwrap()
}

/// The candidate under another id.
fn numbered(number: u32) -> Candidate {
    let mut candidate = candidate();
    candidate.order.key.id = format!("n{number}").parse().unwrap();
    candidate.sighting.key = candidate.order.key.clone();
    candidate
}

/// Enters orders until the ledger takes no more.
async fn fill(ledger: &Ledger) -> Error {
    for number in 0..10_000 {
        if let Err(error) = ledger.enter(numbered(number)).await {
            return error;
        }
    }
    panic!("the ledger takes them all");
}

/// Enters while `fault` is in force on the connection; imports after `mended`.
async fn spooled_then_imported(
    fault: &'static str,
    mended: &'static str,
    means: fn(&Error) -> bool,
) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("refgate.db");
    let ledger = Ledger::open(&Settings { path }, Role::Run, NOW).unwrap();
    ledger.pragma(fault).await.unwrap();
    let error = fill(&ledger).await;
    assert!(means(&error), "{error:?}");

    let keys = Keys::parse(["ab".repeat(64).as_str()]).unwrap();
    let spool = Spool::new(dir.path().join("spool"), keys);
    let counters = Arc::new(Counters::default());
    let hold = Duration::from_secs(3600);
    let recorder = Recorder::new(ledger.clone(), spool.clone(), hold, Arc::clone(&counters));
    assert_eq!(recorder.record(candidate()).await, Recorded::Spooled);
    assert_eq!(counters.get(Event::OrderSpooled), 1);
    assert_eq!(
        ledger.story("1001".to_owned()).await.unwrap(),
        [],
        "nothing of it is there"
    );

    ledger.pragma(mended).await.unwrap();
    let imported = import(&spool, &ledger).await.unwrap();
    assert!(imported.kept.is_empty(), "{imported:?}");
    let [(_, Entered::New(_))] = imported.entered.as_slice() else {
        panic!("{imported:?}")
    };
}

#[tokio::test]
async fn a_full_disk_spools_and_the_import_enters() {
    let means = |error: &Error| matches!(error, Error::Full(_));
    spooled_then_imported(
        "PRAGMA max_page_count = 1",
        "PRAGMA max_page_count = 1000000",
        means,
    )
    .await;
}

#[tokio::test]
async fn a_read_only_ledger_spools_and_the_import_enters() {
    let means = |error: &Error| matches!(error, Error::ReadOnly(_));
    spooled_then_imported("PRAGMA query_only = ON", "PRAGMA query_only = OFF", means).await;
}

#[tokio::test]
async fn a_full_disk_fails_everybody_in_the_group_or_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("refgate.db");
    let ledger = Ledger::open(&Settings { path }, Role::Run, NOW).unwrap();
    // Room for some of them.
    ledger.pragma("PRAGMA max_page_count = 40").await.unwrap();
    let mut entering = tokio::task::JoinSet::new();
    for number in 0..400 {
        let ledger = ledger.clone();
        entering.spawn(async move { (number, ledger.enter(numbered(number)).await.is_ok()) });
    }
    let answers = entering.join_all().await;
    for (number, ok) in &answers {
        let known = !ledger.story(format!("n{number}")).await.unwrap().is_empty();
        assert_eq!(known, *ok, "n{number}: what was said and what is there");
    }
    assert!(answers.iter().any(|(_, ok)| !ok), "the disk was never full");
    assert!(
        answers.iter().any(|(_, ok)| *ok),
        "the disk was always full"
    );
}
