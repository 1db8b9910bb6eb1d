//! New orders by many callers at once, in turns with the same rows by the database alone, and with bare syncs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use refgate::clock::Time;
use refgate::ledger::{Ledger, Role, Settings};
use tokio::task::JoinSet;

use super::orders::candidate;
use super::spent::{Mark, Spent};
use super::{Asked, raw};

/// What one round of entering found.
struct Round {
    spent: Spent,
    commits: u64,
    /// How long each caller waited, sorted.
    waits: Vec<Duration>,
}

pub(crate) fn run(asked: &Asked) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    if asked.place.starts_with("postgres") {
        let settings = Settings::Postgres(asked.place.parse().unwrap());
        let ledger = Ledger::open(&settings, Role::Run, Time::now()).unwrap();
        for turn in 1..=asked.rounds {
            tell(
                "refgate",
                asked,
                &runtime.block_on(round(&ledger, asked, turn)),
            );
        }
        return;
    }
    let directory = Path::new(&asked.place);
    let settings = Settings::Sqlite(directory.join("ledger.db"));
    let ledger = Ledger::open(&settings, Role::Run, Time::now()).unwrap();
    let alone = raw::open(&directory.join("raw.db"));
    let mut ratios = Vec::new();
    for turn in 1..=asked.rounds {
        let ours = runtime.block_on(round(&ledger, asked, turn));
        let group = asked.orders.div_ceil(ours.commits.max(1));
        let theirs = raw::enter(
            &alone,
            (Asked::run(turn), asked.numbers),
            asked.orders,
            group,
        );
        let bytes = usize::try_from(ours.spent.written / ours.commits.max(1)).unwrap();
        let floor = raw::floor(&directory.join("floor"), ours.commits, bytes);
        tell("refgate", asked, &ours);
        line("sqlite", asked, &theirs, "");
        line("syncs", asked, &floor, &format!("{bytes} bytes each"));
        let ratio = |other: &Spent| other.time.as_secs_f64() / ours.spent.time.as_secs_f64();
        ratios.push((ratio(&theirs), ratio(&floor)));
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        (
            values[values.len() / 2],
            values[0],
            values[values.len() - 1],
        )
    };
    let (to_raw, low, high) = median(ratios.iter().map(|ratio| ratio.0).collect());
    println!("orders/s to SQLite alone, same rows and groups: {to_raw:.2} ({low:.2} to {high:.2})");
    let (to_floor, low, high) = median(ratios.iter().map(|ratio| ratio.1).collect());
    println!("orders/s to the bare syncs of its commits: {to_floor:.2} ({low:.2} to {high:.2})");
}

async fn round(ledger: &Ledger, asked: &Asked, turn: u64) -> Round {
    let (taken, run) = (Arc::new(AtomicU64::new(0)), Asked::run(turn));
    let (commits, mark) = (ledger.commits(), Mark::now());
    let mut tasks = JoinSet::new();
    for _ in 0..asked.callers {
        let (ledger, taken) = (ledger.clone(), Arc::clone(&taken));
        let (numbers, orders) = (asked.numbers, asked.orders);
        tasks.spawn(async move {
            let mut waits = Vec::new();
            loop {
                let place = taken.fetch_add(1, Ordering::Relaxed);
                if place >= orders {
                    return waits;
                }
                let candidate = candidate(&numbers.number(run, place));
                let begun = Instant::now();
                ledger.enter(candidate).await.unwrap();
                waits.push(begun.elapsed());
            }
        });
    }
    let mut waits = tasks.join_all().await.concat();
    waits.sort_unstable();
    Round {
        spent: mark.spent(),
        commits: ledger.commits() - commits,
        waits,
    }
}

fn tell(who: &str, asked: &Asked, round: &Round) {
    let at =
        |part: usize| round.waits[(round.waits.len() * part / 1000).min(round.waits.len() - 1)];
    let words = format!(
        "{} a commit; waits p50 {:.1?} p99 {:.1?} most {:.1?}",
        asked.orders / round.commits.max(1),
        at(500),
        at(990),
        at(1000)
    );
    line(who, asked, &round.spent, &words);
}

fn line(who: &str, asked: &Asked, spent: &Spent, words: &str) {
    let each = |time: Duration| time.as_secs_f64() * 1e6 / asked.orders as f64;
    println!(
        "{who:8} {:6.0} orders/s; CPU us/order {:5.1}, of it the ledger's thread {:5.1}; {:6} bytes and {:4.1} writes/order; {words}",
        asked.orders as f64 / spent.time.as_secs_f64(),
        each(spent.all),
        each(spent.ledger),
        spent.written / asked.orders,
        spent.writes as f64 / asked.orders as f64,
    );
}
