//! Faults of the disk that only the ledger's own connection can show.

use super::*;
use crate::clock::Time;
use crate::ledger::{Error, Role, Settings};
use crate::record::spool::import;
use crate::seal::Keys;

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

/// A recorder that is never in a hurry, on a ledger of its own.
fn recorder(dir: &std::path::Path) -> (Ledger, Recorder) {
    let path = dir.join("refgate.db");
    let ledger = Ledger::open(&Settings::Sqlite(path), Role::Run, NOW).unwrap();
    let keys = Keys::parse(["ab".repeat(64).as_str()]).unwrap();
    let spool = Spool::new(dir.join("spool"), keys);
    let hold = Duration::from_secs(3600);
    let recorder = Recorder::new(ledger.clone(), spool, hold, Arc::default());
    (ledger, recorder)
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
    let (ledger, recorder) = recorder(dir.path());
    ledger.pragma(fault).await.unwrap();
    let error = fill(&ledger).await;
    assert!(means(&error), "{error:?}");

    assert_eq!(
        recorder.record(candidate(), Instant::now()).await,
        Recorded::Spooled
    );
    assert_eq!(recorder.counters.get(Event::OrderSpooled), 1);
    assert_eq!(
        ledger.story("1001".to_owned()).await.unwrap(),
        [],
        "nothing of it is there"
    );

    ledger.pragma(mended).await.unwrap();
    let imported = import(&recorder.spool, &ledger).await.unwrap();
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
async fn when_the_disk_fills_what_was_said_is_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _recorder) = recorder(dir.path());
    // Room for some of them: one comes alone, the others in groups.
    ledger.pragma("PRAGMA max_page_count = 40").await.unwrap();
    ledger.enter(numbered(0)).await.unwrap();
    let mut entering = tokio::task::JoinSet::new();
    for number in 1..400 {
        let ledger = ledger.clone();
        entering.spawn(async move { (number, ledger.enter(numbered(number)).await.is_ok()) });
    }
    let answers = entering.join_all().await;
    for (number, ok) in &answers {
        let known = !ledger.story(format!("n{number}")).await.unwrap().is_empty();
        assert_eq!(known, *ok, "n{number}: what was said and what is there");
    }
    assert!(answers.iter().any(|(_, ok)| !ok), "the disk was never full");
    assert_eq!(ledger.story("n0".to_owned()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn beyond_the_backlog_an_order_is_logged_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (_ledger, recorder) = recorder(dir.path());
    let _others = recorder
        .backlog
        .clone()
        .try_acquire_many_owned(4095)
        .unwrap();
    let last = recorder.record(candidate(), Instant::now()).await;
    assert!(matches!(last, Recorded::Entered(_)), "{last:?}");
    let _one_more = recorder.backlog.clone().try_acquire_owned().unwrap();
    assert_eq!(
        recorder.record(candidate(), Instant::now()).await,
        Recorded::Logged
    );
    assert_eq!(recorder.counters.get(Event::OrderLogged), 1);
}

#[tokio::test]
async fn the_log_alone_is_enough_to_enter_the_order() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, recorder) = recorder(dir.path());
    std::fs::write(dir.path().join("spool"), "a file in its place").unwrap();
    ledger.pragma("PRAGMA query_only = ON").await.unwrap();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(move || writer.clone())
        .finish();
    let logging = tracing::subscriber::set_default(subscriber);
    assert_eq!(
        recorder.record(candidate(), Instant::now()).await,
        Recorded::Logged
    );
    drop(logging);

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("\"order.id\""))
        .unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["fields"]["order.id"], "demo/1001");
    assert_eq!(line["fields"]["affiliate"], "aspire affiliate_id=123456");
    let sealed = line["fields"]["sealed"].as_str().unwrap();
    std::fs::remove_file(dir.path().join("spool")).unwrap();
    std::fs::create_dir(dir.path().join("spool")).unwrap();
    std::fs::write(dir.path().join("spool/by-hand.order"), sealed).unwrap();
    ledger.pragma("PRAGMA query_only = OFF").await.unwrap();
    let imported = import(&recorder.spool, &ledger).await.unwrap();
    assert_eq!(imported.entered.len(), 1, "{imported:?}");
    assert_eq!(ledger.story("1001".to_owned()).await.unwrap().len(), 1);
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
