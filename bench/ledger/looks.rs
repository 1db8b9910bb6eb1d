//! Look-ups in a small ledger and in a large one, in turns. Both are filled by SQL, straight into the tables.

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use refgate::clock::Time;
use refgate::ledger::{Ledger, OrderFilter, PostbackFilter, Role, Settings};
use refgate::postback::State;
use rusqlite::params;

use super::orders::candidate;
use super::raw::Texts;
use super::{Asked, raw};

/// Orders of the small ledger.
const SMALL: u64 = 10_000;

/// Orders made by one statement.
const BATCH: u64 = 50_000;

/// Looks of each kind in each ledger.
const LOOKS: usize = 600;

/// Those that have the operator's page behind them, and read more.
const FEW: usize = 60;

pub(crate) fn run(asked: &Asked) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sizes = [SMALL, asked.orders];
    let paths = sizes.map(|size| Path::new(&asked.place).join(format!("{size}.db")));
    for (path, size) in paths.iter().zip(sizes) {
        let begun = Instant::now();
        if !path.exists() {
            fill(path, size);
        }
        let bytes = path.metadata().unwrap().len();
        println!(
            "{size} orders: {} MiB, filled in {:.0?}",
            bytes >> 20,
            begun.elapsed()
        );
    }
    let ledgers =
        paths.map(|path| Ledger::open(&Settings::Sqlite(path), Role::Run, Time::now()).unwrap());
    println!(
        "| look | p50 at {} | p50 at {} | ratio | p99 at {} | p99 at {} |",
        sizes[0], sizes[1], sizes[0], sizes[1]
    );
    println!("|---|--:|--:|--:|--:|--:|");
    runtime.block_on(looks([&ledgers[0], &ledgers[1]], sizes));
}

async fn looks(ledgers: [&Ledger; 2], sizes: [u64; 2]) {
    let number = |which: usize, turn: usize| scattered(turn, sizes[which]);
    let aspire = || "aspire".parse().unwrap();
    look("a known order is seen again", LOOKS, async |which, turn| {
        ledgers[which]
            .enter(candidate(&number(which, turn)))
            .await
            .unwrap();
    })
    .await;
    look("a new order", LOOKS, async |which, turn| {
        let id = format!("new-{}-{turn}", std::process::id());
        ledgers[which].enter(candidate(&id)).await.unwrap();
    })
    .await;
    look("an order's story", LOOKS, async |which, turn| {
        let story = ledgers[which].story(number(which, turn)).await.unwrap();
        assert_eq!(story.len(), 1);
    })
    .await;
    look("an order that is not there", LOOKS, async |which, turn| {
        let story = ledgers[which].story(format!("none-{turn}")).await.unwrap();
        assert_eq!(story.len(), 0);
    })
    .await;
    look("what is due, and when", LOOKS, async |which, _| {
        assert_eq!(ledgers[which].waiting().await.unwrap().len(), 1);
    })
    .await;
    look("one that is due is claimed", LOOKS, async |which, _| {
        let lease = Duration::from_secs(60);
        let claimed = ledgers[which].claim(&aspire(), Time::now(), lease, 1).await;
        assert_eq!(claimed.unwrap().len(), 1);
    })
    .await;
    look("the newest 50 orders", FEW, async |which, _| {
        let orders = ledgers[which].orders(OrderFilter::default(), 50).await;
        assert_eq!(orders.unwrap().len(), 50);
    })
    .await;
    look("the newest 50 accepted postbacks", FEW, async |which, _| {
        let filter = PostbackFilter {
            states: vec![State::Accepted],
            ..PostbackFilter::default()
        };
        assert_eq!(
            ledgers[which].postbacks(filter, 50).await.unwrap().len(),
            50
        );
    })
    .await;
    look("attempts without an end", FEW, async |which, _| {
        ledgers[which].interrupted(Time::now()).await.unwrap();
    })
    .await;
    look("postbacks by state, for /metrics", FEW, async |which, _| {
        ledgers[which].states().await.unwrap();
    })
    .await;
}

