//! Replicas in each other's way on PostgreSQL: no circle of locks where it can be helped, and whatever is refused
//! because of others is run again. Without a server each test says that it did not run.

use refgate::ledger::{Action, Entered, Ledger, Role, Steer};
use refgate::postback::State;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::sessions::{marks, session, visit};
use crate::support::front::eventually;
use crate::support::postgres::{self, ask, run, settings};
use crate::support::sale::{LEASE, NOW, aspire, candidate, settlement, steer};

/// A database of its own with a ledger in it, and so many replicas on it.
fn replicas<const COUNT: usize>() -> Option<(TempDir, String, [Ledger; COUNT])> {
    postgres::server()?;
    let dir = tempfile::tempdir().unwrap();
    let url = postgres::of(dir.path()).unwrap();
    let open = || Ledger::open(&settings(&url), Role::Run, NOW).unwrap();
    let ledgers = [(); COUNT].map(|()| open());
    Some((dir, url, ledgers))
}

/// The circles of locks that the server had to break in this database.
fn deadlocks(url: &str) -> Vec<String> {
    let sql = "SELECT deadlocks::text FROM pg_stat_database WHERE datname = current_database()";
    ask(url, sql)
}

#[tokio::test]
async fn replicas_that_remember_the_same_sessions_never_wait_in_a_circle() {
    let Some((_dir, url, ledgers)) = replicas::<4>() else {
        return;
    };
    let mut replicas = JoinSet::new();
    for (replica, ledger) in (0_u8..).zip(ledgers) {
        replicas.spawn(async move {
            // Two go by keys in another order, as while keys are changed.
            let keys = [["11", "22"], ["22", "11"]][usize::from(replica % 2)];
            for round in 0..60_u8 {
                // Three at once, each with sessions that others have too, in an order of its own.
                let mut remembering = JoinSet::new();
                for part in 0..3_u8 {
                    let heard = (0..4_u8).map(|at| (round + part * 5 + at * (replica + 1)) % 12);
                    let heard: Vec<_> = heard
                        .map(|number| session(marks(&keys, number), visit(7, NOW), NOW))
                        .collect();
                    let ledger = ledger.clone();
                    remembering.spawn(async move { ledger.remember(heard).await.unwrap().len() });
                }
                assert_eq!(remembering.join_all().await, [4; 3]);
            }
        });
    }
    replicas.join_all().await;
    // The server counts when a connection ends.
    let gone = eventually(|| {
        let sql = "SELECT count(*)::text FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        (ask(&url, sql) == ["0"]).then_some(())
    });
    assert!(gone.is_some());
    assert_eq!(deadlocks(&url), ["0"]);
}

#[tokio::test]
async fn a_circle_with_somebody_else_is_broken_and_the_work_done() {
    let Some((_dir, url, [ledger])) = replicas::<1>() else {
        return;
    };
    let pair = || [1, 2].map(|number| session(marks(&["11"], number), visit(7, NOW), NOW));
    ledger.remember(pair().into()).await.unwrap();
    let mut texts = [1, 2].map(|number| marks(&["11"], number)[0].to_string());
    texts.sort();
    let other = postgres::connect(&url).await;
    // So it is the ledger that the server picks.
    let begin = "SET deadlock_timeout = '60s'; BEGIN";
    other.batch_execute(begin).await.unwrap();
    let lock = async |mark: &String| {
        let sql = "SELECT 1 FROM refgate.sessions WHERE mark = $1 FOR UPDATE";
        other.query(sql, &[mark]).await.unwrap();
    };
    lock(&texts[1]).await;
    let remembering = {
        let (ledger, pair) = (ledger.clone(), pair());
        async move { ledger.remember(pair.into()).await }
    };
    let mut waiting = JoinSet::new();
    waiting.spawn(remembering);
    tokio::task::yield_now().await;
    let waits = eventually(|| {
        let sql = "SELECT count(*)::text FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        (ask(&url, sql) == ["1"]).then_some(())
    });
    assert!(waits.is_some());
    lock(&texts[0]).await;
    other.batch_execute("COMMIT").await.unwrap();
    let written = waiting.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(written.len(), 2);
}

/// From now on a change of these tables can fail as a serialisation failure does.
fn serialisation_failures(url: &str) {
    // A sequence goes on where the transaction is undone.
    let function = "CREATE SEQUENCE public.tries;
        CREATE FUNCTION public.fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF nextval('public.tries') <= 2 THEN
            RAISE EXCEPTION 'in the way' USING ERRCODE = '40001';
          END IF;
          RETURN NULL;
        END $$;";
    let tables = ["orders", "postbacks", "attempts", "sessions", "meta"];
    let triggers = tables.map(|table| {
        format!(
            "CREATE TRIGGER fails BEFORE INSERT OR UPDATE ON refgate.{table}
             FOR EACH STATEMENT EXECUTE FUNCTION public.fails();"
        )
    });
    run(url, &format!("{function}{}", triggers.concat()));
}

