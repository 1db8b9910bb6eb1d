//! The operator's hand in a delivery under way: what was taken back is not sent.

use std::time::Duration;

use refgate::clock::Time;
use refgate::deliver::HoldRule;
use refgate::ledger::{Action, Role};
use refgate::order::{Doubt, Standing};
use refgate::postback::State;

use crate::support::office::{ASPIRE, Office};
use crate::support::sale;

#[tokio::test]
async fn of_what_is_cancelled_while_all_is_sent_the_network_hears_nothing() {
    let mut office = Office::open(ASPIRE).await;
    office.settings.concurrency = 16;
    office.destination().concurrency = 16;
    let mut ids = Vec::new();
    for number in 0..150 {
        ids.push(office.sell(&format!("n{number}")).await);
    }
    let tool = sale::open(office.dir.path(), Role::Tool).unwrap();
    let running = office.start();
    let mut taken_back = Vec::new();
    // The oldest is sent first, the newest taken back first: they meet in the middle.
    for (number, id) in ids.iter().enumerate().rev() {
        let action = match number % 2 {
            0 => Action::Cancel,
            _ => Action::Hold,
        };
        let steered = tool.steer(sale::steer(action, &[*id]), Time::now()).await;
        if let Ok(moved) = &steered.unwrap()[0].done {
            assert_eq!(moved.postback.state, action.becomes());
            taken_back.push((*id, action.becomes()));
        }
    }
    for id in &ids {
        if !taken_back.iter().any(|(taken, _)| taken == id) {
            office.wait(*id, &[State::Accepted]).await;
        }
    }
    running.end().await;
    for (id, state) in &taken_back {
        let told = office.ledger.postback(*id).await.unwrap();
        assert_eq!(told.postback.state, *state, "{told:?}");
        assert_eq!(told.attempts, [], "{told:?}");
    }
    let calls = office.network.calls().len();
    assert_eq!(calls + taken_back.len(), ids.len());
    assert!(!taken_back.is_empty(), "all was sent before");
}

#[tokio::test]
async fn what_is_held_goes_on_by_the_operators_rule_alone() {
    let mut office = Office::open(ASPIRE).await;
    let rule = |doubt, action| HoldRule {
        doubt,
        after: Duration::ZERO,
        action,
        words: "by the rule of this test".parse().unwrap(),
    };
    office.settings.holds.rules = vec![
        rule(Doubt::Unproven, Action::Release),
        rule(Doubt::OverMaxAmount, Action::Refuse),
    ];
    let held = async |id: &str, doubt| {
        let mut sale = sale::candidate(id, Some("25.00"));
        sale.order.standing = Standing::Held(doubt);
        sale.postbacks[0].held = Some((doubt, "a doubt".to_owned()));
        office.ledger.enter(sale).await.unwrap();
        let stories = office.ledger.story(id.to_owned()).await.unwrap();
        stories[0].postbacks[0].postback.id
    };
    let released = held("1001", Doubt::Unproven).await;
    let refused = held("1002", Doubt::OverMaxAmount).await;
    let waits = held("1003", Doubt::TooYoung).await;
    let running = office.start();
    office.wait(released, &[State::Accepted]).await;
    let stands = async |id| office.ledger.postback(id).await.unwrap().postback.state;
    while stands(refused).await != State::Dead {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.end().await;
    assert_eq!(stands(waits).await, State::Held);
    let story = office.ledger.story("1002".to_owned()).await.unwrap();
    let change = story[0].history.last().unwrap();
    assert_eq!(change.actor.as_ref().unwrap().as_str(), "refgate");
    let cause = change.cause.as_deref();
    assert_eq!(cause, Some("refused: by the rule of this test"));
    assert_eq!(story[0].order.standing, Standing::Organic);
}
