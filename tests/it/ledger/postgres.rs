//! What only PostgreSQL can show: replicas on one database, a schema made once, locks, another ledger in its place.
//! Without a server each test says that it did not run.

use std::sync::Barrier;

use refgate::ledger::postgres::SCHEMA;
use refgate::ledger::{Entered, Error, Known, Ledger, Role, Written};
use refgate::order::Doubt;
use refgate::postback::State;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::sessions::{marks, session, visit};
use crate::support::front::eventually;
use crate::support::postgres::{self, ask, run, settings};
use crate::support::sale::{LEASE, NOW, aspire, candidate, later, settlement};

/// A database of its own, with its URL; none without a server.
fn database() -> Option<(TempDir, String)> {
    postgres::server()?;
    let dir = tempfile::tempdir().unwrap();
    let url = postgres::of(dir.path()).unwrap();
    Some((dir, url))
}

fn open(url: &str, role: Role) -> Result<Ledger, Error> {
    Ledger::open(&settings(url), role, NOW)
}

fn meta(url: &str, key: &str) -> Vec<String> {
    ask(
        url,
        &format!("SELECT value FROM refgate.meta WHERE key = '{key}'"),
    )
}

#[test]
fn replicas_that_start_at_once_make_the_tables_once() {
    let Some((_dir, url)) = database() else {
        return;
    };
    let start = Barrier::new(6);
    let ledgers: Vec<Ledger> = std::thread::scope(|scope| {
        let openers: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    open(&url, Role::Run).unwrap()
                })
            })
            .collect();
        openers.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(meta(&url, "runs"), ["6"]);
    assert_eq!(meta(&url, "schema"), [SCHEMA.to_string()]);
    assert_eq!(meta(&url, "ledger_id").len(), 1);
    let tool = open(&url, Role::Tool).unwrap();
    assert_eq!(meta(&url, "runs"), ["6"], "a tool is no run");
    drop((ledgers, tool));
}

#[test]
fn what_is_no_ledger_is_refused_with_words() {
    let Some((_dir, url)) = database() else {
        return;
    };
    let error = open(&url, Role::Tool).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error:?}");
    drop(open(&url, Role::Run).unwrap());
    run(
        &url,
        "UPDATE refgate.meta SET value = '99' WHERE key = 'schema'",
    );
    for role in [Role::Run, Role::Tool] {
        let error = open(&url, role).unwrap_err();
        assert!(
            matches!(
                error,
                Error::NewerSchema {
                    found: 99,
                    known: SCHEMA
                }
            ),
            "{error:?}"
        );
    }
    run(
        &url,
        "UPDATE refgate.meta SET value = 'shop' WHERE key = 'application'",
    );
    let error = open(&url, Role::Run).unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error:?}");
    let (server, _name) = url.rsplit_once('/').unwrap();
    let nowhere = format!("{server}/there_is_none");
    let error = open(&nowhere, Role::Run).unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
}

#[tokio::test]
async fn replicas_that_see_the_same_orders_by_any_id_enter_each_once() {
    let Some((_dir, url)) = database() else {
        return;
    };
    let mut entering = JoinSet::new();
    for replica in 0..3 {
        let ledger = open(&url, Role::Run).unwrap();
        for number in 0..60 {
            let ledger = ledger.clone();
            // One page calls the order by its number, another by its token: so they lock crosswise.
            let (id, alias) = match (number + replica) % 2 {
                0 => (format!("n{number}"), format!("t{number}")),
                _ => (format!("t{number}"), format!("n{number}")),
            };
            entering.spawn(async move {
                let mut candidate = candidate(&id, Some("25.00"));
                candidate.order.aliases = vec![alias.parse().unwrap()];
                let entered = ledger.enter(candidate).await.unwrap();
                usize::from(matches!(entered, Entered::New(_)))
            });
        }
    }
    let new: usize = entering.join_all().await.into_iter().sum();
    assert_eq!(new, 60);
    let ledger = open(&url, Role::Tool).unwrap();
    assert_eq!(ledger.counts().await.unwrap().credited, 60);
    for number in 0..60 {
        let stories = ledger.story(format!("n{number}")).await.unwrap();
        assert_eq!((stories.len(), stories[0].seen), (1, 3), "n{number}");
        assert_eq!(stories[0].postbacks.len(), 1);
    }
}

