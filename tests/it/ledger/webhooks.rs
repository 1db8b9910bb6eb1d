//! Who is told of an order's standing: when it is entered, and when it comes to another one.

use refgate::ledger::{Entered, Role};
use refgate::order::{Candidate, NewPostback, STANDINGS};
use refgate::postback::State;

use crate::support::sale::{candidate, later, open, usd};

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
