//! Ten thousand postbacks that piled up, and a network that comes back.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use refgate::clock::Time;
use refgate::deliver::Rate;
use refgate::postback::State;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::office::{ASPIRE, Office};
use crate::support::sale;

/// How many pile up.
const ALL: usize = 10_000;

/// How many calls find the network down.
const REFUSED: usize = 12;

/// How long the whole may take.
const LIMIT: Duration = Duration::from_secs(240);

/// What the network saw.
#[derive(Default)]
struct Seen {
    open: usize,
    most: usize,
    refused: Vec<usize>,
    /// Which order, and when.
    counted: Vec<(usize, Instant)>,
}

/// Refuses the first ones, then counts all.
async fn serve(listener: TcpListener, seen: Arc<Mutex<Seen>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                connections.spawn(answer(stream, Arc::clone(&seen)));
            }
            Some(ended) = connections.join_next() => ended.unwrap(),
        }
    }
}

async fn answer(mut stream: TcpStream, seen: Arc<Mutex<Seen>>) {
    {
        let mut seen = seen.lock().unwrap();
        seen.open += 1;
        seen.most = seen.most.max(seen.open);
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut head).await.unwrap() > 0);
    }
    let head = String::from_utf8(head).unwrap();
    let order = head.split("adv_unique1=A-").nth(1).unwrap();
    let order = order.split(' ').next().unwrap().parse().unwrap();
    let answer = {
        let mut seen = seen.lock().unwrap();
        seen.open -= 1;
        if seen.refused.len() < REFUSED {
            seen.refused.push(order);
            "HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"
        } else {
            seen.counted.push((order, Instant::now()));
            "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nsuccess=true;"
        }
    };
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Enters them all, each a millisecond younger than the one before.
async fn pile_up(office: &Office) {
    let now = Time::now();
    let mut entering = JoinSet::new();
    for number in 0..ALL {
        let mut sale = sale::candidate(&format!("A-{number}"), Some("25.00"));
        let age = u64::try_from(ALL - number).unwrap();
        sale.order.at = now.minus(Duration::from_millis(age));
        sale.sighting.at = sale.order.at;
        let ledger = office.ledger.clone();
        entering.spawn(async move { ledger.enter(sale).await.map(drop) });
        if entering.len() == 500 {
            entering.join_next().await.unwrap().unwrap().unwrap();
        }
    }
    for entered in entering.join_all().await {
        entered.unwrap();
    }
}

async fn accepted(office: &Office) -> u64 {
    let counts = office.ledger.counts().await.unwrap().postbacks;
    let accepted = counts.iter().find(|(state, _)| *state == State::Accepted);
    accepted.map_or(0, |(_, count)| *count)
}

#[tokio::test]
#[ignore = "takes half a minute: tests/system.sh runs it"]
async fn ten_thousand_drain_in_order_of_age_within_the_limits() {
    let mut office = Office::open(ASPIRE).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = ASPIRE.replace("ADDRESS", &listener.local_addr().unwrap().to_string());
    office.settings.schedule = vec![Duration::from_secs(1); 3];
    office.settings.rest.first = Duration::from_millis(200);
    office.settings.concurrency = 8;
    let rate = Rate {
        count: 500,
        per: Duration::from_secs(1),
    };
    let destination = office.destination();
    destination.template = url.parse().unwrap();
    destination.concurrency = 8;
    destination.rate = Some(rate);
    pile_up(&office).await;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut serving = JoinSet::new();
    serving.spawn(serve(listener, Arc::clone(&seen)));
    let running = office.start();
    let drained = async {
        while accepted(&office).await < u64::try_from(ALL).unwrap() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, drained).await.unwrap();
    running.end().await;
    serving.shutdown().await;
    let seen = seen.lock().unwrap();
    assert!(seen.most <= 8, "{} at once", seen.most);
    assert_eq!(seen.counted.len(), ALL, "each once");
    // The network sees them some milliseconds earlier or later than they were sent.
    for span in seen.counted.windows(501) {
        let took = span[500].1 - span[0].1;
        assert!(took > Duration::from_millis(900), "501 in {took:?}");
    }
    // Those that were refused come again in their own time; the others in order, but for what is under way together.
    let others = seen.counted.iter().map(|(order, _)| *order);
    let others: Vec<usize> = others
        .filter(|order| !seen.refused.contains(order))
        .collect();
    let mut ideal = others.clone();
    ideal.sort_unstable();
    for (place, order) in others.iter().enumerate() {
        let fits = ideal.binary_search(order).unwrap().abs_diff(place) <= 100;
        assert!(fits, "order {order} came at {place}");
    }
}
