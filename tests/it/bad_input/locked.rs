//! A ledger that another program has locked when refgate starts: the shop is served at once, orders wait in the spool.

use std::time::Instant;

use refgate::alarm::Alarm;
use refgate::app::App;
use refgate::clock::Time;
use refgate::event::Event;
use refgate::postback::State;
use rusqlite::Connection;

use super::disk::{THANKS, buy, meddle};
use crate::support::front::{Front, eventually};
use crate::support::shop::ordinary;

/// Lets others read, as a program that writes does.
const WRITES: &str = "BEGIN EXCLUSIVE";

/// Lets nobody look into the file.
const ALONE: &str = "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;
    INSERT OR REPLACE INTO meta (key, value) VALUES ('somebody', 'was here')";

/// The app, started anew while `other` has its lock.
fn restarted(lock: &str) -> (Front, Connection) {
    let mut front = Front::of(ordinary());
    front.stop();
    let other = meddle(&front, lock);
    front.restart();
    (front, other)
}

/// What the alarm of the ledger says, if it stands.
fn alarm(front: &Front) -> Option<String> {
    let mut alarms = front.alarms().into_iter();
    let ledger = alarms.find(|standing| standing.alarm == Alarm::LedgerFails);
    ledger.map(|standing| standing.words)
}

/// Ends the lock, and what was kept meanwhile is entered and told once.
fn released(front: &Front, other: Connection) {
    other.execute_batch("COMMIT").unwrap();
    drop(other);
    front.settled("7", State::Accepted);
    assert_eq!(front.orders().len(), 1);
    assert_eq!(front.calls(1).len(), 1);
    let over = eventually(|| alarm(front).is_none().then_some(()));
    assert!(over.is_some(), "{:?}", alarm(front));
}

#[test]
fn a_ledger_that_is_locked_at_the_start_keeps_nobody_from_the_shop() {
    for lock in [WRITES, ALONE] {
        let (front, other) = restarted(lock);
        let words = eventually(|| alarm(&front)).unwrap_or_default();
        assert!(
            words.contains("locked by another process"),
            "{lock}: {words}"
        );
        let begun = Instant::now();
        buy(&front);
        // It does not wait for a lock on the way.
        assert!(begun.elapsed() < front.settings.record.hold, "{lock}");
        for (event, count) in [
            (Event::LedgerAway, 1),
            (Event::OrderSpooled, 1),
            (Event::OrderLogged, 0),
            (Event::HoldEnded, 0),
        ] {
            assert_eq!(front.count(event), count, "{lock}: {}", event.name());
        }
        let (words, _) = front.try_explain("7", false);
        assert!(words.contains("/7: in the spool"), "{lock}: {words}");
        released(&front, other);
    }
}

#[test]
fn a_ledger_that_is_still_locked_at_the_end_loses_nothing() {
    let (mut front, other) = restarted(ALONE);
    buy(&front);
    front.stop();
    front.restart();
    released(&front, other);
}

#[test]
fn what_is_found_to_be_of_a_newer_refgate_is_waited_for_and_told() {
    let (front, other) = restarted(ALONE);
    buy(&front);
    let newer = "DELETE FROM meta WHERE key = 'compatible_from'; PRAGMA user_version = 99; COMMIT";
    other.execute_batch(newer).unwrap();
    drop(other);
    let told = eventually(|| alarm(&front).filter(|words| words.contains("use a newer refgate")));
    assert!(told.is_some(), "{:?}", alarm(&front));
    front.same(crate::support::front::get(THANKS, ""));
    assert_eq!(front.count(Event::OrderEntered), 0);
    let file = Connection::open(front.ledger_file()).unwrap();
    let back = format!("BEGIN; PRAGMA user_version = {}", refgate::ledger::SCHEMA);
    file.execute_batch(&back).unwrap();
    released(&front, file);
}

#[test]
fn a_newer_ledger_is_refused_at_the_start_though_it_is_locked() {
    let mut front = Front::of(ordinary());
    front.stop();
    let newer = "DELETE FROM meta WHERE key = 'compatible_from'; PRAGMA user_version = 99;
        BEGIN EXCLUSIVE";
    let _other = meddle(&front, newer);
    let error = App::start(front.settings.clone(), Time::now()).unwrap_err();
    let words = refgate::cause::Causes(&error).to_string();
    assert!(words.contains("use a newer refgate"), "{words}");
}
