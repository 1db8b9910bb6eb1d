//! The ledger: once per order, durable, one owner.

mod model;
mod open;

use std::time::Duration;

use refgate::ledger::{Entered, Error, PostbackFilter, Resend, Role, SIGHTINGS, Settlement};
use refgate::order::OrderId;
use refgate::postback::State;
use rusqlite::Connection;
use tokio::task::JoinSet;

use crate::support::sale::{LEASE, NOW, candidate, later, open, settlement, usd};

#[tokio::test]
async fn an_order_goes_its_way_to_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let entered = ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    assert!(matches!(entered, Entered::New(_)), "{entered:?}");
    assert_eq!(ledger.next_due().await.unwrap(), Some(NOW));

    let claimed = ledger.claim(NOW, LEASE, 10).await.unwrap();
    let [postback] = claimed.as_slice() else {
        panic!("{claimed:?}")
    };
    assert!(
        ledger.claim(NOW, LEASE, 10).await.unwrap().is_empty(),
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
    assert_eq!(ledger.next_due().await.unwrap(), None);
    assert_eq!(ledger.interrupted(later(1000)).await.unwrap(), []);
}

#[tokio::test]
async fn a_page_reloaded_twenty_times_in_parallel_is_one_order() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let reloads = (0..20).map(|_| {
        let ledger = ledger.clone();
        async move {
            ledger
                .enter(candidate("1001", Some("25.00")))
                .await
                .unwrap()
        }
    });
    let entered = reloads.collect::<JoinSet<_>>().join_all().await;
    let new = entered
        .iter()
        .filter(|entered| matches!(entered, Entered::New(_)))
        .count();
    assert_eq!(new, 1);
    drop(ledger);

    let ledger = open(dir.path(), Role::Run).unwrap();
    let again = ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    assert!(matches!(again, Entered::Again(_)), "{again:?}");
    let stories = ledger.story("1001".to_owned()).await.unwrap();
    assert_eq!(stories.len(), 1);
    assert_eq!(stories[0].seen, 21);
    assert_eq!(stories[0].postbacks.len(), 1);
}

#[tokio::test]
async fn an_order_is_one_by_any_of_its_ids_within_its_namespace() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let mut first = candidate("1001", Some("25.00"));
    first.order.aliases = vec!["token-a".parse().unwrap()];
    ledger.enter(first).await.unwrap();

    let mut by_alias = candidate("token-a", Some("25.00"));
    by_alias.order.aliases = vec!["token-b".parse().unwrap()];
    let again = ledger.enter(by_alias).await.unwrap();
    let Entered::Again(order) = again else {
        panic!("{again:?}")
    };
    assert_eq!(order.key.id.as_str(), "1001");
    let aliases: Vec<_> = order.aliases.iter().map(OrderId::as_str).collect();
    assert_eq!(aliases, ["token-a", "token-b"]);
    let third = ledger
        .enter(candidate("token-b", Some("25.00")))
        .await
        .unwrap();
    assert!(matches!(third, Entered::Again(_)), "{third:?}");

    let mut elsewhere = candidate("1001", Some("25.00"));
    elsewhere.order.key.namespace = "other".parse().unwrap();
    let new = ledger.enter(elsewhere).await.unwrap();
    assert!(matches!(new, Entered::New(_)), "{new:?}");
    assert_eq!(ledger.story("1001".to_owned()).await.unwrap().len(), 2);
    assert_eq!(ledger.story("token-b".to_owned()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_id_of_two_orders_stays_with_the_first_and_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    ledger
        .enter(candidate("1002", Some("25.00")))
        .await
        .unwrap();
    let mut both = candidate("1002", Some("25.00"));
    both.order.aliases = vec!["1001".parse().unwrap()];
    let entered = ledger.enter(both).await.unwrap();
    assert_eq!(entered.order().key.id.as_str(), "1002");
    let stories = ledger.story("1002".to_owned()).await.unwrap();
    assert_eq!(
        stories[0].sightings[1].notes,
        ["another order goes by 1001 too"]
    );
}

#[tokio::test]
async fn entries_that_come_together_share_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    // While the file is locked everything queues up; then one commit takes what waits.
    let other = Connection::open(dir.path().join("refgate.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let entries = (0..100).map(|number| {
        let ledger = ledger.clone();
        async move {
            ledger
                .enter(candidate(&number.to_string(), Some("25.00")))
                .await
        }
    });
    let mut entries = entries.collect::<JoinSet<_>>();
    tokio::task::yield_now().await;
    other.execute_batch("ROLLBACK").unwrap();
    while let Some(entered) = entries.join_next().await {
        entered.unwrap().unwrap();
    }
    assert_eq!(ledger.counts().await.unwrap().credited, 100);
    let commits = ledger.commits();
    assert!(
        (1..50).contains(&commits),
        "{commits} commits for 100 orders"
    );
}

