//! The whole way: click, page, order, postback.

mod abandoned;
mod durable;
mod guard;
mod networks;
mod organic;
mod proof;
mod returns;
mod streams;
mod webhooks;
mod wire;

use std::time::Duration;

use refgate::clock::Time;
use refgate::event::Event;
use refgate::order::{Doubt, Standing};
use refgate::postback::{Mode, State};

use crate::support::front::{Front, from, get, with};
use crate::support::shop::{HTML, Shop, ordinarily, ordinary, page, path, response, thanks};

const THANKS: &str = "/checkout/thank-you/100017";

#[test]
fn a_click_and_a_purchase_are_one_order_and_one_right_postback() {
    let front = Front::of(ordinary());
    let cookie = front.click();
    front.ask(with(&cookie, "/basket"));
    assert_eq!(front.orders().len(), 0);
    let page = front.ask(with(&cookie, THANKS));
    assert_eq!(page.text(), thanks("100017"));

    let told = front.settled("100017", State::Accepted);
    assert_eq!(told.attempts.len(), 1);
    let story = front.story("100017").unwrap();
    let order = &story.order;
    assert_eq!(order.standing, Standing::Credited);
    assert_eq!(order.key.to_string(), "test/100017");
    assert_eq!(order.amount.unwrap().to_string(), "1124.96 USD");
    let click = order.click.as_ref().unwrap();
    assert_eq!(*click, front.visit(&cookie).clicks[0]);
    assert_eq!(order.visit, Some(front.visit(&cookie).id));

    let calls = front.network.calls();
    assert_eq!(calls.len(), 1);
    let expected = "/aff_lsr?offer_id=1&aff_id=123456&amount=1124.96&adv_unique1=100017";
    assert_eq!(
        (calls[0].method.as_str(), calls[0].target.as_str()),
        ("GET", expected)
    );
    let [conversion] = &front.network.conversions()[..] else {
        panic!("{:?}", front.network.conversions());
    };
    assert_eq!(conversion.aff_id.as_deref(), Some("123456"));
    assert_eq!(conversion.amount.to_string(), "1124.96");
    for (event, count) in [
        (Event::ClickCaptured, 1),
        (Event::RuleMatched, 1),
        (Event::OrderEntered, 1),
        (Event::PostbackSent, 1),
        (Event::PostbackAccepted, 1),
        (Event::OrderHeld, 0),
        (Event::OrderSpooled, 0),
        (Event::HoldEnded, 0),
    ] {
        assert_eq!(front.count(event), count, "{}", event.name());
    }
}

#[test]
fn without_a_click_an_order_is_organic_and_nobody_is_told() {
    let front = Front::of(ordinary());
    front.same(get(THANKS, ""));
    let story = front.story("100017").unwrap();
    assert_eq!(story.order.standing, Standing::Organic);
    assert_eq!((story.order.click, story.postbacks.len()), (None, 0));
    // A click afterwards, and the page once more: the first sighting stands.
    front.ask(with(&front.click(), THANKS));
    assert_eq!(
        front.story("100017").unwrap().order.standing,
        Standing::Organic
    );
    // Delivery has looked: another order's postback went out meanwhile.
    front.ask(with(&front.click(), "/checkout/thank-you/2"));
    front.settled("2", State::Accepted);
    assert_eq!(front.network.calls().len(), 1);
}

#[test]
fn a_reload_in_parallel_after_a_restart_and_after_the_cookie_is_one_order() {
    let mut front = Front::of(ordinary());
    let cookie = front.click();
    let request = with(&cookie, THANKS);
    std::thread::scope(|scope| {
        let reloads: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| front.ask(&request)))
            .collect();
        for reload in reloads {
            assert_eq!(reload.join().unwrap().text(), thanks("100017"));
        }
    });
    assert_eq!(front.count(Event::OrderEntered), 1);
    assert_eq!(front.count(Event::OrderSeenAgain), 19);
    front.settled("100017", State::Accepted);

    front.restart();
    front.ask(&request);
    // Forty days later the cookie opens, but its click is too old.
    let late = front.cookie_of(Duration::from_secs(40 * 86_400));
    front.ask(with(&late, THANKS));
    assert_eq!(front.count(Event::CookieExpired), 1);
    // And a stranger with a cookie of another partner's.
    let other = crate::support::front::cookie(&front.ask(get("/?affiliate_id=7", ""))).unwrap();
    front.ask(with(&other, THANKS));
    assert_eq!(front.count(Event::OrderEntered), 0);
    assert_eq!(front.count(Event::OrderSeenAgain), 3);

    let story = front.story("100017").unwrap();
    assert_eq!((story.seen, story.postbacks.len()), (23, 1));
    let click = story.order.click.unwrap();
    assert_eq!(click.values["affiliate_id"], "123456");
    // Of what came after it, the next order's postback is the only one.
    front.ask(with(&other, "/checkout/thank-you/2"));
    front.settled("2", State::Accepted);
    let orders: Vec<_> = front.network.calls();
    let ids: Vec<_> = orders
        .iter()
        .map(|call| call.parameter("adv_unique1").unwrap())
        .collect();
    assert_eq!(ids, ["100017", "2"]);
}

