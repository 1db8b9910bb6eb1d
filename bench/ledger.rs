//! How many orders a ledger takes: CALLERS at once enter new orders for SECONDS, each one after another.
//!
//! `cargo run --release --example ledger -- PATH|URL [CALLERS [SECONDS]]`: a file is SQLite's, a URL PostgreSQL's.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops where what it needs is not there, and prints what it found"
)]

use std::time::{Duration, Instant};

use refgate::click::Click;
use refgate::clock::Time;
use refgate::ledger::{Ledger, Role, Settings};
use refgate::money::Money;
use refgate::order::{
    Candidate, FoundBy, NewPostback, Order, OrderKey, Sighting, Standing, Timing,
};
use refgate::visit::{Visit, VisitId};
use tokio::task::JoinSet;

/// An order that is owed to a click.
fn candidate(id: &str) -> Candidate {
    let at = Time::now();
    let click = Click {
        network: "aspire".parse().unwrap(),
        values: [("affiliate_id".to_owned(), "123456".to_owned())].into(),
        at,
    };
    let amount = Some(Money {
        amount: "1249.95".parse().unwrap(),
        currency: "USD".parse().unwrap(),
    });
    let key = OrderKey {
        namespace: "bench".parse().unwrap(),
        id: id.parse().unwrap(),
    };
    let working = Some("total 1249.95 = 1249.95".to_owned());
    let postback = NewPostback {
        destination: click.network.clone(),
        event: "sale".to_owned(),
        sequence: 0,
        amount,
        held: None,
        timing: Timing::default(),
    };
    let order = Order {
        key: key.clone(),
        aliases: Vec::new(),
        at,
        store: "us".parse().unwrap(),
        rule: "thank-you".parse().unwrap(),
        amount,
        working: working.clone(),
        standing: Standing::Credited,
        why: "last click, of aspire".to_owned(),
        click: Some(click.clone()),
        visit: Some(VisitId(7)),
    };
    let sighting = Sighting {
        at,
        store: order.store.clone(),
        rule: order.rule.clone(),
        request: format!("GET /checkout/thank-you/{id}"),
        key,
        aliases: Vec::new(),
        fields: Vec::new(),
        amount,
        working,
        faults: Vec::new(),
        visit: Some(Visit::new(VisitId(7), click)),
        found_by: FoundBy::default(),
    };
    Candidate {
        sighting,
        order,
        postbacks: vec![postback.clone()],
        quotes: vec![postback],
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next().unwrap();
    let callers: u64 = arguments.next().map_or(64, |text| text.parse().unwrap());
    let seconds: u64 = arguments.next().map_or(10, |text| text.parse().unwrap());
    let settings = if place.starts_with("postgres") {
        Settings::Postgres(place.parse().unwrap())
    } else {
        Settings::Sqlite(place.into())
    };
    let ledger = Ledger::open(&settings, Role::Run, Time::now()).unwrap();
    let (begun, commits) = (Instant::now(), ledger.commits());
    let end = begun + Duration::from_secs(seconds);
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let ledger = ledger.clone();
        tasks.spawn(async move {
            let mut longest = Duration::ZERO;
            let mut count: u64 = 0;
            while Instant::now() < end {
                let id = format!("{}-{caller}-{count}", std::process::id());
                let asked = Instant::now();
                ledger.enter(candidate(&id)).await.unwrap();
                longest = longest.max(asked.elapsed());
                count += 1;
            }
            (count, longest)
        });
    }
    let ends = tasks.join_all().await;
    let orders: u64 = ends.iter().map(|(count, _)| count).sum();
    let longest = ends.iter().map(|(_, longest)| longest).max().unwrap();
    let commits = ledger.commits() - commits;
    println!(
        "{} orders/s by {callers} callers; {} orders a commit; the longest wait {longest:?}",
        orders / seconds,
        orders / commits.max(1)
    );
}
