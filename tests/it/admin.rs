//! What the operator is told of refgate's health, and what asking costs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use refgate::admin::{Admin, serve};
use refgate::ledger::{Ledger, Role};
use refgate::record::spool::Spool;
use refgate::seal::Keys;
use rusqlite::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::sale::{NOW, candidate, open};

fn spool(dir: &Path) -> Spool {
    let keys = Keys::parse(["ab".repeat(64).as_str()]).unwrap();
    Spool::new(dir.join("spool"), keys)
}

/// The whole answer to one GET.
async fn get(dir: &Path, ledger: &Ledger, path: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let admin = Arc::new(Admin::new(Arc::default(), ledger.clone(), spool(dir)));
    let shutdown = CancellationToken::new();
    let asking = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        shutdown.cancel();
        answer
    };
    tokio::join!(serve(Some(listener), admin, shutdown.clone()), asking).1
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
