//! An id that is used again, and orders that stand aside: what the first one is does not change, and nobody's is lost.

use refgate::ledger::{Action, Entered, Ledger, Retiring, Role};
use refgate::order::{Candidate, Doubt, Standing};
use refgate::postback::State;
use refgate::session::Mark;
use refgate::visit::VisitId;

use crate::support::sale::{self, LEASE, aspire, candidate, later, settlement, steer, usd};

const HOUR: u64 = 3600;

/// The order as another visit sees it, so many hours later.
pub(super) fn of_visit(visit: u128, amount: &str, hours: u64) -> Candidate {
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

/// The same, where it claims no id.
pub(super) fn too_many(visit: u128, amount: &str, hours: u64) -> Candidate {
    let mut seen = of_visit(visit, amount, hours);
    let aside = seen.order.key.namespace.aside().unwrap();
    seen.sighting.key.namespace = aside.clone();
    seen.order.key.namespace = aside;
    seen.order.standing = Standing::Held(Doubt::TooMany);
    seen.order.proof = None;
    seen.postbacks[0].held = Some((Doubt::TooMany, "more than 10".to_owned()));
    seen
}

/// Where it stands, and whether it is new there.
pub(super) async fn enters(ledger: &Ledger, seen: Candidate) -> (String, bool) {
    let entered = ledger.enter(seen).await.unwrap();
    let is_new = matches!(entered, Entered::New(_));
    assert!(
        is_new || matches!(entered, Entered::Again(_)),
        "{entered:?}"
    );
    (entered.order().key.namespace.to_string(), is_new)
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
        ("demo".to_owned(), Standing::Credited, 3),
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
            // The first one has the id, nine stand aside, for the last one there is no place.
            match entered.unwrap() {
                Entered::New(_) => assert!(round == 0 && visit < 10, "{visit}"),
                Entered::Again(_) => assert!(round == 1 && visit < 10, "{visit}"),
                Entered::NoPlace(order) => {
                    assert_eq!(order.key.to_string(), "demo/1001");
                    assert_eq!((order.visit, visit), (Some(VisitId(10)), 10));
                }
                other => panic!("{visit}: {other:?}"),
            }
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

#[tokio::test]
async fn whoever_has_it_aside_has_that_one_when_he_looks_again_whatever_became_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    assert_eq!(
        enters(&ledger, too_many(7, "25.00", 0)).await,
        ("demo.aside".to_owned(), true)
    );
    let again = ("demo.aside".to_owned(), false);
    assert_eq!(enters(&ledger, of_visit(7, "25.00", 2)).await, again);
    // By another link meanwhile; with another amount; from the shop's other host, to which the click was handed over.
    let mut newer = of_visit(7, "25.00", 2);
    newer.order.click.as_mut().unwrap().at = later(HOUR);
    assert_eq!(enters(&ledger, newer).await, again);
    assert_eq!(enters(&ledger, of_visit(7, "9.95", 2)).await, again);
    let mut handed_over = of_visit(7, "25.00", 2);
    handed_over.order.visit = Some(VisitId(8));
    assert_eq!(enters(&ledger, handed_over).await, again);
    let story = ledger.story("1001".to_owned()).await.unwrap().remove(0);
    let held = story.postbacks[0].postback.id;
    let release = steer(Action::Release, &[held]);
    let now = later(3 * HOUR);
    assert!(ledger.steer(release, now).await.unwrap()[0].done.is_ok());
    assert_eq!(enters(&ledger, of_visit(7, "25.00", 4)).await, again);
    let due = ledger.claim(&aspire(), now, LEASE, 9).await.unwrap();
    assert_eq!(due.len(), 1, "it is told once: {due:?}");
}

#[tokio::test]
async fn what_was_refused_aside_stays_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    enters(&ledger, too_many(7, "25.00", 0)).await;
    let story = ledger.story("1001".to_owned()).await.unwrap().remove(0);
    let refuse = steer(Action::Refuse, &[story.postbacks[0].postback.id]);
    ledger.steer(refuse, later(HOUR)).await.unwrap();
    let again = enters(&ledger, of_visit(7, "25.00", 2)).await;
    assert_eq!(again, ("demo.aside".to_owned(), false));
    let stands = namespaces(&ledger).await;
    assert_eq!(stands[0].1, Standing::Organic, "{stands:?}");
}

#[tokio::test]
async fn nobody_elses_order_aside_is_in_the_way_of_who_is_given_the_id() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    let mut nobodys = too_many(1, "25.00", 0);
    (nobodys.order.visit, nobodys.order.click) = (None, None);
    nobodys.order.standing = Standing::Organic;
    nobodys.postbacks.clear();
    let aside = |place: &str, new| (format!("demo.aside{place}"), new);
    assert_eq!(enters(&ledger, nobodys.clone()).await, aside("", true));
    assert_eq!(
        enters(&ledger, too_many(7, "25.00", 0)).await,
        aside("2", true)
    );
    assert_eq!(
        enters(&ledger, too_many(8, "25.00", 0)).await,
        aside("3", true)
    );
    // Side by side: where orders are entered in groups they are one.
    let seen = [8, 9, 7].map(|visit| enters(&ledger, of_visit(visit, "25.00", 2)));
    let seen = futures_util::future::join_all(seen).await;
    let main = ("demo".to_owned(), true);
    assert_eq!(seen, [aside("3", false), main.clone(), aside("2", false)]);
    let stands = namespaces(&ledger).await;
    assert_eq!((stands.len(), stands[0].1.clone()), (4, Standing::Credited));
    nobodys.order.key.namespace = "demo".parse().unwrap();
    let known = (main.0, false);
    assert_eq!(enters(&ledger, nobodys).await, known, "who has no visit");
}