#[test]
fn the_other_stores_order_is_converted_or_held() {
    let front = Front::of(ordinary());
    let buy = |front: &Front| {
        let landing = front.ask(from("ca.test", "/?affiliate_id=123456", ""));
        let cookie = crate::support::front::cookie(&landing).unwrap();
        front.ask(from("ca.test", THANKS, &format!("Cookie: {cookie}\r\n")));
    };
    buy(&front);
    let told = front.settled("100017", State::Accepted);
    assert_eq!(told.postback.amount.unwrap().to_string(), "821.22 USD");
    assert_eq!(front.calls(1)[0].parameter("amount"), Some("821.22"));
    let order = front.story("100017").unwrap().order;
    assert_eq!(order.amount.unwrap().to_string(), "1124.96 CAD");

    let front = Front::with(&networks("    rates: { EUR: 1.1 }"), ordinary());
    buy(&front);
    let story = front.story("100017").unwrap();
    assert_eq!(story.order.standing, Standing::Held(Doubt::NoRate));
    assert_eq!(story.postbacks[0].postback.state, State::Held);
    assert_eq!(front.count(Event::OrderHeld), 1);
    // It does not go out beside the next one either.
    front.ask(with(&front.click(), "/checkout/thank-you/2"));
    front.settled("2", State::Accepted);
    assert_eq!(front.network.calls().len(), 1);
}

#[test]
fn a_discount_below_zero_is_held_where_it_would_add() {
    let shop = Shop::new(|request| {
        let number = path(request).rsplit('/').next().unwrap().to_owned();
        page(HTML, thanks(&number).replace("$124.99", "-$4,000.00"))
    });
    let front = Front::of(shop);
    let cookie = front.click();
    front.ask(with(&cookie, "/checkout/thank-you/1"));
    let story = front.story("1").unwrap();
    assert_eq!(story.order.standing, Standing::Held(Doubt::Differs));
    let why = "discount: -4000.00 on the page, so that taking it away adds";
    assert!(story.order.why.contains(why), "{}", story.order.why);
    let amount = story.order.amount.unwrap();
    assert_eq!(amount.to_string(), "5249.95 USD", "it can be released");
    assert_eq!(front.calls(0).len(), 0);
}

#[test]
fn a_network_in_shadow_does_everything_but_the_sending() {
    let front = Front::with(&networks("    mode: shadow"), ordinary());
    front.ask(with(&front.click(), THANKS));
    let story = front.story("100017").unwrap();
    assert_eq!(story.order.standing, Standing::Credited);
    let postback = &story.postbacks[0].postback;
    assert_eq!(
        (postback.state, postback.doubt),
        (State::Held, Some(Doubt::Shadow))
    );
    assert_eq!(postback.amount.unwrap().to_string(), "1124.96 USD");
    assert_eq!(front.count(Event::PostbackSent), 0);
    assert_eq!(front.network.calls().len(), 0);
}

#[test]
fn what_was_seen_in_shadow_or_before_going_live_stays_held() {
    let mut front = Front::with(&networks("    mode: shadow"), ordinary());
    front.ask(with(&front.click(), THANKS));
    // Live, without a word of when: nothing of the time in shadow goes out.
    for (name, destination) in &mut front.settings.record.destinations {
        destination.mode = Mode::Live;
        let sent = front.settings.deliver.destinations.get_mut(name).unwrap();
        sent.mode = Mode::Live;
    }
    front.restart();
    front.ask(with(&front.click(), "/checkout/thank-you/2"));
    front.settled("2", State::Accepted);
    // Live since a time to come.
    let since = Time::now().plus(Duration::from_secs(3600));
    let destinations = front.settings.record.destinations.values_mut();
    destinations.for_each(|one| one.timing.live_since = Some(since));
    front.restart();
    front.ask(with(&front.click(), "/checkout/thank-you/3"));
    let words = format!("seen before aspire went live (live_since: {since})");
    for (id, cause) in [
        ("100017", "aspire is in shadow (mode: shadow)"),
        ("3", &*words),
    ] {
        let story = front.story(id).unwrap();
        assert_eq!(story.order.standing, Standing::Credited);
        let postback = &story.postbacks[0].postback;
        let stands = (postback.state, postback.doubt, postback.cause.as_deref());
        assert_eq!(stands, (State::Held, Some(Doubt::Shadow), Some(cause)));
    }
    assert_eq!(front.network.calls().len(), 1);
}

