//! The ledger: once per order, durable, one owner.

use refgate::ledger::{Entered, Error, Role};
use refgate::postback::State;

use crate::support::sale::{LEASE, NOW, candidate, later, open, settlement};

#[tokio::test]
async fn an_order_goes_its_way_to_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let entered = ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    assert!(matches!(entered, Entered::New(_)), "{entered:?}");
    assert_eq!(ledger.next_due().await.unwrap(), Some(NOW));

    let claimed = ledger.claim(NOW, LEASE, 10).await.unwrap();
    let [postback] = claimed.as_slice() else {
        panic!("{claimed:?}")
    };
    assert!(
        ledger.claim(NOW, LEASE, 10).await.unwrap().is_empty(),
        "leased twice"
    );
    let attempt = ledger
        .begin(postback.id, "http://x/?k=***".to_owned(), NOW)
        .await
        .unwrap();
    let again = ledger.begin(postback.id, "http://x/".to_owned(), NOW).await;
    assert!(
        matches!(
            again,
            Err(Error::NotPossible {
                state: State::Sending,
                ..
            })
        ),
        "{again:?}"
    );
    ledger
        .settle(settlement(postback, attempt, State::Accepted))
        .await
        .unwrap();

    let stories = ledger.story("1001".to_owned()).await.unwrap();
    let [story] = stories.as_slice() else {
        panic!("{stories:?}")
    };
    let [told] = story.postbacks.as_slice() else {
        panic!("{story:?}")
    };
    assert_eq!(told.postback.state, State::Accepted);
    assert_eq!(told.attempts.len(), 1);
    let became: Vec<_> = story
        .history
        .iter()
        .map(|change| change.became.as_str())
        .collect();
    assert_eq!(became, ["credited", "due", "sending", "accepted"]);
    assert_eq!(ledger.next_due().await.unwrap(), None);
    assert_eq!(ledger.interrupted(later(1000)).await.unwrap(), []);
}