#[tokio::test]
async fn it_is_found_by_any_of_its_ids() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    let mut aside = too_many(7, "25.00", 0);
    aside.order.aliases = vec!["T-9".parse().unwrap()];
    enters(&ledger, aside).await;
    let mut other = of_visit(7, "25.00", 2);
    other.order.key.id = "T-9".parse().unwrap();
    let again = ("demo.aside".to_owned(), false);
    assert_eq!(enters(&ledger, other.clone()).await, again);
    // Another namespace whose name only begins like that one, and another shop that counts like this one.
    for own in ["demo.aside.eu", "demo.aside1", "other"] {
        other.order.key.namespace = own.parse().unwrap();
        assert_eq!(enters(&ledger, other.clone()).await, (own.to_owned(), true));
    }
    other.order.key.namespace = "demo".parse().unwrap();
    assert_eq!(enters(&ledger, other).await, again);
}

#[tokio::test]
async fn what_claims_no_id_is_the_order_that_has_it_if_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    let main = |new| ("demo".to_owned(), new);
    assert_eq!(enters(&ledger, of_visit(7, "25.00", 0)).await, main(true));
    // The buyer himself among too many of his address, and somebody who looks at what others bought.
    assert_eq!(enters(&ledger, too_many(7, "25.00", 2)).await, main(false));
    assert_eq!(enters(&ledger, too_many(8, "25.00", 2)).await, main(false));
    let reused = enters(&ledger, too_many(8, "9.95", 2)).await;
    assert_eq!(reused, ("demo.aside".to_owned(), true));
    let stands = namespaces(&ledger).await;
    let held = Standing::Held(Doubt::IdReused);
    assert_eq!((&stands[0].1, &stands[1].1), (&Standing::Credited, &held));
    let known = "1002".parse().unwrap();
    let demo = || "demo".parse().unwrap();
    ledger.learn(demo(), vec![known], later(0)).await.unwrap();
    let mut seen = too_many(8, "9.95", 2);
    seen.order.key.id = "1002".parse().unwrap();
    let entered = ledger.enter(seen).await.unwrap();
    assert!(matches!(entered, Entered::Known(..)), "{entered:?}");
}

#[tokio::test]
async fn who_has_it_aside_is_not_credited_with_it_by_the_opening_too() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    let marks = vec![Mark::try_from("ab".repeat(32)).unwrap()];
    let mut aside = too_many(7, "25.00", 0);
    aside.shopper = marks.clone();
    enters(&ledger, aside).await;
    // The same shopper without his cookies, who opens it, and then with them: the one who has none aside is credited.
    let mut nobodys = of_visit(7, "25.00", 1);
    (
        nobodys.order.visit,
        nobodys.order.click,
        nobodys.order.proof,
    ) = (None, None, None);
    nobodys.order.standing = Standing::Organic;
    nobodys.order.open_until = Some(later(HOUR + 1800));
    nobodys.sighting.visit = None;
    nobodys.shopper = marks.clone();
    nobodys.postbacks.clear();
    assert_eq!(enters(&ledger, nobodys).await, ("demo".to_owned(), true));
    let seen = |visit| {
        let mut seen = of_visit(visit, "25.00", 1);
        seen.shopper = marks.clone();
        seen
    };
    let again = ("demo.aside".to_owned(), false);
    assert_eq!(enters(&ledger, seen(7)).await, again);
    let credited = ledger.enter(seen(8)).await.unwrap();
    assert!(matches!(credited, Entered::Completed(_)), "{credited:?}");
}

#[tokio::test]
async fn what_was_told_of_aside_is_no_new_order_when_its_row_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    for (id, action) in [("1001", Action::Accept), ("1002", Action::Refuse)] {
        let mut aside = too_many(7, "25.00", 0);
        aside.order.key.id = id.parse().unwrap();
        enters(&ledger, aside).await;
        let story = ledger.story(id.to_owned()).await.unwrap().remove(0);
        let steer = steer(action, &[story.postbacks[0].postback.id]);
        ledger.steer(steer, later(1)).await.unwrap();
    }
    let retired = ledger.retire(later(2), Retiring::default()).await.unwrap();
    assert_eq!(retired.orders, 2);
    let told = ledger.enter(of_visit(7, "25.00", 2)).await.unwrap();
    assert!(matches!(told, Entered::Known(..)), "{told:?}");
    // Nobody was told of the other: the id is free for whoever is given it.
    let mut other = of_visit(8, "25.00", 2);
    other.order.key.id = "1002".parse().unwrap();
    assert_eq!(enters(&ledger, other).await, ("demo".to_owned(), true));
}