#[test]
fn a_postback_waits_as_long_after_its_order_as_is_said() {
    let front = Front::with(&networks("    send_after: 72h"), ordinary());
    front.ask(with(&front.click(), THANKS));
    let story = front.story("100017").unwrap();
    let postback = &story.postbacks[0].postback;
    let due = story.order.at.plus(Duration::from_secs(72 * 3600));
    assert_eq!((postback.state, postback.due), (State::Due, Some(due)));
    let cause = format!("waits until {due}, as `send_after` says");
    assert_eq!(postback.cause.as_ref(), Some(&cause));
    let front = Front::with(&networks("    send_after: 2s"), ordinary());
    front.ask(with(&front.click(), THANKS));
    let told = front.settled("100017", State::Accepted);
    let waited = told.attempts[0].begun.since(told.postback.at);
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
}

/// The usual network with one more line.
fn networks(line: &str) -> String {
    format!(
        "networks:
  aspire:
    click: {{ affiliate_id: '[0-9]{{1,12}}' }}
    postback: http://NETWORK/aff_lsr?offer_id=1&aff_id=AFFILIATE_ID&amount=AMOUNT&adv_unique1=ORDER_ID
    currency: USD
    answers: [{{ status: 200, body: success=true, means: accepted }}]
{line}
"
    )
}

#[test]
fn what_is_no_view_of_the_page_makes_no_order() {
    let front = Front::of(Shop::new(|request| {
        let id = path(request).rsplit('/').next().unwrap_or_default();
        let (fields, whole) = (HTML, thanks(id));
        match id {
            "206" => response(
                "206 Partial Content",
                "Content-Range: bytes 0-9/10\r\n",
                whole,
            ),
            "304" => b"HTTP/1.1 304 Not Modified\r\nContent-Type: text/html\r\n\r\n".to_vec(),
            "302" => response(
                "302 Found",
                "Location: /\r\nContent-Type: text/html\r\n",
                whole,
            ),
            "404" => response("404 Not Found", fields, whole),
            "500" => response("500 Oops", fields, whole),
            "1" if request.start.starts_with("HEAD") => {
                let length = whole.len();
                format!("HTTP/1.1 200 OK\r\n{HTML}Content-Length: {length}\r\n\r\n").into_bytes()
            }
            "2" => page(fields, whole.replace("Thank you", "Sorry, no thanks")),
            "3" => page(fields, whole + "Payment failed"),
            "4" => page("Content-Type: application/json\r\n", whole),
            _ => ordinarily(request),
        }
    }));
    let cookie = front.click();
    let field = format!("Cookie: {cookie}\r\n");
    for id in ["206", "304", "302", "404", "500", "2", "3", "4"] {
        front.same(get(&format!("/checkout/thank-you/{id}"), &field));
    }
    for method in ["HEAD", "DELETE", "OPTIONS"] {
        let request =
            format!("{method} /checkout/thank-you/1 HTTP/1.1\r\nHost: us.test\r\n{field}\r\n");
        front.same(request);
    }
    assert_eq!(front.orders(), []);
    // A page that is fetched ahead of time counts only with a visit (design.md, Confirmations).
    front.same(get("/checkout/thank-you/5", "Sec-Purpose: prefetch\r\n"));
    assert_eq!(front.orders(), []);
    front.same(get(
        "/checkout/thank-you/5",
        &format!("{field}Sec-Purpose: prefetch;prerender\r\n"),
    ));
    assert_eq!(front.orders().len(), 1);
}

#[test]
fn a_confirmation_asks_the_shop_for_all_of_the_page() {
    let front = Front::of(ordinary());
    let fields = "If-None-Match: \"a\"\r\nIf-Modified-Since: Mon, 23 Nov 2026 00:00:00 GMT\r\n\
        Range: bytes=0-9\r\nIf-Range: \"a\"\r\nAccept-Encoding: gzip, br;q=0.5, dcz, compress\r\n";
    front.ask(get(THANKS, fields));
    let asked = &front.shop.asked()[0];
    for name in ["if-none-match", "if-modified-since", "range", "if-range"] {
        assert_eq!(asked.get(name), None, "{name}");
    }
    assert_eq!(asked.get("accept-encoding").unwrap(), b"gzip, br;q=0.5");
    // Any other page is asked for as the browser did.
    front.ask(get("/other", fields));
    let asked = &front.shop.asked()[1];
    assert_eq!(asked.get("range").unwrap(), b"bytes=0-9");
    let encodings = asked.get("accept-encoding").unwrap();
    assert_eq!(encodings, b"gzip, br;q=0.5, dcz, compress");
}
