//! The shopper goes away while the shop places the order.

use std::sync::{Mutex, mpsc};

use refgate::event::Event;
use refgate::postback::State;

use crate::support::front::{Front, eventually, with};
use crate::support::shop::{HTML, Shop, page, path, response, thanks};
use crate::support::wire::PATIENCE;

const PLACED: &str = r#"{"order":{"number":"100017","subtotal":112496}}"#;

fn placing(cookie: &str) -> String {
    format!(
        "POST /api/orders HTTP/1.1\r\nHost: us.test\r\nCookie: {cookie}\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    )
}

fn created() -> Vec<u8> {
    response("201 Created", "Content-Type: application/json\r\n", PLACED)
}

/// A shop that answers a POST when it is told to, in two pieces around `told`.
fn slow(before: usize) -> (Shop, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel();
    let told = Mutex::new(told);
    let shop = Shop::playing(move |wire, request| {
        if !request.start.starts_with("POST") {
            wire.say(page(HTML, "page"));
            return true;
        }
        let bytes = created();
        wire.say(&bytes[..before]);
        told.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        wire.try_say(&bytes[before..])
    });
    (shop, tell)
}

#[test]
fn an_order_by_post_is_recorded_and_told() {
    let (shop, tell) = slow(0);
    let front = Front::of(shop);
    let cookie = front.click();
    tell.send(()).unwrap();
    let answer = front.ask(placing(&cookie));
    assert_eq!((answer.status(), answer.text().as_str()), (201, PLACED));
    let told = front.settled("100017", State::Accepted);
    assert_eq!(told.postback.amount.unwrap().to_string(), "1124.96 USD");
}

#[test]
fn who_leaves_before_the_answer_does_not_lose_the_order() {
    // Before the head; within the head; within the body.
    for before in [0, 20, created().len() - 10] {
        let (shop, tell) = slow(before);
        let front = Front::of(shop);
        let cookie = front.click();
        let mut client = front.connect();
        client.say(placing(&cookie));
        let placing = || {
            front
                .shop
                .asked()
                .iter()
                .any(|asked| asked.start.starts_with("POST"))
        };
        eventually(|| placing().then_some(())).unwrap();
        drop(client);
        // The app has seen that he is gone: it has answered somebody else since.
        front.ask(with(&cookie, "/other"));
        tell.send(()).unwrap();
        front.settled("100017", State::Accepted);
        assert_eq!(front.count(Event::OrderEntered), 1, "{before}");
    }
}

#[test]
fn what_no_rule_means_is_cancelled_when_the_shopper_leaves() {
    let (gone, seen) = mpsc::channel();
    let gone = Mutex::new(gone);
    let shop = Shop::playing(move |wire, request| {
        if path(request) == "/slow" {
            let over = wire.is_over();
            gone.lock().unwrap().send(over).unwrap();
            return false;
        }
        wire.say(page(HTML, "page"));
        true
    });
    let front = Front::of(shop);
    let mut client = front.connect();
    client.say(with("a=1", "/slow"));
    eventually(|| (!front.shop.asked().is_empty()).then_some(())).unwrap();
    drop(client);
    assert!(
        seen.recv_timeout(PATIENCE).unwrap(),
        "the shop was not told"
    );
}

#[test]
fn who_leaves_within_a_page_does_not_lose_the_order() {
    // More than the buffers on the way hold, so that the app notices while it writes.
    let front = Front::of(Shop::new(|request| {
        let padding = "x".repeat(1_500_000);
        match path(request).strip_prefix("/checkout/thank-you/") {
            Some(id) => page(HTML, format!("{}<!-- {padding} -->", thanks(id))),
            None => page(HTML, "page"),
        }
    }));
    let cookie = front.click();
    let mut client = front.connect();
    client.say(with(&cookie, "/checkout/thank-you/100017"));
    client.exactly(100);
    drop(client);
    front.settled("100017", State::Accepted);
}

#[test]
fn a_shop_that_says_nothing_is_not_waited_for_when_the_shopper_has_left() {
    // Before the head, and within the body: as long as for a shopper who waits.
    let begun = format!("HTTP/1.1 200 OK\r\n{HTML}Content-Length: 900\r\n\r\nThank");
    for (said, event) in [
        (String::new(), Event::ExchangeCutOff),
        (begun, Event::ShopTruncated),
    ] {
        let (ended, end) = mpsc::channel();
        let ended = Mutex::new(ended);
        let before = said.clone();
        let shop = Shop::playing(move |wire, request| {
            if path(request) == "/other" {
                wire.say(page(HTML, "page"));
                return true;
            }
            wire.say(&before);
            wire.is_over();
            ended.lock().unwrap().send(()).unwrap();
            false
        });
        let timeouts = "timeouts: { response: 400ms, body: 400ms, drain: 10s }";
        let front = Front::with(timeouts, shop);
        let mut client = front.connect();
        client.say(with("a=1", "/checkout/thank-you/100017"));
        if said.is_empty() {
            eventually(|| (!front.shop.asked().is_empty()).then_some(())).unwrap();
        } else {
            client.until(b"Thank");
        }
        drop(client);
        end.recv_timeout(PATIENCE).unwrap();
        front.counted(event, 1);
        assert_eq!(front.orders(), []);
    }
}
