//! An order that came without a click, and the same shopper's visit afterwards, on both engines.

use std::time::Duration;

use refgate::ledger::{Entered, Ledger, Role};
use refgate::order::{Candidate, OPEN, Standing};
use refgate::postback::State;
use refgate::session::Mark;

use crate::support::sale::{self, LEASE, NOW, aspire, candidate, click, later};

fn mark(digit: &str) -> Mark {
    digit.repeat(64).try_into().unwrap()
}

/// The order as somebody without a cookie sees it, who is known by these marks.
fn without_a_click(id: &str, marks: &[&str]) -> Candidate {
    let mut seen = candidate(id, Some("25.00"));
    seen.sighting.visit = None;
    seen.order.click = None;
    seen.order.visit = None;
    seen.order.proof = None;
    seen.order.standing = Standing::Organic;
    seen.order.open_until = Some(NOW.plus(OPEN));
    seen.postbacks.clear();
    seen.shopper = marks.iter().map(|digit| mark(digit)).collect();
    seen
}

/// The same with a click and a checkout step before it, so many seconds later.
fn with_a_click(id: &str, seconds: u64, marks: &[&str]) -> Candidate {
    let mut seen = candidate(id, Some("25.00"));
    seen.sighting.at = later(seconds);
    seen.order.at = later(seconds);
    let visit = seen.sighting.visit.as_mut().unwrap();
    visit.checkout = Some(NOW.minus(Duration::from_secs(60)));
    seen.shopper = marks.iter().map(|digit| mark(digit)).collect();
    seen
}

async fn standing(ledger: &Ledger, id: &str) -> (Standing, usize, bool) {
    let story = ledger.story(id.to_owned()).await.unwrap().remove(0);
    let open = story.order.open_until.is_some();
    (story.order.standing, story.postbacks.len(), open)
}

#[tokio::test]
async fn the_same_shoppers_visit_is_credited_once_and_then_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    let first = ledger.enter(without_a_click("1", &["a", "b"])).await;
    assert!(matches!(first, Ok(Entered::New(_))), "{first:?}");
    assert_eq!(standing(&ledger, "1").await, (Standing::Organic, 0, true));
    let other = ledger.enter(with_a_click("1", 60, &["c"])).await;
    assert!(matches!(other, Ok(Entered::Again(_))), "{other:?}");
    let same = ledger.enter(with_a_click("1", 120, &["c", "b"])).await;
    assert!(matches!(same, Ok(Entered::Completed(_))), "{same:?}");
    let again = ledger.enter(with_a_click("1", 180, &["b"])).await;
    assert!(matches!(again, Ok(Entered::Again(_))), "{again:?}");

    let story = ledger.story("1".to_owned()).await.unwrap().remove(0);
    let order = &story.order;
    assert_eq!(order.standing, Standing::Credited);
    assert_eq!(
        (order.click.clone(), order.open_until),
        (Some(click()), None)
    );
    assert!(order.visit.is_some() && order.proof.is_some());
    assert_eq!((order.at, story.seen), (NOW, 4));
    let became: Vec<_> = story.history.iter().map(|it| it.became.as_str()).collect();
    assert_eq!(became, ["organic", "credited", "due"]);
    let due = ledger.claim(&aspire(), later(180), LEASE, 9).await.unwrap();
    let [postback] = due.as_slice() else {
        panic!("{due:?}")
    };
    assert_eq!(postback.values["affiliate_id"], "123456");
    assert_eq!(postback.state, State::Due);
}

#[tokio::test]
async fn when_its_time_is_over_it_is_closed_and_who_looked_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = sale::open(dir.path(), Role::Run).unwrap();
    ledger.enter(without_a_click("1", &["a"])).await.unwrap();
    ledger.forget(NOW.plus(OPEN)).await.unwrap();
    assert_eq!(standing(&ledger, "1").await, (Standing::Organic, 0, true));
    let late = NOW.plus(OPEN + Duration::from_millis(1));
    assert_eq!(ledger.forget(late).await.unwrap(), 1);
    assert_eq!(standing(&ledger, "1").await, (Standing::Organic, 0, false));
    let same = ledger.enter(with_a_click("1", 60, &["a"])).await;
    assert!(matches!(same, Ok(Entered::Again(_))), "{same:?}");
}
