//! A ledger that is locked, refuses, or is somebody else's; a spool that cannot be written.

use std::fs;

use refgate::app::App;
use refgate::clock::Time;
use refgate::event::Event;
use refgate::ledger::Settings;
use refgate::postback::State;
use rusqlite::Connection;

use crate::support::front::{Front, assert_same, with};
use crate::support::message::Message;
use crate::support::shop::ordinary;

pub(super) const THANKS: &str = "/checkout/thank-you/7";

/// Another connection to the ledger that has done this.
pub(super) fn meddle(front: &Front, sql: &str) -> Connection {
    let other = Connection::open(front.ledger_file()).unwrap();
    other.execute_batch(sql).unwrap();
    other
}

/// Buys; the page is the shop's.
pub(super) fn buy(front: &Front) -> Message {
    let request = with(&front.click(), THANKS);
    let through = front.ask(&request);
    assert_same(&through, &front.direct(&request));
    through
}

#[test]
fn without_ledger_and_spool_the_page_goes_out_and_the_order_is_logged() {
    let front = Front::with("timeouts: { hold: 200ms, drain: 10s }", ordinary());
    // The ledger's witness stands in it.
    fs::remove_dir_all(&front.settings.record.spool).unwrap();
    fs::write(
        &front.settings.record.spool,
        "a file where the folder should be",
    )
    .unwrap();
    let other = meddle(&front, "BEGIN IMMEDIATE");
    buy(&front);
    assert_eq!(front.count(Event::OrderLogged), 1);
    assert_eq!(front.count(Event::OrderSpooled), 0);
    other.execute_batch("ROLLBACK").unwrap();
    // The shop is served on, and so is the ledger when it is well.
    front.ask(with(&front.click(), "/checkout/thank-you/8"));
    front.settled("8", State::Accepted);
}

/// What a full or failing disk looks like from here: the ledger's statement fails, at once. (The
/// true `SQLITE_FULL` and a read-only file are `record::recorder`'s tests, on the writer's own connection.)
const REFUSING: &str = "CREATE TRIGGER refuse BEFORE INSERT ON orders
    BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";

#[test]
fn a_ledger_that_refuses_costs_no_time_and_the_spool_has_the_order() {
    let mut front = Front::of(ordinary());
    let other = meddle(&front, REFUSING);
    buy(&front);
    for (event, count) in [
        (Event::LedgerFailed, 1),
        (Event::OrderSpooled, 1),
        (Event::OrderEntered, 0),
        (Event::HoldEnded, 0),
    ] {
        assert_eq!(front.count(event), count, "{}", event.name());
    }
    assert!(front.story("7").is_none());
    other.execute_batch("DROP TRIGGER refuse").unwrap();
    front.restart();
    front.settled("7", State::Accepted);
    assert_eq!(front.calls(1).len(), 1);
}

#[test]
fn a_locked_ledger_when_the_app_ends_loses_nothing() {
    let mut front = Front::with("timeouts: { hold: 200ms, drain: 10s }", ordinary());
    let other = meddle(&front, "BEGIN IMMEDIATE");
    buy(&front);
    // The app ends while the entry still waits for the ledger.
    front.stop();
    other.execute_batch("ROLLBACK").unwrap();
    front.restart();
    front.settled("7", State::Accepted);
    assert_eq!(front.orders().len(), 1);
    assert_eq!(front.calls(1).len(), 1);
}

#[test]
fn a_second_process_on_the_ledger_is_refused_with_words() {
    let front = Front::of(ordinary());
    let error = App::start(front.settings.clone(), Time::now()).unwrap_err();
    let words = refgate::cause::Causes(&error).to_string();
    let path = front.ledger_file().display().to_string();
    assert!(words.contains(&path), "{words}");
    assert!(words.contains(&std::process::id().to_string()), "{words}");
    // The first is none the worse for it.
    buy(&front);
    front.settled("7", State::Accepted);
}

#[test]
fn a_ledger_that_cannot_be_opened_refuses_the_start_with_words() {
    let front = Front::of(ordinary());
    let dir = front.ledger_file().parent().unwrap();
    let mut settings = front.settings.clone();
    fs::write(dir.join("file"), "x").unwrap();
    fs::create_dir(dir.join("folder")).unwrap();
    fs::write(dir.join("text"), "no database ".repeat(500)).unwrap();
    for name in ["file/refgate.db", "folder", "text"] {
        settings.ledger = Settings::Sqlite(dir.join(name));
        let error = App::start(settings.clone(), Time::now()).unwrap_err();
        let words = refgate::cause::Causes(&error).to_string();
        let path = settings.ledger.to_string();
        assert!(words.contains(&path), "{name}: {words}");
    }
}
