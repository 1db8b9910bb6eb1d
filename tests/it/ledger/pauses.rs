//! Pauses: no attempt begins any more once one has returned, whoever sends.

use refgate::actor::Actor;
use refgate::ledger::{Error, Ledger, Pause, PostbackFilter, Role};
use refgate::postback::{Postback, State};
use tokio::task::JoinSet;

use crate::support::sale::{LEASE, NOW, aspire, candidate, later, open, settlement};

const URL: &str = "http://x/";

fn pause(actor: &str, reason: &str) -> Pause {
    Pause {
        destination: aspire(),
        at: NOW,
        actor: actor.parse().unwrap(),
        reason: reason.to_owned(),
    }
}

fn anna() -> Actor {
    "anna".parse().unwrap()
}

/// A ledger with so many orders, all of which somebody has claimed.
async fn claimed(ledger: &Ledger, orders: usize) -> Vec<Postback> {
    for number in 0..orders {
        let order = candidate(&format!("P-{number}"), Some("25.00"));
        ledger.enter(order).await.unwrap();
    }
    ledger.claim(&aspire(), NOW, LEASE, orders).await.unwrap()
}

async fn sending(ledger: &Ledger) -> usize {
    let filter = PostbackFilter::in_state(State::Sending);
    ledger.postbacks(filter, 1000).await.unwrap().len()
}

#[tokio::test]
async fn a_paused_destination_waits_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let claimed = claimed(&ledger, 2).await;
    let attempt = ledger.begin(claimed[0].id, URL.to_owned(), NOW).await;
    let first = pause("anna", "a wrong offer id");
    assert_eq!(ledger.pause(first.clone()).await.unwrap(), None);
    let second = ledger.pause(pause("refgate", "another reason")).await;
    assert_eq!(second.unwrap(), Some(first.clone()), "it stays as it is");
    assert_eq!(ledger.pauses().await.unwrap(), vec![first.clone()]);

    let refused = ledger.begin(claimed[1].id, URL.to_owned(), NOW).await;
    let state = State::Due;
    assert!(
        matches!(refused, Err(Error::NotPossible { state: is, .. }) if is == state),
        "{refused:?}"
    );
    assert_eq!(ledger.waiting().await.unwrap(), []);
    let later = later(3600);
    let none = ledger.claim(&aspire(), later, LEASE, 9).await.unwrap();
    assert_eq!(none, []);
    // What is under way ends as ever.
    let end = settlement(&claimed[0], attempt.unwrap(), State::Accepted);
    ledger.settle(end).await.unwrap();
    let unsettled = ledger.unsettled().await.unwrap();
    assert_eq!((unsettled.len(), unsettled[0].due), (1, 1));

    let lifted = ledger.go(aspire(), anna(), NOW).await.unwrap();
    assert_eq!(lifted, Some(first));
    assert_eq!(ledger.go(aspire(), anna(), NOW).await.unwrap(), None);
    assert_eq!(ledger.waiting().await.unwrap(), [(aspire(), NOW)]);
    let again = ledger.claim(&aspire(), NOW, LEASE, 9).await.unwrap();
    assert_eq!(again.len(), 1, "its lease ended with the pause");
    ledger
        .begin(again[0].id, URL.to_owned(), NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_pause_outlives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let stands = pause("refgate", "5 in a row: \u{1b}[31mbad token");
    ledger.pause(stands.clone()).await.unwrap();
    drop(ledger);
    let ledger = open(dir.path(), Role::Run).unwrap();
    claimed(&ledger, 1).await;
    assert_eq!(ledger.pauses().await.unwrap(), [stands]);
    assert_eq!(ledger.waiting().await.unwrap(), []);
}

#[tokio::test]
async fn nothing_begins_once_a_pause_has_returned() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let operator = open(dir.path(), Role::Tool).unwrap();
    let mut left = claimed(&ledger, 200).await;
    for _round in 0..8 {
        let half = left.len() / 2;
        let mut begins = JoinSet::new();
        for postback in left.drain(half..) {
            let ledger = ledger.clone();
            begins.spawn(async move {
                let begun = ledger.begin(postback.id, URL.to_owned(), NOW).await;
                begun.is_ok()
            });
        }
        // Some of them are on their way.
        begins.join_next().await;
        operator.pause(pause("anna", "stop")).await.unwrap();
        let when_it_returned = sending(&operator).await;
        begins.join_all().await;
        assert_eq!(sending(&operator).await, when_it_returned);
        operator.go(aspire(), anna(), NOW).await.unwrap();
        left = ledger.claim(&aspire(), NOW, LEASE, 200).await.unwrap();
    }
}
