//! The operator's hand in a delivery under way: what was taken back is not sent.

use refgate::clock::Time;
use refgate::ledger::{Action, Role};
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
