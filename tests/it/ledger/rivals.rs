//! Orders of one id that may be one sale: whoever steers has one of them paid.

use refgate::ledger::{Action, Ledger, Refusal, Role};
use refgate::order::Candidate;
use refgate::postback::{PostbackId, State};

use super::aside::{enters, of_visit, too_many};
use crate::support::sale::{LEASE, aspire, later, open, settlement, steer};

/// Enters these; their sales.
async fn sales<const N: usize>(ledger: &Ledger, seen: [Candidate; N]) -> [PostbackId; N] {
    let mut found = Vec::new();
    for one in seen {
        let visit = one.order.visit;
        assert!(enters(ledger, one).await.1, "it is new");
        let stories = ledger.story("1001".to_owned()).await.unwrap();
        let story = stories.iter().find(|story| story.order.visit == visit);
        found.push(story.unwrap().postbacks[0].postback.id);
    }
    found.try_into().unwrap()
}

async fn steered(ledger: &Ledger, action: Action, ids: &[PostbackId]) -> Vec<Option<Refusal>> {
    let done = ledger.steer(steer(action, ids), later(7200)).await.unwrap();
    done.into_iter().map(|one| one.done.err()).collect()
}

#[tokio::test]
async fn of_one_sale_that_two_visits_have_seen_one_is_paid() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let seen = [too_many(7, "25.00", 0), of_visit(8, "25.00", 1)];
    let [aside, main] = sales(&ledger, seen).await;
    let release = async || steered(&ledger, Action::Release, &[aside]).await.remove(0);
    let refused = Some(Refusal::Told {
        id: aside,
        told: main,
    });
    assert_eq!(release().await, refused, "it is due");
    let due = ledger
        .claim(&aspire(), later(7200), LEASE, 9)
        .await
        .unwrap();
    let attempt = ledger.begin(main, "GET /".to_owned(), later(7200)).await;
    assert_eq!(release().await, refused, "it is being sent");
    let end = settlement(&due[0], attempt.unwrap(), State::Accepted);
    ledger.settle(end).await.unwrap();
    assert_eq!(release().await, refused, "the network has it");
    let resent = steered(&ledger, Action::Resend, &[aside]).await;
    assert_eq!(resent, [refused], "sent for the first time, that way");
    // The network takes the other one down: then this one may be paid; and that one no more.
    assert_eq!(steered(&ledger, Action::Reject, &[main]).await, [None]);
    assert_eq!(release().await, None);
    let told = Some(Refusal::Told {
        id: main,
        told: aside,
    });
    assert_eq!(steered(&ledger, Action::Resend, &[main]).await, [told]);
    let mut insists = steer(Action::Resend, &[main]);
    insists.from = Action::Resend.states().to_vec();
    let done = ledger.steer(insists, later(7200)).await.unwrap();
    assert!(done[0].done.is_ok(), "on the operator's word: {done:?}");
}

#[tokio::test]
async fn of_two_that_are_released_at_once_the_first_is_paid() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let seen = [7, 8, 9].map(|visit| too_many(visit, "25.00", 0));
    let [first, second, third] = sales(&ledger, seen).await;
    // To refuse one of them, or to say that the network has it, pays nothing.
    assert_eq!(steered(&ledger, Action::Refuse, &[third]).await, [None]);
    let told = Refusal::Told {
        id: second,
        told: first,
    };
    let done = steered(&ledger, Action::Release, &[first, second]).await;
    assert_eq!(done, [None, Some(told)]);
    assert_eq!(steered(&ledger, Action::Accept, &[second]).await, [None]);
    let due = ledger
        .claim(&aspire(), later(7200), LEASE, 9)
        .await
        .unwrap();
    assert_eq!(due.iter().map(|one| one.id).collect::<Vec<_>>(), [first]);
}

#[tokio::test]
async fn of_two_whom_two_release_at_the_same_time_one_is_paid() {
    let dir = tempfile::tempdir().unwrap();
    let run = open(dir.path(), Role::Run).unwrap();
    let tool = open(dir.path(), Role::Tool).unwrap();
    let seen = [7, 8].map(|visit| too_many(visit, "25.00", 0));
    let [one, other] = sales(&run, seen).await;
    for _ in 0..30 {
        let release = async |ledger, id| steered(ledger, Action::Release, &[id]).await;
        let (by_run, by_tool) = tokio::join!(release(&run, one), release(&tool, other));
        let told = |id, told| [Some(Refusal::Told { id, told })];
        let moved = match (by_run == [None], by_tool == [None]) {
            (true, false) => {
                assert_eq!(by_tool, told(other, one));
                one
            }
            (false, true) => {
                assert_eq!(by_run, told(one, other));
                other
            }
            neither_or_both => panic!("{neither_or_both:?}: {by_run:?}, {by_tool:?}"),
        };
        assert_eq!(steered(&run, Action::Hold, &[moved]).await, [None]);
    }
}

#[tokio::test]
async fn orders_that_cannot_be_one_sale_are_paid_each() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let mut elsewhere = too_many(9, "25.00", 0);
    let other = "other.aside".parse().unwrap();
    elsewhere.order.key.namespace = other;
    let seen = [
        of_visit(8, "25.00", 0),
        // Another amount: the shop counts anew. Another shop.
        too_many(7, "9.95", 1),
        elsewhere,
    ];
    let [_main, reused, elsewhere] = sales(&ledger, seen).await;
    let done = steered(&ledger, Action::Release, &[reused, elsewhere]).await;
    assert_eq!(done, [None, None]);
}
