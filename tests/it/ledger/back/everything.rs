//! A ledger with everything that there is.

use refgate::click::Came;
use refgate::ledger::{Action, Ledger, Pause, Session};
use refgate::order::{Doubt, FoundBy, Standing};
use refgate::postback::{Postback, PostbackId, State, Verdict};
use refgate::visit::{Visit, VisitId};

use crate::ledger::known::demo;
use crate::ledger::open::marks;
use crate::ledger::webhooks::told;
use crate::support::sale::{LEASE, NOW, aspire, candidate, click, later, settlement, steer};

/// Every doubt that there is: this does not compile where one is added, until it stands here.
fn doubts() -> Vec<Doubt> {
    use Doubt::*;
    let all = vec![
        Unreadable,
        Differs,
        CurrencyContradicts,
        NoRate,
        OverMaxAmount,
        NotPositive,
        Unproven,
        TooYoung,
        TooMany,
        ManyNetworks,
        Blocked,
        IdReused,
        Shadow,
        Operator,
    ];
    for doubt in &all {
        match doubt {
            Unreadable | Differs | CurrencyContradicts | NoRate | OverMaxAmount | NotPositive
            | Unproven | TooYoung | TooMany | ManyNetworks | Blocked | IdReused | Shadow
            | Operator => {}
        }
    }
    all
}

/// What an attempt ends with, by the order's id.
const ENDS: [(&str, State, Verdict); 6] = [
    ("accepted", State::Accepted, Verdict::Accepted),
    ("duplicate", State::Duplicate, Verdict::Duplicate),
    ("rejected", State::Rejected, Verdict::Rejected),
    ("unclear", State::Unclear, Verdict::Unclear),
    ("dead", State::Dead, Verdict::NotProcessed),
    ("retried", State::Due, Verdict::NotProcessed),
];

/// Every standing, doubt, state and verdict; steered by hand, with webhooks, pauses and known orders.
pub(super) async fn everything(ledger: &Ledger) {
    sent(ledger).await;
    for doubt in doubts() {
        let mut held = candidate(&doubt.to_string(), Some("25.00"));
        held.order.standing = Standing::Held(doubt);
        held.postbacks[0].held = Some((doubt, format!("because of {doubt}")));
        ledger.enter(held).await.unwrap();
    }
    for (id, action) in [("steered", Action::Hold), ("cancelled", Action::Cancel)] {
        let postback = enter(ledger, id).await;
        let steer = steer(action, &[postback]);
        ledger.steer(steer, NOW).await.unwrap();
    }
    ledger.enter(told("webhook", Some("25.00"))).await.unwrap();
    enter(ledger, "due").await;
    without_a_sale(ledger).await;
}

/// Those of which something was sent.
async fn sent(ledger: &Ledger) {
    for (id, state, verdict) in ENDS {
        let (postback, attempt) = begun(ledger, id).await;
        let mut end = settlement(&postback, attempt, state);
        end.outcome.verdict = verdict;
        end.due = (state == State::Due).then(|| later(1_000_000));
        ledger.settle(end).await.unwrap();
    }
    begun(ledger, "sending").await;
    let mut aside = candidate("sending", Some("9.95"));
    let namespace = demo().aside().unwrap();
    aside.sighting.key.namespace = namespace.clone();
    aside.order.key.namespace = namespace;
    ledger.enter(aside).await.unwrap();
}

/// An order with an open attempt.
async fn begun(ledger: &Ledger, id: &str) -> (Postback, i64) {
    enter(ledger, id).await;
    let claimed = ledger.claim(&aspire(), NOW, LEASE, 1).await.unwrap();
    let postback = claimed[0].clone();
    let url = "https://network.example/?aff=123456".to_owned();
    let attempt = ledger.begin(postback.id, url, NOW).await.unwrap();
    (postback, attempt)
}

/// An organic order; known ones, a pause, a session.
async fn without_a_sale(ledger: &Ledger) {
    let mut organic = candidate("organic", Some("25.00"));
    organic.order.standing = Standing::Organic;
    organic.order.click = None;
    organic.order.open_until = Some(later(1800));
    organic.sighting.visit = None;
    organic.sighting.found_by = FoundBy::SharedSession;
    organic.postbacks.clear();
    ledger.enter(organic).await.unwrap();
    let ids = vec!["9001".parse().unwrap(), "9002".parse().unwrap()];
    ledger.learn(demo(), ids, NOW).await.unwrap();
    let pause = Pause {
        destination: "other".parse().unwrap(),
        at: NOW,
        actor: "alice".parse().unwrap(),
        reason: "asked".to_owned(),
    };
    ledger.pause(pause).await.unwrap();
    let session = Session {
        marks: marks(),
        visit: Visit::new(VisitId(7), click()),
        at: NOW,
        until: later(7200),
    };
    ledger.remember(vec![session]).await.unwrap();
}

/// Enters an order; the number of its postback.
async fn enter(ledger: &Ledger, id: &str) -> PostbackId {
    let mut seen = candidate(id, Some("25.00"));
    let click = seen.order.click.as_mut().unwrap();
    click.came = Came::landed("us".parse().unwrap(), true);
    ledger.enter(seen).await.unwrap();
    let story = ledger.story(id.to_owned()).await.unwrap().remove(0);
    story.postbacks[0].postback.id
}
