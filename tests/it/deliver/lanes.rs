//! Several networks: each with its own places, rate and rests.

use std::time::{Duration, Instant};

use refgate::deliver::{Deliver, Rate, State as Stands, Terms};
use refgate::demo::network::Manner;
use refgate::event::Event;
use refgate::postback::State;

use crate::support::log::Log;
use crate::support::office::{ASPIRE, Office, PATIENCE};

/// Rests after two failures in a row.
fn rest(first: Duration) -> Terms {
    Terms {
        after: 2,
        first,
        longest: Duration::from_secs(3600),
    }
}

#[tokio::test]
async fn a_network_that_hangs_does_not_keep_another_waiting() {
    let mut office = Office::open(ASPIRE).await;
    office.network.always(Manner::Hang);
    let (other, name) = office.second("other").await;
    for number in 0..10 {
        office.sell(&format!("A-{number}")).await;
    }
    let running = office.start_draining(Duration::ZERO);
    // Of four places three hang; the last one is the other's.
    office.network.wait_for(3).await;
    for number in 0..3 {
        let id = office.sell_by(&name, &format!("B-{number}")).await;
        office.wait(id, &[State::Accepted]).await;
    }
    assert_eq!(other.calls().len(), 3);
    assert_eq!(office.network.calls().len(), 3);
    running.end().await;
}

#[tokio::test]
async fn a_network_has_its_own_number_of_places() {
    let mut office = Office::open(ASPIRE).await;
    office.network.always(Manner::Hang);
    office.destination().concurrency = 1;
    for number in 0..3 {
        office.sell(&format!("A-{number}")).await;
    }
    let running = office.start_draining(Duration::ZERO);
    office.network.wait_for(1).await;
    let second = office.network.wait_for(2);
    let second = tokio::time::timeout(Duration::from_millis(300), second).await;
    assert!(second.is_err(), "a second was sent");
    running.end().await;
}

#[tokio::test]
async fn a_rate_is_held() {
    let mut office = Office::open(ASPIRE).await;
    office.destination().rate = Some(Rate {
        count: 20,
        per: Duration::from_secs(1),
    });
    for number in 0..12 {
        office.sell(&format!("A-{number:02}")).await;
    }
    let begun = Instant::now();
    let running = office.start();
    let calls = tokio::time::timeout(PATIENCE, office.network.wait_for(12));
    let calls = calls.await.unwrap();
    // Two go out together, the others one each 1/19 s.
    assert!(begun.elapsed() > Duration::from_millis(450));
    running.end().await;
    let orders = calls
        .iter()
        .map(|call| call.parameter("adv_unique1").unwrap());
    // The two that go out together may overtake each other.
    let orders: Vec<_> = orders.skip(2).collect();
    assert!(orders.is_sorted(), "{orders:?}");
}

#[tokio::test]
async fn a_network_that_is_down_rests_and_no_attempt_is_spent() {
    let mut office = Office::open(ASPIRE).await;
    office.settings.rest = rest(Duration::from_millis(500));
    office.destination().concurrency = 1;
    office
        .network
        .next([Manner::Busy(503, None), Manner::Busy(503, None)]);
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(office.sell(&format!("A-{number}")).await);
    }
    let log = Log::default();
    let listening = log.listen();
    let begun = Instant::now();
    let running = office.start();
    for id in &ids[2..] {
        let told = office.wait(*id, &[State::Accepted]).await;
        assert_eq!(told.attempts.len(), 1);
    }
    assert!(begun.elapsed() > Duration::from_millis(500 * 8 / 10));
    running.end().await;
    drop(listening);
    assert_eq!(office.network.calls().len(), 5);
    assert_eq!(office.counters.get(Event::NetworkRests), 1);
    let lines = log.lines().concat();
    assert!(lines.contains("alarm: a network is down"), "{lines}");
    assert!(
        lines.contains("an alarm is over: a network is down"),
        "{lines}"
    );
}