/// Looks in turns, and prints how long each took.
async fn look<F>(what: &str, count: usize, mut look: impl FnMut(usize, usize) -> F)
where
    F: Future<Output = ()>,
{
    let mut took = [Vec::new(), Vec::new()];
    for turn in 0..count {
        for (which, took) in took.iter_mut().enumerate() {
            let begun = Instant::now();
            look(which, turn).await;
            took.push(begun.elapsed());
        }
    }
    for took in &mut took {
        took.sort_unstable();
    }
    let at = |which: usize, part: usize| took[which][count * part / 100];
    let ratio = at(1, 50).as_secs_f64() / at(0, 50).as_secs_f64();
    println!(
        "| {what} | {:.1?} | {:.1?} | {ratio:.2} | {:.1?} | {:.1?} |",
        at(0, 50),
        at(1, 50),
        at(0, 99),
        at(1, 99)
    );
}

/// A number somewhere among them all.
fn scattered(turn: usize, orders: u64) -> String {
    let turn = u64::try_from(turn).unwrap() + 1;
    let place = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) % orders;
    format!("{:09}", place + 1)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap()
}

/// Orders that have gone their way to accepted, each with what it leaves; the last thousandth is still due.
fn fill(path: &Path, orders: u64) {
    let mut db = raw::open(path);
    db.execute_batch(
        "PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -262144;",
    )
    .unwrap();
    let texts = Texts::new();
    let at = texts.at - 100_000_000_000;
    let due = signed(orders - (orders / 1000).max(1000));
    for begin in (0..orders).step_by(usize::try_from(BATCH).unwrap()) {
        let end = orders.min(begin + BATCH);
        let step = db.transaction().unwrap();
        step.execute_batch(
            "CREATE TEMP TABLE IF NOT EXISTS n (n INTEGER PRIMARY KEY); DELETE FROM n;",
        )
        .unwrap();
        step.execute(
            "WITH RECURSIVE c (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM c WHERE n < ?2) INSERT INTO n SELECT n FROM c",
            params![signed(begin + 1), signed(end)],
        )
        .unwrap();
        let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| step.execute(sql, values).unwrap();
        run(
            "INSERT INTO orders (id, namespace, number, at, store, rule, amount, currency, working, standing, why,
               network, click, visit, seen)
             SELECT n, 'us', printf('%09d', n), ?1 + n, 'us', 'thank-you', '1249.95', 'USD', 'total 1249.95 = 1249.95',
               'credited', 'last click, of aspire', 'aspire', ?2, ?3, 1 FROM n",
            params![at, texts.click, texts.visit],
        );
        run(
            "INSERT INTO aliases SELECT 'us', printf('%09d', n), n FROM n",
            &[],
        );
        run(
            "INSERT INTO sightings (order_id, at, rule, body, notes)
             SELECT n, ?1 + n, 'thank-you', replace(?2, '000000000', printf('%09d', n)), '[]' FROM n",
            params![at, texts.body("000000000")],
        );
        run(
            "INSERT INTO postbacks (id, order_id, destination, event, sequence, captured, amount, currency, state, at,
               due, attempts)
             SELECT n, n, 'aspire', 'sale', 0, ?2, '1249.95', 'USD', iif(n > ?3, 'due', 'accepted'), ?1 + n,
               iif(n > ?3, ?1 + n, NULL), n <= ?3 FROM n",
            params![at, texts.captured, due],
        );
        sent(&step, at, due);
        step.commit().unwrap();
    }
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
}

/// What sending leaves of each: an attempt, and the changes of its postback.
fn sent(step: &rusqlite::Transaction<'_>, at: i64, due: i64) {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| step.execute(sql, values).unwrap();
    run(
            "INSERT INTO attempts (postback_id, begun, url, ended, status, words, verdict)
             SELECT n, ?1 + n, 'https://network.example/aff_lsr?offer_id=12&amount=1249.95&adv_sub=' || n || '&secret=***',
               ?1 + n + 200, 200, 'success=true;', 'accepted' FROM n WHERE n <= ?2",
            params![at, due],
        );
    run(
            "INSERT INTO transitions (order_id, postback_id, at, was, became, cause)
             SELECT n, iif(step.was IS NULL AND step.became = 'credited', NULL, n), ?1 + n, step.was, step.became, step.cause
             FROM n CROSS JOIN (SELECT 1 AS turn, NULL AS was, 'credited' AS became, 'last click, of aspire' AS cause
               UNION ALL SELECT 2, NULL, 'due', NULL UNION ALL SELECT 3, 'due', 'sending', NULL
               UNION ALL SELECT 4, 'sending', 'accepted', 'success=true;') AS step
             WHERE step.turn <= 2 OR n <= ?2 ORDER BY n, step.turn",
            params![at, due],
        );
}
