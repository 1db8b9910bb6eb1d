//! An id that is used again, and orders that stand aside: what the first one is does not change, and nobody's is lost.

use refgate::ledger::{Action, Entered, Ledger, Role};
use refgate::order::{Candidate, Doubt, Standing};
use refgate::postback::State;
use refgate::visit::VisitId;

use crate::support::sale::{self, LEASE, aspire, candidate, later, settlement, steer, usd};

const HOUR: u64 = 3600;

/// The order as another visit sees it, so many hours later.
fn of_visit(visit: u128, amount: &str, hours: u64) -> Candidate {
    let mut seen = candidate("1001", Some(amount));
    let at = later(hours * HOUR);
    seen.sighting.at = at;
    seen.order.at = at;
    let click = seen.order.click.as_mut().unwrap();
    let own = format!("{visit}");
    click.values.insert("affiliate_id".to_owned(), own);
    seen.sighting.visit.as_mut().unwrap().id = VisitId(visit);
    seen.sighting.visit.as_mut().unwrap().clicks = vec![click.clone()];
    seen.order.visit = Some(VisitId(visit));
    seen
}

async fn namespaces(ledger: &Ledger) -> Vec<(String, Standing, u64)> {
    let stories = ledger.story("1001".to_owned()).await.unwrap();
    let told = |story: refgate::ledger::Story| {
        let order = story.order;
        (order.key.namespace.to_string(), order.standing, story.seen)
    };
    let mut all: Vec<_> = stories.into_iter().map(told).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[tokio::test]
async fn an_id_that_is_used_again_is_an_order_of_its_own_once_held() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    let first = ledger.enter(of_visit(7, "25.00", 0)).await.unwrap();
    let second = ledger.enter(of_visit(8, "9.95", 1)).await.unwrap();
    let Entered::New(order) = second else {
        panic!("{second:?}")
    };
    assert_eq!(order.key.to_string(), "demo.aside/1001");
    assert!(
        order
            .why
            .starts_with("its id is in use: another order over 25.00 USD"),
        "{}",
        order.why
    );
    // Reloads of either.
    for (visit, amount) in [(8, "9.95"), (8, "9.95"), (7, "25.00")] {
        let again = ledger.enter(of_visit(visit, amount, 2)).await.unwrap();
        assert!(matches!(again, Entered::Again(_)), "{again:?}");
    }
    let reused = Standing::Held(Doubt::IdReused);
    let stand = namespaces(&ledger).await;
    let expected = [
        ("demo".to_owned(), Standing::Credited, 5),
        ("demo.aside".to_owned(), reused, 3),
    ];
    assert_eq!(stand, expected);
    let story = ledger.story("1001".to_owned()).await.unwrap();
    let kept = story.iter().find(|it| it.order.key == first.order().key);
    let kept = kept.unwrap();
    assert_eq!(kept.order, *first.order());
    let notes = kept.sightings[1].notes.join("; ");
    assert!(notes.contains("which stands in demo.aside"), "{notes}");
    assert_eq!(kept.postbacks.len(), 1);
}

#[tokio::test]
async fn its_other_ids_are_its_own_and_not_the_first_ones() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    ledger.enter(of_visit(7, "25.00", 0)).await.unwrap();
    let mut second = of_visit(8, "9.95", 1);
    second.order.aliases = vec!["T-9".parse().unwrap()];
    ledger.enter(second).await.unwrap();
    let named = ledger.story("T-9".to_owned()).await.unwrap();
    let named: Vec<_> = named.iter().map(|it| it.order.key.to_string()).collect();
    assert_eq!(named, ["demo.aside/1001"]);
}

#[tokio::test]
async fn what_stands_aside_is_told_by_the_shops_own_id_once_it_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    ledger.enter(of_visit(7, "25.00", 0)).await.unwrap();
    ledger.enter(of_visit(8, "9.95", 1)).await.unwrap();
    let now = later(2 * HOUR);
    let due = ledger.claim(&aspire(), now, LEASE, 9).await.unwrap();
    let [first] = due.as_slice() else {
        panic!("the second one waits: {due:?}")
    };
    let attempt = ledger
        .begin(first.id, "GET /".to_owned(), now)
        .await
        .unwrap();
    let end = settlement(first, attempt, State::Accepted);
    ledger.settle(end).await.unwrap();
    let story = ledger.story("1001".to_owned()).await.unwrap();
    let aside = story.iter().find(|it| it.order.key.namespace.is_aside());
    let held = &aside.unwrap().postbacks[0].postback;
    assert_eq!(
        (held.state, held.doubt),
        (State::Held, Some(Doubt::IdReused))
    );
    let release = steer(Action::Release, &[held.id]);
    assert!(ledger.steer(release, now).await.unwrap()[0].done.is_ok());
    let due = ledger.claim(&aspire(), now, LEASE, 9).await.unwrap();
    let [second] = due.as_slice() else {
        panic!("{due:?}")
    };
    assert_eq!(second.order.id.as_str(), "1001");
    assert_eq!(second.amount, Some(usd("9.95")));
    assert_eq!(second.values["affiliate_id"], "8");
}

#[tokio::test]
async fn every_visit_that_stands_aside_has_a_place_of_its_own_as_long_as_there_are_some() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    for round in 0..2 {
        for visit in 0..11 {
            let amount = format!("{}.00", 10 + visit);
            let entered = ledger
                .enter(of_visit(visit, &amount, u64::from(visit > 0) + round))
                .await;
            let is_new = matches!(entered, Ok(Entered::New(_)));
            // The first one has the id, nine stand aside, for the last one there is no place.
            assert_eq!(is_new, round == 0 && visit < 10, "{visit}: {entered:?}");
        }
    }
    assert_eq!(namespaces(&ledger).await.len(), 10);
}

#[tokio::test]
async fn what_is_no_other_order_stands_where_it_stood() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    ledger.enter(of_visit(7, "25.00", 1)).await.unwrap();
    let mut nobodys = of_visit(8, "9.95", 3);
    nobodys.order.visit = None;
    nobodys.order.click = None;
    nobodys.postbacks.clear();
    for (what, seen) in [
        ("the same amount", of_visit(8, "25.00", 3)),
        ("the same visit", of_visit(7, "9.95", 3)),
        ("within half an hour", of_visit(8, "9.95", 1)),
        ("owed to nobody", nobodys),
    ] {
        let entered = ledger.enter(seen).await.unwrap();
        assert!(matches!(entered, Entered::Again(_)), "{what}: {entered:?}");
    }
    assert_eq!(namespaces(&ledger).await.len(), 1);
}
