//! The order is on disk before the confirmation ends; where it cannot be, the page goes out all the same.

use std::time::{Duration, Instant};

use refgate::event::Event;
use refgate::ledger::{Ledger, Role};
use refgate::postback::State;
use refgate::record::spool::{Spool, import};
use rusqlite::Connection;

use super::THANKS;
use crate::support::front::{Front, get, with};
use crate::support::message::Message;
use crate::support::shop::{HTML, Shop, chunked, ordinary, page, path, response, thanks};

/// A shop whose responses end in each of the ways that a message can.
pub(super) fn ending() -> Shop {
    Shop::new(|request| match path(request) {
        "/checkout/thank-you/1" => page(HTML, thanks("1")),
        "/checkout/thank-you/2" => chunked(HTML, thanks("2"), 50),
        "/checkout/thank-you/5" => chunked(HTML, thanks("5"), 50),
        "/checkout/thank-you/3" => {
            let body = thanks("3");
            format!("HTTP/1.1 200 OK\r\n{HTML}Connection: close\r\n\r\n{body}").into_bytes()
        }
        "/checkout/place" => {
            let fields = "Location: /done?order=4\r\nX-Subtotal: 20.00\r\n";
            response("302 Found", fields, "")
        }
        _ => page(HTML, "page"),
    })
}

fn requests(cookie: &str) -> Vec<(&'static str, String)> {
    let post = format!(
        "POST /checkout/place HTTP/1.1\r\nHost: us.test\r\nCookie: {cookie}\r\nContent-Length: 0\r\n\r\n"
    );
    // Of what an older client gets, the connection's end is the end: its last byte waits.
    let old = with(cookie, "/checkout/thank-you/5").replace("HTTP/1.1", "HTTP/1.0");
    vec![
        ("1", with(cookie, "/checkout/thank-you/1")),
        ("2", with(cookie, "/checkout/thank-you/2")),
        ("3", with(cookie, "/checkout/thank-you/3")),
        ("4", post),
        ("5", old),
    ]
}

#[test]
fn the_order_is_in_the_ledger_when_the_last_byte_comes() {
    let front = Front::of(ending());
    let cookie = front.click();
    for (id, request) in requests(&cookie) {
        let answer = front.ask(request);
        assert!(answer.complete);
        assert!(front.story(id).is_some(), "order {id} after its page");
    }
}