#[tokio::test]
async fn of_several_replicas_one_gets_what_is_due() {
    let Some((_dir, url)) = database() else {
        return;
    };
    let replicas: Vec<_> = (0..3).map(|_| open(&url, Role::Run).unwrap()).collect();
    for number in 0..60 {
        let entered = replicas[0].enter(candidate(&number.to_string(), Some("25.00")));
        entered.await.unwrap();
    }
    let network = aspire();
    let (a, b, c) = tokio::join!(
        replicas[0].claim(&network, NOW, LEASE, 40),
        replicas[1].claim(&network, NOW, LEASE, 40),
        replicas[2].claim(&network, NOW, LEASE, 40),
    );
    let mut ids: Vec<_> = [a, b, c]
        .into_iter()
        .flat_map(Result::unwrap)
        .map(|postback| postback.id)
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "claimed twice");
    let rest = replicas[1]
        .claim(&aspire(), NOW, LEASE, 100)
        .await
        .unwrap()
        .len();
    assert_eq!(count + rest, 60);
    // Who had them is gone: another one gets them when the lease is over, and not before.
    let before = NOW.plus(
        LEASE
            .checked_sub(std::time::Duration::from_secs(5))
            .unwrap(),
    );
    assert_eq!(
        replicas[2]
            .claim(&aspire(), before, LEASE, 100)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        replicas[2]
            .claim(&aspire(), later(61), LEASE, 100)
            .await
            .unwrap()
            .len(),
        60
    );
}

#[tokio::test]
async fn entries_that_come_together_share_a_commit() {
    let Some((_dir, url)) = database() else {
        return;
    };
    let ledger = open(&url, Role::Run).unwrap();
    let before = ledger.commits();
    // While the table is locked everything queues up; then one commit takes what waits.
    let other = postgres::connect(&url).await;
    let lock = "BEGIN; LOCK TABLE refgate.orders IN ACCESS EXCLUSIVE MODE";
    other.batch_execute(lock).await.unwrap();
    let mut entries = JoinSet::new();
    for number in 0..100 {
        let ledger = ledger.clone();
        entries.spawn(async move {
            ledger
                .enter(candidate(&number.to_string(), Some("25.00")))
                .await
        });
    }
    tokio::task::yield_now().await;
    other.batch_execute("ROLLBACK").await.unwrap();
    while let Some(entered) = entries.join_next().await {
        entered.unwrap().unwrap();
    }
    assert_eq!(ledger.counts().await.unwrap().credited, 100);
    let commits = ledger.commits() - before;
    assert!(
        (1..50).contains(&commits),
        "{commits} commits for 100 orders"
    );
}

#[tokio::test]
async fn a_bad_entry_fails_alone() {
    let Some((_dir, url)) = database() else {
        return;
    };
    let ledger = open(&url, Role::Run).unwrap();
    let mut entries = JoinSet::new();
    for number in 0..20 {
        let ledger = ledger.clone();
        let mut candidate = candidate(&number.to_string(), Some("25.00"));
        if number == 7 {
            // One postback twice: no ledger takes that.
            candidate.postbacks.push(candidate.postbacks[0].clone());
        }
        entries.spawn(async move { (number, ledger.enter(candidate).await) });
    }
    while let Some(entered) = entries.join_next().await {
        let (number, entered) = entered.unwrap();
        assert_eq!(entered.is_err(), number == 7, "{number}: {entered:?}");
    }
    assert_eq!(ledger.counts().await.unwrap().credited, 19);
    assert_eq!(ledger.story("7".to_owned()).await.unwrap(), []);
}

#[tokio::test]
async fn a_text_with_a_nul_is_kept_without_it() {
    let Some((_dir, url)) = database() else {
        return;
    };
    let ledger = open(&url, Role::Run).unwrap();
    let mut odd = candidate("1001", None);
    odd.order.why = "a\0b".to_owned();
    odd.order.working = Some("\0".to_owned());
    odd.sighting.fields[0].text = "x\0y".to_owned();
    odd.postbacks[0].held = Some((Doubt::Unreadable, "no\0thing".to_owned()));
    ledger.enter(odd.clone()).await.unwrap();
    ledger.enter(odd).await.unwrap();
    let story = ledger.story("1001".to_owned()).await.unwrap().remove(0);
    assert_eq!(story.order.why, "a\u{fffd}b");
    assert_eq!(story.sightings[1].sighting.fields[0].text, "x\0y");
    ledger
        .enter(candidate("1002", Some("25.00")))
        .await
        .unwrap();
    let postback = ledger
        .claim(&aspire(), NOW, LEASE, 1)
        .await
        .unwrap()
        .remove(0);
    let attempt = ledger.begin(postback.id, "http://x/\0".to_owned(), NOW);
    let mut end = settlement(&postback, attempt.await.unwrap(), State::Accepted);
    end.outcome.words = "success\0=true".to_owned();
    end.cause = Some("\0".to_owned());
    ledger.settle(end).await.unwrap();
}

