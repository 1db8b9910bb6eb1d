//! What each affiliate brought: who buys by his own link is seen by it.

use std::time::Duration;

use refgate::ledger::Role;
use refgate::order::{Doubt, Standing};
use refgate::visit::VisitId;
use serde_json::Value;

use super::{said, typed};
use crate::support::sale::{NOW, candidate, click, sqlite as open};

/// Orders of affiliates: whose, by which visit, so long after the click, and where they stand.
const ORDERS: [(&str, u128, u64, Standing); 8] = [
    ("7007", 1, 60, Standing::Credited),
    ("7007", 1, 70, Standing::Credited),
    ("7007", 1, 80, Standing::Held(Doubt::TooMany)),
    ("7007", 2, 90, Standing::Organic),
    ("7008", 3, 600, Standing::Credited),
    ("7008", 4, 90_000, Standing::Credited),
    ("7008", 5, 600_000, Standing::Credited),
    ("\u{1b}[31m", 6, 0, Standing::Held(Doubt::TooYoung)),
];

#[tokio::test]
async fn affiliates_are_told_by_their_orders_and_by_how_many_visits_made_these() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    assert_eq!(
        said(&ledger, "affiliates").await,
        "no orders of any affiliate's\n"
    );
    for (number, (partner, visit, seconds, standing)) in ORDERS.into_iter().enumerate() {
        let mut one = candidate(&format!("20{number}"), Some("10.50"));
        let mut own = click();
        own.values
            .insert("affiliate_id".to_owned(), partner.to_owned());
        own.at = NOW.minus(Duration::from_secs(seconds));
        (one.order.click, one.order.visit) = (Some(own), Some(VisitId(visit)));
        one.order.standing = standing;
        one.postbacks.clear();
        ledger.enter(one).await.unwrap();
    }
    let mut nobodys = candidate("999", Some("10.50"));
    (nobodys.order.click, nobodys.order.standing) = (None, Standing::Organic);
    nobodys.postbacks.clear();
    ledger.enter(nobodys).await.unwrap();

    let told = said(&ledger, "affiliates").await;
    let words = |line: usize| {
        let line = told.lines().nth(line).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        words(0),
        "AFFILIATE NETWORK ORDERS CREDITED HELD VISITS MOST MEDIAN SOON CREDITED WORTH"
    );
    assert_eq!(words(1), "7007 aspire 4 2 1 2 3 80s 4 21.00 USD");
    assert_eq!(words(2), "7008 aspire 3 3 0 3 1 25h 0 31.50 USD");
    assert_eq!(words(3), "\\u{1b}[31m aspire 1 0 1 1 1 0s 1");
    assert_eq!(told.lines().count(), 4, "{told}");

    let json: Value =
        serde_json::from_str(&typed(&ledger, "affiliates", true).await.unwrap()).unwrap();
    assert_eq!(json[0]["held"]["too_many"], 1);
    assert_eq!(
        (&json[0]["organic"], &json[0]["most_of_one_visit"]),
        (&1.into(), &3.into())
    );
    let one = said(&ledger, "affiliates --limit 1").await;
    assert!(one.ends_with("… and 2 more: --limit\n"), "{one}");
    let none = "no orders of any affiliate's\n";
    for other in [
        "--network other",
        "--store ca",
        "--since 2027-01-01T00:00:00Z",
        "--until 2026-01-01T00:00:00Z",
    ] {
        assert_eq!(said(&ledger, &format!("affiliates {other}")).await, none);
    }
}
