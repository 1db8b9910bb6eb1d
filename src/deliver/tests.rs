//! What only the loop's own parts can show: a clock that jumps, a look at what is unclear.

use super::egress::Egress;
use super::*;
use crate::ledger::{Role, Told};
use crate::order::Candidate;
use crate::postback::{State, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const NOW: Time = Time::from_millis(1_795_392_000_000);
const HOUR: Duration = Duration::from_secs(3600);

/// A delivery with one order due, to a network at `address`.
async fn deliver(dir: &std::path::Path, address: std::net::SocketAddr) -> Deliver {
    let path = dir.join("refgate.db");
    let ledger = Ledger::open(&ledger::Settings::Sqlite(path), Role::Run, NOW).unwrap();
    let candidate: Candidate =
        serde_json::from_str(include_str!("../record/recorder/candidate.json")).unwrap();
    let template = format!("http://{address}/?offer_id=1&amount=AMOUNT");
    let accepted = Answer {
        status: Some(200),
        body: None,
        means: Verdict::Accepted,
        reason: None,
    };
    let destination = Destination {
        template: template.parse().unwrap(),
        secrets: Vec::new(),
        answers: vec![accepted],
        dedupe: Dedupe::None,
        concurrency: 4,
        rate: None,
        mode: crate::postback::Mode::Live,
        pause_after: None,
        webhook: None,
    };
    let name = candidate.postbacks.first().unwrap().destination.clone();
    let settings = Settings {
        destinations: [(name, destination)].into(),
        schedule: Vec::new(),
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(20),
        concurrency: 4,
        rest: Terms {
            after: 5,
            first: Duration::from_secs(30),
            longest: Duration::from_secs(600),
        },
        answer_limit: 4096,
        egress: Egress::default(),
        retry_after_limit: HOUR,
        holds: Holds::default(),
    };
    ledger.enter(candidate).await.unwrap();
    Deliver::new(ledger, settings, Arc::default()).unwrap()
}

async fn told(deliver: &Deliver) -> Told {
    deliver.ledger.postback(1).await.unwrap()
}

#[tokio::test]
async fn a_clock_that_jumps_does_not_end_what_is_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let network = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let deliver = deliver(dir.path(), network.local_addr().unwrap()).await;
    let mut sends = JoinSet::new();
    let now = Time::now();
    deliver.send_due(&mut sends, now).await.unwrap();
    let (mut stream, _) = network.accept().await.unwrap();
    stream.read_u8().await.unwrap();

    deliver.recover(now.plus(HOUR)).await.unwrap();
    assert_eq!(told(&deliver).await.postback.state, State::Sending);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    stream.write_all(answer).await.unwrap();
    sends.join_next().await.unwrap().unwrap();
    assert_eq!(told(&deliver).await.postback.state, State::Accepted);
}

#[tokio::test]
async fn what_was_cut_off_is_not_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let network = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let deliver = deliver(dir.path(), network.local_addr().unwrap()).await;
    let mut sends = JoinSet::new();
    let now = Time::now();
    deliver.send_due(&mut sends, now).await.unwrap();
    let (_stream, _) = network.accept().await.unwrap();
    sends.shutdown().await;
    deliver.recover(now.plus(HOUR)).await.unwrap();
    assert_eq!(told(&deliver).await.postback.state, State::Unclear);
}

#[tokio::test]
async fn what_is_unclear_for_an_hour_is_an_alarm() {
    let dir = tempfile::tempdir().unwrap();
    let network = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let deliver = deliver(dir.path(), network.local_addr().unwrap()).await;
    let mut sends = JoinSet::new();
    deliver.send_due(&mut sends, Time::now()).await.unwrap();
    drop(network.accept().await.unwrap());
    sends.join_next().await.unwrap().unwrap();
    let told = told(&deliver).await;
    assert_eq!(told.postback.state, State::Unclear);
    let ended = told.attempts.last().unwrap().outcome.as_ref().unwrap().at;

    let minute = Duration::from_secs(60);
    for (minutes, stands) in [(59, false), (62, true), (1500, true)] {
        deliver.ask(ended.plus(minute * minutes)).await;
        let standing = deliver.counters.alarms().standing();
        let words = standing.first().map(|one| (one.alarm, one.words.as_str()));
        let (alarm, words) = words.unzip();
        let expected = stands.then_some(Alarm::PostbacksUnclear);
        assert_eq!(alarm, expected, "after {minutes} minutes");
        assert!(words.is_none_or(|words| words.starts_with("1 postbacks are unclear")));
    }
    let resend = ledger::Steer {
        which: ledger::Which::These(vec![told.postback.id]),
        action: ledger::Action::Resend,
        from: ledger::Action::Resend.usual(),
        reason: "asked".parse().unwrap(),
        actor: crate::actor::Actor::unknown(),
        follows: Default::default(),
    };
    deliver.ledger.steer(resend, Time::now()).await.unwrap();
    deliver.ask(ended.plus(minute * 1501)).await;
    assert_eq!(deliver.counters.alarms().standing(), []);
}

#[tokio::test]
async fn what_is_adopted_holds_from_the_next_attempt_on() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let deliver = deliver(dir.path(), old.local_addr().unwrap()).await;
    let mut settings = deliver.way.get().settings.clone();
    for destination in settings.destinations.values_mut() {
        let address = new.local_addr().unwrap();
        destination.template = format!("http://{address}/?amount=AMOUNT").parse().unwrap();
    }
    deliver.clone().adopt(Deliver::prepare(settings).unwrap());
    let mut sends = JoinSet::new();
    deliver.send_due(&mut sends, Time::now()).await.unwrap();
    let (mut stream, _) = new.accept().await.unwrap();
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    note(sends.join_next().await.unwrap());
    assert_eq!(told(&deliver).await.postback.state, State::Accepted);
}
