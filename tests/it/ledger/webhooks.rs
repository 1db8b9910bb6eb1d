//! Who is told of an order's standing: when it is entered, and when it comes to another one.

use refgate::ledger::{Action, Entered, Follows, Role, Steer, Webhook};
use refgate::order::{Candidate, Doubt, NewPostback, STANDINGS, Standing};
use refgate::postback::State;

use crate::support::sale::{candidate, later, open, steer, usd};

/// A candidate of which a webhook is told, however it stands.
pub(super) fn told(id: &str, amount: Option<&str>) -> Candidate {
    let mut sale = candidate(id, amount);
    let network = sale.quotes[0].clone();
    let quote = |standing: &str| NewPostback {
        destination: "crm".parse().unwrap(),
        event: standing.to_owned(),
        amount: amount.map(usd),
        held: None,
        ..network.clone()
    };
    sale.quotes.extend(STANDINGS.map(quote));
    sale.postbacks.push(quote(sale.order.standing.word()));
    sale
}

#[tokio::test]
async fn a_webhook_is_told_of_each_standing_once() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    ledger.enter(told("1001", None)).await.unwrap();
    let mut second = told("1001", Some("25.00"));
    second.sighting.at = later(60);
    let entered = ledger.enter(second.clone()).await.unwrap();
    assert!(matches!(entered, Entered::Completed(_)), "{entered:?}");
    ledger.enter(second).await.unwrap();
    let stories = ledger.story("1001".to_owned()).await.unwrap();
    let postbacks = stories[0].postbacks.iter().map(|told| &told.postback);
    let seen: Vec<_> = postbacks
        .map(|one| {
            (
                one.destination.as_str(),
                &*one.event,
                one.state,
                one.amount,
                one.at,
            )
        })
        .collect();
    let amount = Some(usd("25.00"));
    assert_eq!(
        seen,
        [
            ("aspire", "sale", State::Due, amount, later(0)),
            ("crm", "held", State::Due, None, later(0)),
            ("crm", "credited", State::Due, amount, later(60)),
        ]
    );
    let last = stories[0].history.last().unwrap();
    assert_eq!((last.at, &*last.became), (later(60), "due"));
    assert_eq!(ledger.waiting().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_webhook_is_told_of_what_the_operator_makes_of_an_order_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let mut sale = candidate("1001", Some("25.00"));
    sale.order.standing = Standing::Held(Doubt::Unproven);
    sale.postbacks[0].held = Some((Doubt::Unproven, "no checkout seen".to_owned()));
    let id = match ledger.enter(sale).await.unwrap() {
        Entered::New(_) => ledger.postbacks(Default::default(), 9).await.unwrap()[0].id,
        other => panic!("{other:?}"),
    };
    let webhook = |name: &str, on: &[&'static str]| Webhook {
        name: name.parse().unwrap(),
        on: on.to_vec(),
    };
    let follows = Follows {
        webhooks: vec![
            webhook("books", &["organic"]),
            webhook("crm", &["credited", "organic"]),
            webhook("queue", &["held"]),
        ],
        ..Follows::default()
    };
    let actions = [
        Action::Release,
        // Standing as it did: nobody is told.
        Action::Hold,
        Action::Cancel,
        Action::Resend,
    ];
    for (seconds, action) in (10..).zip(actions) {
        let steer = Steer {
            follows: follows.clone(),
            ..steer(action, &[id])
        };
        let done = ledger.steer(steer, later(seconds)).await.unwrap();
        assert!(done[0].done.is_ok(), "{action:?}");
    }
    let story = ledger.story("1001".to_owned()).await.unwrap().remove(0);
    let told: Vec<_> = story.postbacks[1..]
        .iter()
        .map(|told| {
            let one = &told.postback;
            let event = format!("{} {} {}", one.destination, one.event, one.sequence);
            (event, one.state, one.amount, one.at)
        })
        .collect();
    let due = |event: &str, seconds| {
        let amount = Some(usd("25.00"));
        (event.to_owned(), State::Due, amount, later(seconds))
    };
    assert_eq!(
        told,
        [
            due("crm credited 0", 10),
            due("books organic 0", 12),
            due("crm organic 0", 12),
            due("crm credited 1", 13),
        ]
    );
    assert_eq!(ledger.check().await.unwrap(), [""; 0]);
    assert_eq!(ledger.waiting().await.unwrap().len(), 3);
}