#[tokio::test]
async fn what_fails_does_not_undo_its_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    let postback = ledger.claim(NOW, LEASE, 1).await.unwrap().remove(0);
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
async fn a_missing_amount_makes_the_held_postback_due() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    ledger.enter(candidate("1001", None)).await.unwrap();
    assert_eq!(ledger.next_due().await.unwrap(), None);
    let completed = ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    let Entered::Completed(order) = completed else {
        panic!("{completed:?}")
    };
    let stories = ledger.story("1001".to_owned()).await.unwrap();
    assert_eq!(stories[0].order, order, "what was said is what is kept");
    let [postback] = ledger
        .claim(NOW, LEASE, 9)
        .await
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(postback.amount, Some(usd("25.00")));
    assert_eq!((postback.doubt, postback.cause), (None, None));
    assert_eq!(postback.values["affiliate_id"], "123456");
}

#[tokio::test]
async fn sightings_beyond_the_limit_are_counted_only() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    for _ in 0..=SIGHTINGS {
        ledger
            .enter(candidate("1001", Some("25.00")))
            .await
            .unwrap();
    }
    let stories = ledger.story("1001".to_owned()).await.unwrap();
    assert_eq!(stories[0].seen, u64::from(SIGHTINGS) + 1);
    assert_eq!(
        stories[0].sightings.len(),
        usize::try_from(SIGHTINGS).unwrap()
    );
}

#[tokio::test]
async fn open_attempts_of_a_run_that_ended_are_found_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    for id in ["1001", "1002", "1003"] {
        ledger.enter(candidate(id, Some("25.00"))).await.unwrap();
    }
    let claimed = ledger.claim(NOW, LEASE, 2).await.unwrap();
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

    let ledger = open(dir.path(), Role::Run).unwrap();
    let interrupted = ledger.interrupted(NOW).await.unwrap();
    assert_eq!(interrupted.len(), 1);
    assert_eq!(
        (interrupted[0].0.id, interrupted[0].1),
        (claimed[0].id, attempt)
    );
    // The other one was claimed and never begun: it is free again.
    assert_eq!(ledger.claim(NOW, LEASE, 9).await.unwrap().len(), 2);
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
async fn what_is_due_again_waits_for_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    let postback = ledger.claim(NOW, LEASE, 1).await.unwrap().remove(0);
    assert_eq!(
        ledger.next_due().await.unwrap(),
        Some(NOW.plus(LEASE)),
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
    assert_eq!(ledger.next_due().await.unwrap(), Some(later(300)));
    assert!(ledger.claim(later(299), LEASE, 9).await.unwrap().is_empty());
    assert_eq!(ledger.claim(later(300), LEASE, 9).await.unwrap().len(), 1);
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

#[tokio::test]
async fn only_what_has_ended_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    let postback = ledger.claim(NOW, LEASE, 1).await.unwrap().remove(0);
    let again = |from: &[State]| {
        let resend = Resend {
            postback: postback.id,
            from: from.to_vec(),
            reason: "asked".to_owned(),
        };
        ledger.resend(resend, NOW)
    };
    let due = again(&State::ALL).await;
    assert!(
        matches!(
            due,
            Err(Error::NotPossible {
                state: State::Due,
                ..
            })
        ),
        "{due:?}"
    );
    let attempt = ledger
        .begin(postback.id, "http://x/".to_owned(), NOW)
        .await
        .unwrap();
    let sending = again(&State::ALL).await;
    assert!(
        matches!(
            sending,
            Err(Error::NotPossible {
                state: State::Sending,
                ..
            })
        ),
        "{sending:?}"
    );
    ledger
        .settle(settlement(&postback, attempt, State::Accepted))
        .await
        .unwrap();
    let accepted = again(&[State::Unclear]).await;
    assert!(
        matches!(
            accepted,
            Err(Error::NotPossible {
                state: State::Accepted,
                ..
            })
        ),
        "{accepted:?}"
    );
    assert_eq!(again(&[State::Accepted]).await.unwrap().state, State::Due);

    ledger.enter(candidate("1002", None)).await.unwrap();
    let filter = PostbackFilter {
        state: Some(State::Held),
        destination: None,
    };
    let held = ledger.postbacks(filter, 9).await.unwrap().remove(0);
    let resend = Resend {
        postback: held.id,
        from: vec![State::Held],
        reason: "asked".to_owned(),
    };
    let refused = ledger.resend(resend, NOW).await;
    assert!(matches!(refused, Err(Error::NoAmount(_))), "{refused:?}");
    let resend = Resend {
        postback: 999,
        from: vec![],
        reason: String::new(),
    };
    assert!(matches!(
        ledger.resend(resend, NOW).await,
        Err(Error::NoPostback(999))
    ));
}