/// Locks the ledger as another process can.
pub(super) fn lock(front: &Front) -> Connection {
    let other = Connection::open(front.ledger_file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[test]
fn only_the_end_of_the_message_waits_for_a_locked_ledger() {
    let front = Front::of(ending());
    let cookie = front.click();
    for (id, request) in requests(&cookie) {
        let other = lock(&front);
        let mut client = front.connect();
        client.say(&request);
        let body = thanks(id);
        let came = match id {
            // All but the last byte; all but the chunk that ends it; nothing at all.
            "1" | "5" => {
                client.head();
                client.exactly(body.len() - 1)
            }
            "2" | "3" => {
                client.head();
                let mut came = Vec::new();
                while came.len() < body.len() {
                    let line = String::from_utf8(client.until(b"\r\n")).unwrap();
                    let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
                    assert!(size > 0, "order {id}: the end came");
                    came.extend(client.exactly(size));
                    client.exactly(2);
                }
                came
            }
            _ => Vec::new(),
        };
        assert!(body.as_bytes().starts_with(&came), "order {id}");
        nothing_comes(&client, id);
        assert!(front.story(id).is_none());
        other.execute_batch("ROLLBACK").unwrap();
        let rest = match id {
            "1" => client.exactly(1).len(),
            "5" => client.rest().len(),
            "2" | "3" => client.until(b"0\r\n\r\n").len(),
            _ => client.head().len(),
        };
        assert!(rest > 0);
        assert!(front.story(id).is_some(), "order {id} after its page");
    }
    assert_eq!(front.count(Event::HoldEnded), 0);
}

/// It knows the body's end by the connection's, so it has the whole page before the message ends.
#[test]
fn the_last_byte_for_an_http_1_0_client_waits_too() {
    let front = Front::of(ending());
    let cookie = front.click();
    for id in ["1", "2", "3"] {
        let other = lock(&front);
        let mut client = front.connect();
        client.say(format!(
            "GET /checkout/thank-you/{id} HTTP/1.0\r\nHost: us.test\r\nCookie: {cookie}\r\n\r\n"
        ));
        client.head();
        let body = thanks(id);
        let (last, before) = body.as_bytes().split_last().unwrap();
        assert_eq!(client.exactly(before.len()), before, "order {id}");
        nothing_comes(&client, id);
        assert!(front.story(id).is_none());
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(client.rest(), [*last], "order {id}");
        assert!(front.story(id).is_some(), "order {id} after its page");
    }
}

/// The client is sent nothing for a while in which the page would long have come.
fn nothing_comes(client: &crate::support::wire::Wire, id: &str) {
    let stream = client.stream();
    stream
        .set_read_timeout(Some(Duration::from_millis(150)))
        .unwrap();
    let peeked = stream.peek(&mut [0]);
    assert!(
        peeked.is_err(),
        "order {id}: the end came before the order was on disk"
    );
    let patience = Some(crate::support::wire::PATIENCE);
    stream.set_read_timeout(patience).unwrap();
}

/// Asks, and says how long it took.
fn timed(front: &Front, request: &str) -> (Message, Duration) {
    let begun = Instant::now();
    (front.ask(request), begun.elapsed())
}

#[test]
fn a_page_goes_out_when_hold_ends_and_the_spool_has_the_order() {
    let hold = Duration::from_millis(300);
    let mut front = Front::with("timeouts: { hold: 300ms, drain: 10s }", ordinary());
    let cookie = front.click();
    let other = lock(&front);
    let request = with(&cookie, THANKS);
    let (answer, took) = timed(&front, &request);
    crate::support::front::assert_same(&answer, &front.direct(&request));
    assert!(took >= hold && took < 10 * hold, "{took:?}");
    assert_eq!(front.count(Event::HoldEnded), 1);
    // It was on disk before the page went out.
    assert_eq!(front.count(Event::OrderSpooled), 1);
    // The ledger's own patience ends, and the file stays.
    front.counted(Event::LedgerFailed, 1);
    other.execute_batch("ROLLBACK").unwrap();
    assert!(front.story("100017").is_none());

    // The next start enters it, once; after that there is nothing to import.
    front.restart();
    front.settled("100017", State::Accepted);
    let spool = Spool::new(
        front.settings.record.spool.clone(),
        front.settings.capture.keys.clone(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let now = refgate::clock::Time::now();
    let ledger = Ledger::open(&front.settings.ledger, Role::Tool, now).unwrap();
    let imported = runtime.block_on(import(&spool, &ledger)).unwrap();
    assert!(
        imported.entered.is_empty() && imported.kept.is_empty(),
        "{imported:?}"
    );
    front.ask(&request);
    assert_eq!(front.orders().len(), 1);
    assert_eq!(front.calls(1).len(), 1);
}

#[test]
fn a_ledger_that_is_free_again_within_its_patience_takes_the_order_back() {
    let front = Front::with("timeouts: { hold: 200ms, drain: 10s }", ordinary());
    let cookie = front.click();
    let other = lock(&front);
    front.ask(with(&cookie, THANKS));
    // The page goes out when `hold` is over, whether the file is written or not.
    front.counted(Event::OrderSpooled, 1);
    other.execute_batch("ROLLBACK").unwrap();
    front.settled("100017", State::Accepted);
    assert_eq!(front.count(Event::LedgerFailed), 0);
    let spooled = || {
        let names = std::fs::read_dir(&front.settings.record.spool).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().ends_with(".order"))
            .count()
    };
    crate::support::front::eventually(|| (spooled() == 0).then_some(())).expect("the file stays");
    assert_eq!(front.orders().len(), 1);
}

#[test]
fn a_page_that_no_rule_means_waits_for_nothing() {
    let front = Front::of(ordinary());
    let _other = lock(&front);
    let (answer, took) = timed(&front, &get("/other", ""));
    assert!(answer.complete && took < Duration::from_secs(5), "{took:?}");
}
