//! Pauses, as the delivery goes by them.

use refgate::actor::Actor;
use refgate::alarm::Alarm;
use refgate::clock::Time;
use refgate::demo::network::Manner;
use refgate::event::Event;
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

/// Sells orders to as many partners, one after the other, which the network rejects.
async fn rejected(office: &Office, orders: std::ops::Range<usize>) {
    for number in orders {
        let partner = format!("7{number}");
        let id = office
            .sell_to(&format!("A-{number:03}"), &[("affiliate_id", &partner)])
            .await;
        office.wait(id, &[State::Rejected]).await;
    }
}

#[tokio::test]
async fn a_run_of_rejections_pauses_that_network_until_somebody_says_go() {
    let mut office = Office::open(ASPIRE).await;
    office.destination().pause_after = Some(3);
    let (other, name) = office.second("other").await;
    // The order's id within the words makes no difference.
    let refusal = |office: &Office, order: &str| {
        let words = format!("success=false; err_msg=bad token, conversion {order} dropped;");
        office.network.always(Manner::Say(words));
    };
    let running = office.start();
    for number in 0..3 {
        refusal(&office, &format!("A-{number:03}"));
        rejected(&office, number..number + 1).await;
    }
    let [pause] = &office.ledger.pauses().await.unwrap()[..] else {
        panic!("not paused")
    };
    let said =
        "3 orders in a row were rejected with the same words: bad token, conversion … dropped";
    assert_eq!((&pause.actor, &*pause.reason), (&Actor::refgate(), said));
    assert_eq!(office.counters.get(Event::NetworkPaused), 1);
    let standing = office.counters.alarms().standing();
    let alarm = standing
        .iter()
        .find(|one| one.alarm == Alarm::DestinationPaused);
    assert_eq!(alarm.unwrap().subject, "aspire");
    // The rest waits, also for another process; others are told.
    let waits = office.sell("A-9").await;
    running.end().await;
    let office = office.restart().await;
    let running = office.start();
    let id = office.sell_by(&name, "B-1").await;
    office.wait(id, &[State::Accepted]).await;
    assert_eq!((office.network.calls().len(), other.calls().len()), (3, 1));
    let stands = office.ledger.postback(waits).await.unwrap().postback;
    assert_eq!((stands.state, stands.attempts), (State::Due, 0));
    office.network.always(Manner::Honest);
    let anna = "anna".parse().unwrap();
    office.ledger.go(aspire(), anna, Time::now()).await.unwrap();
    office.wait(waits, &[State::Accepted]).await;
    running.end().await;
}

#[tokio::test]
async fn rejections_with_one_accepted_between_or_with_pause_after_zero_pause_nothing() {
    let mut office = Office::open(ASPIRE).await;
    office.destination().pause_after = Some(3);
    let mut never = Office::open(ASPIRE).await;
    never.destination().pause_after = None;
    let words = || Manner::Say("success=false; err_msg=bad token;".to_owned());
    let running = (office.start(), never.start());
    never.network.always(words());
    rejected(&never, 0..6).await;
    office.network.always(words());
    rejected(&office, 0..2).await;
    office.network.always(Manner::Honest);
    let id = office.sell("B-1").await;
    office.wait(id, &[State::Accepted]).await;
    office.network.always(words());
    rejected(&office, 2..4).await;
    for office in [&office, &never] {
        assert_eq!(office.ledger.pauses().await.unwrap(), []);
    }
    running.0.end().await;
    running.1.end().await;
}
