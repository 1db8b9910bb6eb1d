//! A confirmation that shows links to a sibling store: decorated, and on disk before it ends.

use std::time::Duration;

use refgate::event::Event;
use refgate::order::Standing;
use rusqlite::Connection;

use super::links::{gunzipped, gzipped};
use super::{HOUR, front, token, without_tokens};
use crate::support::front::{Front, with};
use crate::support::shop::{HTML, Shop, chunked, page, path, thanks};
use crate::support::wire::{PATIENCE, Wire};

fn confirmation(id: &str) -> String {
    format!("{}<p><a href=\"http://ca.test/\">Canada</a>", thanks(id))
}

/// Order 1 comes with a length, order 2 in chunks, order 3 by gzip.
fn confirming() -> Shop {
    Shop::new(|request| {
        let id = path(request).rsplit('/').next().unwrap();
        match id {
            "2" => chunked(HTML, confirmation(id), 50),
            "3" => {
                let fields = format!("{HTML}Content-Encoding: gzip\r\n");
                page(&fields, gzipped(&confirmation(id)))
            }
            _ => page(HTML, confirmation(id)),
        }
    })
}

fn ask(front: &Front, id: &str, version: &str) -> Wire {
    let request = with(&front.cookie_of(HOUR), &format!("/checkout/thank-you/{id}"));
    let mut client = front.connect();
    let fields = "\r\nAccept-Encoding: gzip, br\r\nCookie";
    let request = request
        .replace("HTTP/1.1", version)
        .replacen("\r\nCookie", fields, 1);
    client.say(request);
    client
}

fn assert_decorated(id: &str, body: &[u8]) {
    let text = match id {
        "3" => gunzipped(body),
        _ => String::from_utf8(body.to_vec()).unwrap(),
    };
    assert!(!token(&text).is_empty());
    assert_eq!(without_tokens(&text), confirmation(id));
}

#[test]
fn a_decorated_confirmation_enters_its_order_before_it_ends() {
    let front = front("", "", confirming());
    for id in ["1", "2", "3"] {
        let answer = ask(&front, id, "HTTP/1.1").message(false);
        assert!(answer.complete);
        let story = front.story(id).expect("no order after its page");
        assert_eq!(story.order.standing, Standing::Credited, "order {id}");
        assert_decorated(id, &answer.body);
    }
    assert_eq!(front.count(Event::RuleMatched), 3);
}

#[test]
fn its_end_waits_for_the_ledger() {
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        let front = front("", "", confirming());
        for id in ["1", "2", "3"] {
            let other = Connection::open(front.ledger_file()).unwrap();
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            let mut client = ask(&front, id, version);
            let head = client.head();
            let (came, is_closed) = all_that_comes(&mut client);
            assert!(front.story(id).is_none(), "order {id}");
            let chunked = String::from_utf8_lossy(&head)
                .to_lowercase()
                .contains("chunked");
            assert_eq!(chunked, version == "HTTP/1.1");
            let is_over = match chunked {
                true => came.ends_with(b"\r\n0\r\n\r\n"),
                false => is_closed,
            };
            assert!(
                !is_over,
                "order {id} {version}: the end came before the order was on disk"
            );
            other.execute_batch("ROLLBACK").unwrap();
            let rest = match chunked {
                true => client.until(b"0\r\n\r\n"),
                false => client.rest(),
            };
            assert!(!rest.is_empty());
            assert!(front.story(id).is_some(), "order {id} after its page");
            if !chunked {
                assert_decorated(id, &[came, rest].concat());
            }
        }
    }
}

/// Everything until nothing comes for a while in which the page would long have come; and whether
/// that was the connection's end.
fn all_that_comes(client: &mut Wire) -> (Vec<u8>, bool) {
    let mut came = Vec::new();
    let pause = Some(Duration::from_millis(300));
    loop {
        came.extend(client.ahead_or_one(usize::MAX));
        client.stream().set_read_timeout(pause).unwrap();
        let next = client.stream().peek(&mut [0]);
        client.stream().set_read_timeout(Some(PATIENCE)).unwrap();
        match next {
            Ok(0) => return (came, true),
            Ok(_) => assert!(!client.is_over()),
            Err(_) => return (came, false),
        }
    }
}
