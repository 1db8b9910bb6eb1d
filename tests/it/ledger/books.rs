//! Going through the ledger page by page, and by the ids of somebody else's list.

use refgate::ledger::{Ledger, OrderFilter, Page, PostbackFilter, Role};
use refgate::order::{Doubt, Order, Standing};
use refgate::postback::{Postback, State};

use crate::support::sale::{NOW, aspire, candidate, later, open};

/// Orders `b0` to `b5`, ten seconds apart; every third is held, and `b4` is known by a token too.
async fn ledger(dir: &tempfile::TempDir) -> Ledger {
    let ledger = open(dir.path(), Role::Run).unwrap();
    for number in 0..6 {
        let mut sale = candidate(&format!("b{number}"), Some("25.00"));
        (sale.order.at, sale.sighting.at) = (later(number * 10), later(number * 10));
        if number % 3 == 0 {
            sale.order.standing = Standing::Held(Doubt::Unproven);
            sale.postbacks[0].held = Some((Doubt::Unproven, "so".to_owned()));
        }
        if number == 4 {
            sale.order.aliases = vec!["token-4".parse().unwrap()];
        }
        ledger.enter(sale).await.unwrap();
    }
    ledger
}

async fn postbacks(ledger: &Ledger, filter: &PostbackFilter, limit: usize) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), Some(0));
    while let Some(last) = after {
        let page: Page<Postback> = ledger
            .postbacks_after(filter.clone(), last, limit)
            .await
            .unwrap();
        assert!(page.rows.len() <= limit);
        all.extend(page.rows.into_iter().map(|one| one.order.id.to_string()));
        after = page.next;
    }
    all
}

async fn orders(ledger: &Ledger, filter: &OrderFilter, limit: usize) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), Some(0));
    while let Some(last) = after {
        let page: Page<Order> = ledger
            .orders_after(filter.clone(), last, limit)
            .await
            .unwrap();
        all.extend(page.rows.into_iter().map(|one| one.key.id.to_string()));
        after = page.next;
    }
    all
}

#[tokio::test]
async fn pages_have_everything_once_and_oldest_first_however_small_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(&dir).await;
    let all = PostbackFilter::default();
    let held = PostbackFilter::in_state(State::Held);
    let either = PostbackFilter {
        states: vec![State::Held, State::Due],
        destination: Some(aspire()),
        since: Some(later(10)),
        until: Some(later(50)),
        ..PostbackFilter::default()
    };
    let dead = PostbackFilter {
        states: vec![State::Dead, State::Unclear],
        ..PostbackFilter::default()
    };
    for limit in [1, 2, 3, 6, 7, 99_999] {
        let found = postbacks(&ledger, &all, limit).await;
        assert_eq!(found, ["b0", "b1", "b2", "b3", "b4", "b5"], "{limit}");
        assert_eq!(postbacks(&ledger, &held, limit).await, ["b0", "b3"]);
        let found = postbacks(&ledger, &either, limit).await;
        assert_eq!(found, ["b1", "b2", "b3", "b4"], "{limit}");
        assert_eq!(postbacks(&ledger, &dead, limit).await, [""; 0]);

        let every = OrderFilter::default();
        let found = orders(&ledger, &every, limit).await;
        assert_eq!(found, ["b0", "b1", "b2", "b3", "b4", "b5"], "{limit}");
        let some = OrderFilter {
            store: Some("us".parse().unwrap()),
            standing: Some("credited"),
            since: Some(later(10)),
            until: Some(later(50)),
            ..OrderFilter::default()
        };
        assert_eq!(orders(&ledger, &some, limit).await, ["b1", "b2", "b4"]);
    }
}

#[tokio::test]
async fn postbacks_are_found_by_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(&dir).await;
    let all = ledger.postbacks(PostbackFilter::default(), 9).await;
    let numbers: Vec<i64> = all.unwrap().iter().map(|one| one.id).collect();
    let filter = PostbackFilter {
        numbers: vec![numbers[0], numbers[4], 999],
        ..PostbackFilter::default()
    };
    assert_eq!(postbacks(&ledger, &filter, 9).await, ["b1", "b5"]);
    let filter = PostbackFilter {
        states: vec![State::Held],
        ..filter
    };
    assert_eq!(postbacks(&ledger, &filter, 9).await, [""; 0]);
}

#[tokio::test]
async fn a_list_of_ids_is_looked_up_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(&dir).await;
    let mut other = candidate("b1", Some("7.00"));
    other.sighting.key.namespace = "other".parse().unwrap();
    other.order.key = other.sighting.key.clone();
    other.order.standing = Standing::Organic;
    other.order.why = "no click".to_owned();
    other.order.click = None;
    other.postbacks.clear();
    ledger.enter(other).await.unwrap();
    let ids = vec!["old".parse().unwrap()];
    ledger
        .learn("demo".parse().unwrap(), ids, NOW)
        .await
        .unwrap();

    let asked = ["token-4", "none", "b1", "old", "b4", "it's \"\u{0}\\"];
    let asked: Vec<String> = asked.map(str::to_owned).to_vec();
    let named = ledger.named(&aspire(), asked).await.unwrap();
    assert_eq!(named.len(), 6);
    for at in [0, 4] {
        let order = &named[at].orders[0];
        assert_eq!(order.key.to_string(), "demo/b4");
        assert_eq!(order.postbacks[0].state, State::Due);
        assert_eq!(order.standing, "credited");
    }
    for at in [1, 5] {
        assert!(named[at].orders.is_empty() && named[at].known.is_empty());
    }
    let orders = &named[2].orders;
    assert_eq!(orders.len(), 2);
    assert_eq!(orders[0].key.to_string(), "demo/b1");
    assert_eq!(orders[0].postbacks.len(), 1);
    assert_eq!(orders[1].key.to_string(), "other/b1");
    assert_eq!(
        (orders[1].postbacks.len(), orders[1].why.as_str()),
        (0, "no click")
    );
    assert_eq!(named[3].known[0].since, NOW);

    let other = "other".parse().unwrap();
    let elsewhere = ledger.named(&other, vec!["b1".to_owned()]).await.unwrap();
    assert!(elsewhere[0].orders[0].postbacks.is_empty());
    let nothing = ledger.named(&aspire(), Vec::new()).await.unwrap();
    assert!(nothing.is_empty());
}