/// Does this while it fails twice.
async fn failing<T, E: std::fmt::Debug>(url: &str, deed: impl Future<Output = Result<T, E>>) -> T {
    run(url, "ALTER SEQUENCE public.tries RESTART");
    let done = deed.await.unwrap();
    let tries = ask(url, "SELECT last_value::text FROM public.tries").remove(0);
    assert!(tries.parse::<u32>().unwrap() > 2, "it never failed");
    done
}

#[tokio::test]
async fn every_verb_is_run_again_after_a_serialisation_failure() {
    let Some((_dir, url, [ledger])) = replicas::<1>() else {
        return;
    };
    serialisation_failures(&url);
    let sale = candidate("1001", Some("25.00"));
    let entered = failing(&url, ledger.enter(sale.clone())).await;
    assert!(matches!(entered, Entered::New(_)), "{entered:?}");
    let entered = failing(&url, ledger.enter(sale)).await;
    assert!(matches!(entered, Entered::Again(_)), "{entered:?}");
    let claimed = failing(&url, ledger.claim(&aspire(), NOW, LEASE, 9)).await;
    let [postback] = claimed.try_into().unwrap();
    let attempt = ledger.begin(postback.id, "http://x/".to_owned(), NOW);
    let attempt = failing(&url, attempt).await;
    let end = settlement(&postback, attempt, State::Accepted);
    failing(&url, ledger.settle(end)).await;
    let resend = Steer {
        from: vec![State::Accepted],
        ..steer(Action::Resend, &[postback.id])
    };
    let resent = failing(&url, ledger.steer(resend, NOW)).await.remove(0);
    assert_eq!(resent.done.unwrap().postback.state, State::Due);
    let known = session(marks(&["11"], 1), visit(7, NOW), NOW);
    failing(&url, ledger.remember(vec![known])).await;
    failing(&url, ledger.probe(NOW)).await;

    let stories = ledger.story("1001".to_owned()).await.unwrap();
    assert_eq!((stories.len(), stories[0].seen), (1, 2));
    assert_eq!(stories[0].postbacks[0].attempts.len(), 1, "once each");
}

/// Orders that all replicas see.
const ORDERS: u32 = 150;

/// The three ids of an order, beginning with one of them.
fn rotated(number: u32, first: u32) -> [String; 3] {
    let mut ids = ["n", "t", "r"].map(|kind| format!("{kind}{number}"));
    ids.rotate_left(usize::try_from(first % 3).unwrap());
    ids
}

#[tokio::test]
async fn groups_that_overlap_enter_each_order_once() {
    let Some((_dir, url, ledgers)) = replicas::<4>() else {
        return;
    };
    let mut entering = JoinSet::new();
    for (replica, ledger) in (0_u32..).zip(&ledgers) {
        // Each replica has them in an order of its own, every one twice and by another id, and one that nobody else has.
        for (place, copy) in (0..ORDERS).flat_map(|place| [(place, 0), (place, 1)]) {
            let number = (place * [1, 7, 11, 149][usize::try_from(replica).unwrap()]) % ORDERS;
            let [id, aliases @ ..] = rotated(number, place + replica + copy);
            let mut candidate = candidate(&id, Some("25.00"));
            candidate.order.aliases = aliases.map(|id| id.parse().unwrap()).into();
            let ledger = ledger.clone();
            entering.spawn(async move { ledger.enter(candidate).await.unwrap() });
        }
        let (ledger, own) = (ledger.clone(), candidate(&format!("own{replica}"), None));
        entering.spawn(async move { ledger.enter(own).await.unwrap() });
    }
    let entered = entering.join_all().await;
    let new = entered.iter().filter(|one| matches!(one, Entered::New(_)));
    assert_eq!(new.count(), usize::try_from(ORDERS).unwrap() + 4);
    for number in 0..ORDERS {
        let [story] =
            <[_; 1]>::try_from(ledgers[0].story(format!("t{number}")).await.unwrap()).unwrap();
        assert_eq!((story.order.aliases.len(), story.seen), (2, 8), "{number}");
        assert_eq!(
            (story.postbacks.len(), story.history.len()),
            (1, 2),
            "{number}"
        );
    }
    assert_eq!(ledgers[0].check().await.unwrap(), Vec::<String>::new());
    let sql = "SELECT count(*)::text FROM refgate.aliases";
    assert_eq!(ask(&url, sql), [(ORDERS * 3 + 4).to_string()]);
}