/// Each postback that is sent meanwhile is a doubt that somebody must settle by hand.
#[tokio::test]
async fn of_what_waits_for_a_network_that_fails_few_become_unclear() {
    for failing in [
        Manner::Busy(500, None),
        Manner::Busy(502, None),
        Manner::Cut,
    ] {
        let mut office = Office::open(ASPIRE).await;
        office.settings.rest = rest(Duration::from_secs(3600));
        office.destination().concurrency = 1;
        office.network.always(failing.clone());
        let mut ids = Vec::new();
        for number in 0..6 {
            ids.push(office.sell(&format!("A-{number}")).await);
        }
        let running = office.start();
        for id in &ids[..2] {
            office.wait(*id, &[State::Unclear]).await;
        }
        let third = tokio::time::timeout(Duration::from_millis(300), office.network.wait_for(3));
        assert!(third.await.is_err(), "{failing:?}: a third was sent");
        running.end().await;
        for id in &ids[2..] {
            let told = office.ledger.postback(*id).await.unwrap();
            assert_eq!(told.postback.state, State::Due, "{failing:?}");
            assert!(told.attempts.is_empty(), "{failing:?}");
        }
    }
}

#[tokio::test]
async fn a_network_that_stays_down_is_tried_with_one_and_rests_longer() {
    let mut office = Office::open(ASPIRE).await;
    office.settings.rest = rest(Duration::from_millis(50));
    office.settings.rest.longest = Duration::from_millis(400);
    office.destination().concurrency = 1;
    office.network.always(Manner::Busy(503, None));
    for number in 0..10 {
        office.sell(&format!("A-{number:02}")).await;
    }
    let begun = Instant::now();
    let running = office.start();
    // Two, then one after each of 50, 100, 200 and 400 ms.
    let calls = tokio::time::timeout(PATIENCE, office.network.wait_for(6));
    assert_eq!(calls.await.unwrap().len(), 6);
    assert!(begun.elapsed() > Duration::from_millis(750 * 8 / 10));
    running.end().await;
    assert!(office.counters.get(Event::NetworkRests) >= 4);
}

#[tokio::test]
async fn another_configuration_ends_the_rest() {
    let mut office = Office::open(ASPIRE).await;
    office.settings.rest = rest(Duration::from_secs(3600));
    office.destination().concurrency = 1;
    office.network.always(Manner::Busy(503, None));
    let ids = [office.sell("A-1").await, office.sell("A-2").await];
    let deliver = office.ready();
    let running = office.run(deliver.clone(), PATIENCE);
    office.wait(ids[1], &[State::Due]).await;
    assert_eq!(deliver.standings()[0].1.state, Stands::Resting);
    office.network.always(Manner::Honest);
    let third = office.sell("A-3").await;
    deliver.adopt(Deliver::prepare(office.settings.clone()).unwrap());
    office.wait(third, &[State::Accepted]).await;
    running.end().await;
}

#[tokio::test]
async fn the_end_does_not_wait_for_one_that_rests() {
    let mut office = Office::open(ASPIRE).await;
    office.settings.rest = rest(Duration::from_secs(3600));
    office.destination().concurrency = 1;
    office.network.always(Manner::Busy(429, None));
    let mut last = 0;
    for number in 0..9 {
        last = office.sell(&format!("A-{number}")).await;
    }
    let deliver = office.ready();
    let running = office.run(deliver.clone(), PATIENCE);
    tokio::time::timeout(PATIENCE, async {
        while deliver.standings()[0].1.state != Stands::Resting {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    let begun = Instant::now();
    running.end().await;
    assert!(begun.elapsed() < PATIENCE / 4);
    let told = office.ledger.postback(last).await.unwrap();
    assert_eq!(told.postback.state, State::Due);
    assert_eq!(told.postback.attempts, 0);
    assert_eq!(office.network.calls().len(), 2);
}
