//! The loop: how many at once, other processes, the end of the process, crash and restart.

use std::time::Duration;

use refgate::clock::Time;
use refgate::deliver::Dedupe;
use refgate::demo::network::Manner;
use refgate::ledger::{Action, Role};
use refgate::postback::State;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::words;
use crate::support::office::{ASPIRE, Office, PATIENCE, UNIQUE};
use crate::support::{postgres, sale};

#[tokio::test]
async fn no_more_are_under_way_than_allowed() {
    let office = Office::open(ASPIRE).await;
    office.network.always(Manner::Hang);
    for number in 0..6 {
        office.sell(&format!("A-{number}")).await;
    }
    let running = office.start_draining(Duration::ZERO);
    office.network.wait_for(4).await;
    let fifth = office.network.wait_for(5);
    let fifth = tokio::time::timeout(Duration::from_millis(300), fifth).await;
    assert!(fifth.is_err(), "a fifth was sent");
    running.end().await;
}

#[tokio::test]
async fn a_delayed_postback_goes_out_after_a_restart() {
    let mut office = Office::open(ASPIRE).await;
    office.settings.schedule = vec![Duration::from_millis(300)];
    office.network.next([Manner::Busy(503, None)]);
    let told = office.deliver(&[State::Due]).await;
    let office = office.restart().await;
    let running = office.start();
    let told = office.wait(told.postback.id, &[State::Accepted]).await;
    running.end().await;
    assert_eq!(told.attempts.len(), 2);
}

#[tokio::test]
async fn a_crash_while_sending_leaves_it_unclear() {
    if postgres::is_meant() {
        // There a lease outlives its process: tests/postgres/run.py waits for its end.
        return;
    }
    let office = Office::open(ASPIRE).await;
    office.network.next([Manner::Hang]);
    let id = office.sell("A-1").await;
    let running = office.start();
    office.network.wait_for(1).await;
    let told = office.ledger.postback(id).await.unwrap();
    assert_eq!(
        told.postback.state,
        State::Sending,
        "committed before it is sent"
    );
    running.kill().await;
    let office = office.restart().await;
    let running = office.start();
    let told = office.wait(id, &[State::Unclear]).await;
    running.end().await;
    assert_eq!(words(&told), "refgate ended before the answer was kept");
    assert_eq!(office.network.calls().len(), 1, "never repeated by itself");
}

#[tokio::test]
async fn a_crash_while_sending_is_repeated_where_the_network_deduplicates() {
    if postgres::is_meant() {
        // There a lease outlives its process: tests/postgres/run.py waits for its end.
        return;
    }
    let mut office = Office::open(UNIQUE).await;
    office.destination().dedupe = Dedupe::Order;
    office.settings.schedule = vec![Duration::from_millis(5)];
    office.network.next([Manner::Hang]);
    let id = office.sell("A-1").await;
    let running = office.start();
    office.network.wait_for(1).await;
    running.kill().await;
    let office = office.restart().await;
    let running = office.start();
    let told = office.wait(id, &[State::Duplicate]).await;
    running.end().await;
    assert_eq!(
        told.postback.cause.as_deref(),
        Some("Duplicate conversion.")
    );
    assert_eq!(office.network.conversions().len(), 1);
}

#[tokio::test]
async fn what_is_under_way_may_finish_at_the_end() {
    let mut office = Office::open(ASPIRE).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = ASPIRE.replace("ADDRESS", &listener.local_addr().unwrap().to_string());
    office.destination().template = url.parse().unwrap();
    let id = office.sell("A-1").await;
    let running = office.start();
    let (mut stream, _) = listener.accept().await.unwrap();
    running.shutdown.cancel();
    stream.read_u8().await.unwrap();
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nsuccess=true;";
    stream.write_all(answer).await.unwrap();
    running.end().await;
    let told = office.ledger.postback(id).await.unwrap();
    assert_eq!(told.postback.state, State::Accepted);
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let office = Office::open(ASPIRE).await;
    office.network.always(Manner::Hang);
    let id = office.sell("A-1").await;
    let running = office.start_draining(Duration::from_millis(50));
    office.network.wait_for(1).await;
    running.end().await;
    let told = office.ledger.postback(id).await.unwrap();
    assert_eq!(told.postback.state, State::Sending);
}

#[tokio::test]
async fn many_postbacks_go_out_once_each() {
    let office = Office::open(ASPIRE).await;
    let running = office.start();
    let mut last = 0;
    for number in 0..50 {
        last = office.sell(&format!("A-{number}")).await;
    }
    let calls = tokio::time::timeout(PATIENCE, office.network.wait_for(50))
        .await
        .unwrap();
    office.wait(last, &[State::Accepted]).await;
    running.end().await;
    let mut orders: Vec<_> = calls
        .iter()
        .map(|call| call.parameter("adv_unique1").unwrap())
        .collect();
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), 50);
    assert_eq!(office.network.calls().len(), 50);
}

#[tokio::test]
async fn what_another_process_makes_due_is_noticed() {
    let office = Office::open(ASPIRE).await;
    office.network.next([Manner::Close]);
    let id = office.sell("A-1").await;
    let running = office.start();
    office.wait(id, &[State::Unclear]).await;
    let tool = sale::open(office.dir.path(), Role::Tool).unwrap();
    let resend = sale::steer(Action::Resend, &[id]);
    tool.steer(resend, Time::now()).await.unwrap();
    let told = office.wait(id, &[State::Accepted]).await;
    running.end().await;
    assert_eq!(told.attempts.len(), 2);
}

#[tokio::test]
async fn a_resend_has_the_whole_schedule_and_remembers_what_may_have_been_counted() {
    for (first, end) in [(None, State::Dead), (Some(Manner::Close), State::Unclear)] {
        let mut office = Office::open(ASPIRE).await;
        office.settings.schedule = vec![Duration::from_millis(5); 2];
        office.network.always(Manner::Busy(503, None));
        office.network.next(first);
        let told = office.deliver(&[end]).await;
        let resend = sale::steer(Action::Resend, &[told.postback.id]);
        office.ledger.steer(resend, Time::now()).await.unwrap();
        let running = office.start();
        let all = office.network.wait_for(told.attempts.len() + 3);
        tokio::time::timeout(PATIENCE, all).await.unwrap();
        let told = office.wait(told.postback.id, &[end]).await;
        running.end().await;
        let cause = told.postback.cause.unwrap();
        assert!(cause.starts_with("given up after 3 attempts"), "{cause}");
    }
}

#[tokio::test]
async fn a_repeat_is_held_when_the_network_is_said_to_deduplicate_no_more() {
    let mut office = Office::open(ASPIRE).await;
    office.destination().dedupe = Dedupe::Order;
    office.settings.schedule = vec![Duration::from_secs(2)];
    office.network.next([Manner::Close]);
    office.deliver(&[State::Due]).await;
    office.destination().dedupe = Dedupe::None;
    let told = office.deliver(&[State::Held]).await;
    let cause = told.postback.cause.unwrap();
    assert!(cause.contains("may have been counted"), "{cause}");
    assert_eq!(office.network.calls().len(), 1);
}
