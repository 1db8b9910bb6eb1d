//! Pauses, as the delivery goes by them.

use refgate::clock::Time;
use refgate::ledger::Pause;
use refgate::postback::State;

use crate::support::office::{ASPIRE, Office};
use crate::support::sale::aspire;

#[tokio::test]
async fn what_is_paused_waits_while_others_are_told_and_goes_out_at_once() {
    let mut office = Office::open(ASPIRE).await;
    let (other, name) = office.second("other").await;
    let running = office.start();
    let pause = Pause {
        destination: aspire(),
        at: Time::now(),
        actor: "anna".parse().unwrap(),
        reason: "a wrong offer id".to_owned(),
    };
    office.ledger.pause(pause).await.unwrap();
    let waits = office.sell("A-1").await;
    // The loop has come past it.
    for number in 0..3 {
        let id = office.sell_by(&name, &format!("B-{number}")).await;
        office.wait(id, &[State::Accepted]).await;
    }
    let stands = office.ledger.postback(waits).await.unwrap();
    assert_eq!(
        (stands.postback.state, stands.postback.attempts),
        (State::Due, 0)
    );
    assert_eq!(office.network.calls().len(), 0);
    let anna = "anna".parse().unwrap();
    office.ledger.go(aspire(), anna, Time::now()).await.unwrap();
    office.wait(waits, &[State::Accepted]).await;
    assert_eq!((office.network.calls().len(), other.calls().len()), (1, 3));
    running.end().await;
}
