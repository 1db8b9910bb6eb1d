//! Sending: leased once, begun once, ended once, found again after a crash.

use std::time::Duration;

use refgate::ledger::{Entered, Error, Role, Settlement};
use refgate::name::NetworkName;
use refgate::postback::{State, Verdict};

use crate::support::postgres;
use crate::support::sale::{LEASE, NOW, aspire, candidate, later, open, settlement};

#[tokio::test]
async fn an_order_goes_its_way_to_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let entered = ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    assert!(matches!(entered, Entered::New(_)), "{entered:?}");
    assert_eq!(ledger.waiting().await.unwrap(), [(aspire(), NOW)]);

    let claimed = ledger.claim(&aspire(), NOW, LEASE, 10).await.unwrap();
    let [postback] = claimed.as_slice() else {
        panic!("{claimed:?}")
    };
    assert!(
        ledger
            .claim(&aspire(), NOW, LEASE, 10)
            .await
            .unwrap()
            .is_empty(),
        "leased twice"
    );
    let attempt = ledger
        .begin(postback.id, "http://x/?k=***".to_owned(), NOW)
        .await
        .unwrap();
    let again = ledger.begin(postback.id, "http://x/".to_owned(), NOW).await;
    assert!(
        matches!(
            again,
            Err(Error::NotPossible {
                state: State::Sending,
                ..
            })
        ),
        "{again:?}"
    );
    ledger
        .settle(settlement(postback, attempt, State::Accepted))
        .await
        .unwrap();

    let stories = ledger.story("1001".to_owned()).await.unwrap();
    let [story] = stories.as_slice() else {
        panic!("{stories:?}")
    };
    let [told] = story.postbacks.as_slice() else {
        panic!("{story:?}")
    };
    assert_eq!(told.postback.state, State::Accepted);
    assert_eq!(told.attempts.len(), 1);
    let became: Vec<_> = story
        .history
        .iter()
        .map(|change| change.became.as_str())
        .collect();
    assert_eq!(became, ["credited", "due", "sending", "accepted"]);
    assert_eq!(ledger.waiting().await.unwrap(), []);
    assert_eq!(ledger.interrupted(later(1000)).await.unwrap(), []);
}

#[tokio::test]
async fn what_fails_does_not_undo_its_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    let postback = ledger
        .claim(&aspire(), NOW, LEASE, 1)
        .await
        .unwrap()
        .remove(0);
    let (first, second, entered) = tokio::join!(
        ledger.begin(postback.id, "http://x/".to_owned(), NOW),
        ledger.begin(postback.id, "http://x/".to_owned(), NOW),
        ledger.enter(candidate("1002", Some("25.00"))),
    );
    first.unwrap();
    assert!(
        matches!(second, Err(Error::NotPossible { .. })),
        "{second:?}"
    );
    entered.unwrap();
    let told = ledger.postback(postback.id).await.unwrap();
    assert_eq!((told.attempts.len(), told.postback.attempts), (1, 1));
}

#[tokio::test]
async fn open_attempts_of_a_run_that_ended_are_found_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    for id in ["1001", "1002", "1003"] {
        ledger.enter(candidate(id, Some("25.00"))).await.unwrap();
    }
    let claimed = ledger.claim(&aspire(), NOW, LEASE, 2).await.unwrap();
    let attempt = ledger
        .begin(claimed[0].id, "http://x/".to_owned(), NOW)
        .await
        .unwrap();
    assert_eq!(
        ledger.interrupted(NOW).await.unwrap(),
        [],
        "its sender has it"
    );
    assert_eq!(ledger.interrupted(NOW.plus(LEASE)).await.unwrap().len(), 1);
    drop(ledger);

    // SQLite has one owner, whose start ends every lease; on PostgreSQL a lease is over by time alone.
    let now = match postgres::is_meant() {
        true => NOW.plus(LEASE),
        false => NOW,
    };
    let ledger = open(dir.path(), Role::Run).unwrap();
    let interrupted = ledger.interrupted(now).await.unwrap();
    assert_eq!(interrupted.len(), 1);
    assert_eq!(
        (interrupted[0].0.id, interrupted[0].1),
        (claimed[0].id, attempt)
    );
    // The other one was claimed and never begun: it is free again.
    assert_eq!(
        ledger.claim(&aspire(), now, LEASE, 9).await.unwrap().len(),
        2
    );
    ledger
        .settle(settlement(&interrupted[0].0, attempt, State::Unclear))
        .await
        .unwrap();
    let twice = ledger
        .settle(settlement(&interrupted[0].0, attempt, State::Due))
        .await;
    assert!(matches!(twice, Err(Error::NotOpen(_))), "{twice:?}");
}

