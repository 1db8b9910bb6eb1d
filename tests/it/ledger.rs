//! The ledger: once per order, durable, one owner. On SQLite, and on PostgreSQL where a server is given
//! (`tests/postgres/run.py`).

mod aside;
mod back;
mod books;
mod contended;
mod custody;
mod keep;
mod known;
mod model;
mod open;
mod organic;
mod pauses;
mod postgres;
mod rivals;
mod send;
mod sessions;
mod steer;
mod versions;
mod webhooks;

use refgate::ledger::{Entered, Role, SIGHTINGS};
use refgate::order::OrderId;
use refgate::postback::State;
use rusqlite::Connection;
use tokio::task::JoinSet;

use crate::support::sale::{LEASE, NOW, aspire, candidate, click, open, sqlite, usd};

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
    let ledger = sqlite(dir.path(), Role::Run).unwrap();
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
async fn a_missing_amount_makes_the_held_postback_due() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    ledger.enter(candidate("1001", None)).await.unwrap();
    assert_eq!(ledger.waiting().await.unwrap(), []);
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
        .claim(&aspire(), NOW, LEASE, 9)
        .await
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(postback.amount, Some(usd("25.00")));
    assert_eq!((postback.doubt, postback.cause), (None, None));
    assert_eq!(postback.values["affiliate_id"], "123456");
}

#[tokio::test]
async fn who_is_owed_one_order_is_told_the_values_of_his_own_click() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let owed = |id: &str, amount| {
        let mut candidate = candidate(id, amount);
        let mut click = click();
        click.network = "other".parse().unwrap();
        click.values = [("ref".to_owned(), "2".to_owned())].into();
        candidate
            .sighting
            .visit
            .as_mut()
            .unwrap()
            .clicks
            .push(click);
        for list in [&mut candidate.postbacks, &mut candidate.quotes] {
            let mut other = list[0].clone();
            other.destination = "other".parse().unwrap();
            list.push(other);
        }
        candidate
    };
    ledger.enter(owed("1001", Some("25.00"))).await.unwrap();
    ledger.enter(owed("1002", None)).await.unwrap();
    for network in [aspire(), "other".parse().unwrap()] {
        let claimed = ledger.claim(&network, NOW, LEASE, 9).await.unwrap();
        assert_eq!(claimed.len(), 1, "{network}");
    }
    let completed = ledger.enter(owed("1002", Some("30.00"))).await.unwrap();
    assert!(matches!(completed, Entered::Completed(_)), "{completed:?}");
    for (id, amount) in [("1001", "25.00"), ("1002", "30.00")] {
        let story = ledger.story(id.to_owned()).await.unwrap().remove(0);
        let told = story.postbacks.iter().map(|told| &told.postback);
        let told: Vec<_> = told
            .map(|one| (one.destination.as_str(), one.state, one.amount, &one.values))
            .collect();
        let values = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
        let (first, second) = (values("affiliate_id", "123456"), values("ref", "2"));
        let expected = [
            ("aspire", State::Due, Some(usd(amount)), &first),
            ("other", State::Due, Some(usd(amount)), &second),
        ];
        assert_eq!(told, expected, "{id}");
    }
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