#[tokio::test]
async fn of_replicas_that_hear_of_one_session_at_once_one_hears_that_it_is_shared() {
    let Some((_dir, url)) = database() else {
        return;
    };
    let ledgers = [(); 3].map(|()| open(&url, Role::Run).unwrap());
    // New ones, and ones whose time is over, which others sweep away at this moment.
    for (round, now) in [NOW, later(50), later(200)].into_iter().enumerate() {
        let mut remembering = JoinSet::new();
        for (replica, ledger) in (0_u8..).zip(&ledgers) {
            for number in 0..40 {
                let ledger = ledger.clone();
                // In pairs that cross, so that they lock crosswise.
                let mut pair = [number, (number + 20 + replica) % 40].map(|number| {
                    let marks = marks(&["22", "11"], number);
                    session(marks, visit(u128::from(replica), NOW), now)
                });
                if replica == 1 {
                    pair.reverse();
                }
                remembering.spawn(async move { ledger.remember(pair.into()).await.unwrap() });
            }
            let ledger = ledger.clone();
            remembering.spawn(async move {
                ledger.forget(now).await.unwrap();
                Vec::new()
            });
        }
        let written = remembering.join_all().await.concat();
        let shared = written.iter().filter(|one| **one == Written::Shared);
        let expected = if round == 1 { 0 } else { 40 };
        assert_eq!(shared.count(), expected, "each session's is told once");
        for number in 0..40 {
            for ledger in &ledgers {
                let known = ledger.session(marks(&["11"], number), now).await.unwrap();
                assert_eq!(known, Known::Shared, "{number}");
            }
        }
    }
    assert_eq!(ledgers[0].forget(later(300)).await.unwrap(), 80);
    assert_eq!(
        ask(&url, "SELECT count(*)::text FROM refgate.sessions"),
        ["0"]
    );
}

#[tokio::test]
async fn another_ledger_in_its_place_takes_no_orders() {
    let Some((_dir, url)) = database() else {
        return;
    };
    let ledger = open(&url, Role::Run).unwrap();
    ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    let away = ledger.away();
    assert!(away.borrow().is_none());
    // As a restored server that never knew of it: an empty one is not filled in silence.
    run(&url, "DROP SCHEMA refgate CASCADE");
    let end = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'refgate'";
    assert!(!ask(&url, end).is_empty());
    let told = tokio::task::spawn_blocking(move || {
        eventually(|| {
            let away = away.borrow();
            matches!(&*away, Some(Error::Another { .. })).then_some(())
        })
    });
    assert!(told.await.unwrap().is_some());
    let refused = ledger.enter(candidate("1001", Some("25.00"))).await;
    assert!(matches!(refused, Err(Error::Another { .. })), "{refused:?}");
    let tables = "SELECT count(*)::text FROM pg_tables WHERE schemaname = 'refgate'";
    assert_eq!(ask(&url, tables), ["0"]);
}

#[tokio::test]
async fn every_commit_is_synced() {
    let Some((_dir, url)) = database() else {
        return;
    };
    // As an operator may have it for other programs.
    let name = url.rsplit_once('/').unwrap().1;
    run(
        &url,
        &format!("ALTER DATABASE {name} SET synchronous_commit = off"),
    );
    let ledger = open(&url, Role::Run).unwrap();
    let durability = ledger.durability().await.unwrap();
    assert_eq!((durability.synchronous, durability.fullfsync), (2, true));
}

#[tokio::test]
async fn the_server_must_prove_who_it_is() {
    let Some(url) = postgres::variable("REFGATE_TEST_POSTGRES_TLS") else {
        postgres::server();
        return;
    };
    let ca = postgres::variable("REFGATE_TEST_POSTGRES_CA").unwrap();
    let loaded = |url: &str, ca: &str| {
        let text = crate::support::config::shipped_with(&format!(
            "ledger: {{ url: \"{url}\", ca: \"{ca}\" }}"
        ));
        let settings = crate::support::config::Folder::with(&text)
            .loaded()
            .settings;
        Ledger::open(&settings.ledger, Role::Run, NOW)
    };
    let ledger = loaded(&url, &ca).unwrap();
    let encrypted = ask(
        &url.replace("verify-full", "disable"),
        "SELECT count(*)::text FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE ssl AND application_name = 'refgate'",
    );
    assert_ne!(encrypted, ["0"]);
    ledger
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    drop(ledger);

    // Its certificate is for another name; nothing is entered by a connection that proves nothing.
    let other = loaded(&url.replace("localhost", "127.0.0.1"), &ca).unwrap();
    let refused = other.enter(candidate("1002", Some("25.00"))).await;
    let words = refgate::cause::Causes(&refused.unwrap_err()).to_string();
    assert!(words.contains("not valid for name"), "{words}");
}