#[tokio::test]
async fn a_late_answer_to_what_was_taken_for_interrupted_stands() {
    for (taken_as, late) in [
        (State::Unclear, State::Accepted),
        (State::Due, State::Accepted),
        (State::Due, State::Duplicate),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path(), Role::Run).unwrap();
        ledger
            .enter(candidate("1001", Some("25.00")))
            .await
            .unwrap();
        let postback = ledger
            .claim(&aspire(), NOW, LEASE, 1)
            .await
            .unwrap()
            .remove(0);
        let attempt = ledger
            .begin(postback.id, "http://x/".to_owned(), NOW)
            .await
            .unwrap();
        let settled = async |state, verdict, status| {
            let mut end = settlement(&postback, attempt, state);
            (end.outcome.verdict, end.outcome.status) = (verdict, status);
            ledger.settle(end).await
        };
        settled(taken_as, Verdict::Unclear, None).await.unwrap();
        let again = settled(State::Due, Verdict::NotProcessed, Some(503)).await;
        assert!(matches!(again, Err(Error::NotOpen(_))), "{again:?}");
        let verdict = match late {
            State::Accepted => Verdict::Accepted,
            _ => Verdict::Duplicate,
        };
        settled(late, verdict, Some(200)).await.unwrap();
        let story = ledger.story("1001".to_owned()).await.unwrap().remove(0);
        assert_eq!(story.postbacks[0].postback.state, late);
        let outcome = story.postbacks[0].attempts[0].outcome.as_ref().unwrap();
        assert_eq!((outcome.verdict, outcome.status), (verdict, Some(200)));
        let last = story.history.last().unwrap();
        assert_eq!(
            (last.was.as_deref(), last.became.as_str()),
            (Some(taken_as.as_str()), late.as_str())
        );
        assert!(last.cause.as_ref().unwrap().ends_with("success=true;"));
        assert_eq!(
            ledger
                .claim(&aspire(), later(9999), LEASE, 9)
                .await
                .unwrap(),
            []
        );
        let twice = settled(late, verdict, Some(200)).await;
        assert!(matches!(twice, Err(Error::NotOpen(_))), "{twice:?}");
    }
}

#[tokio::test]
async fn what_is_due_again_waits_for_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    let postback = ledger
        .claim(&aspire(), NOW, LEASE, 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        ledger.waiting().await.unwrap(),
        [(aspire(), NOW.plus(LEASE))],
        "the lease's end"
    );
    let attempt = ledger
        .begin(postback.id, "http://x/".to_owned(), NOW)
        .await
        .unwrap();
    let end = settlement(&postback, attempt, State::Due);
    ledger
        .settle(Settlement {
            due: Some(later(300)),
            ..end
        })
        .await
        .unwrap();
    assert_eq!(ledger.waiting().await.unwrap(), [(aspire(), later(300))]);
    assert!(
        ledger
            .claim(&aspire(), later(299), LEASE, 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        ledger
            .claim(&aspire(), later(300), LEASE, 9)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn each_destination_is_claimed_by_itself_in_order_of_age() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let names = ["aspire", "b", "a.b-c"].map(|name| name.parse::<NetworkName>().unwrap());
    for number in 0..9 {
        let mut sale = candidate(&number.to_string(), Some("25.00"));
        sale.sighting.at = later(100 - number);
        sale.order.at = sale.sighting.at;
        let which = usize::try_from(number % 3).unwrap();
        sale.postbacks[0].destination = names[which].clone();
        ledger.enter(sale).await.unwrap();
    }
    let mut waiting = ledger.waiting().await.unwrap();
    waiting.sort();
    let [aspire, b, abc] = names.clone();
    let free = [
        (abc, later(92)),
        (aspire, later(94)),
        (b.clone(), later(93)),
    ];
    assert_eq!(waiting, free);
    let claimed = ledger.claim(&b, later(100), LEASE, 2).await.unwrap();
    let told: Vec<_> = claimed
        .iter()
        .map(|one| (&one.destination, one.due))
        .collect();
    assert_eq!(told, [(&b, Some(later(93))), (&b, Some(later(96)))]);
    let waiting = ledger.waiting().await.unwrap();
    assert!(waiting.contains(&(b.clone(), later(99))), "{waiting:?}");
    assert_eq!(
        ledger.claim(&b, later(100), LEASE, 9).await.unwrap().len(),
        1
    );
    let waiting = ledger.waiting().await.unwrap();
    assert!(
        waiting.contains(&(b, later(100).plus(LEASE))),
        "{waiting:?}"
    );
}

#[tokio::test]
async fn whoever_waits_for_work_is_woken_after_the_commit() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let woken = ledger.due().notified();
    tokio::pin!(woken);
    assert!(!woken.as_mut().enable());
    ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    tokio::time::timeout(Duration::from_secs(10), woken)
        .await
        .unwrap();
}
