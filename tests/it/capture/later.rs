//! A click that is captured on the page after the landing.

use std::time::Duration;

use refgate::clock::Time;
use refgate::event::Event;
use refgate::order::Standing;

use super::consent::{GIVEN, LANDING, REFUSED, asking};
use super::{set_cookie, target};
use crate::support::front::{Front, cookie, from, get, with};
use crate::support::shop::{Shop, ordinarily, ordinary, path, response};

const FROM_LANDING: &str = "Referer: http://us.test/?a=1&affiliate_id=123456\r\n";

#[test]
fn consent_that_comes_after_the_landing_captures_the_click_on_the_next_page() {
    let front = Front::with(&asking("complianz"), ordinary());
    assert_eq!(cookie(&front.ask(get(LANDING, ""))), None);
    assert_eq!(front.count(Event::ClickWithoutConsent), 1);
    let ask = |fields: &str| front.ask(get("/p?x=1", &format!("Cookie: {GIVEN}\r\n{fields}")));
    let before = Time::now();
    for fields in [
        "",
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Dest: document\r\n",
    ] {
        let answer = ask(&format!("{FROM_LANDING}{fields}"));
        let click = front.visit(&cookie(&answer).unwrap()).clicks.remove(0);
        assert_eq!(click.values["affiliate_id"], "123456", "{fields}");
        assert!(click.at >= before, "{click:?}");
        assert_eq!(answer.get("cache-control").unwrap(), b"private, no-cache");
        assert_eq!(target(&front), "/p?x=1");
        let referer = front.shop.asked().last().unwrap().get("referer").unwrap();
        assert_eq!(referer, b"http://us.test/?a=1&affiliate_id=123456");
    }
    assert_eq!(front.count(Event::ClickCaptured), 2);
    assert_eq!(front.count(Event::ClickLate), 2);

    // It is a click like any other.
    let known = cookie(&ask(FROM_LANDING)).unwrap();
    front.ask(with(&format!("{GIVEN}; {known}"), "/checkout/thank-you/1"));
    assert_eq!(front.story("1").unwrap().order.standing, Standing::Credited);
    let told = "  came  landed at us (taken with the page after)\n";
    assert!(front.explain("1", false).contains(told));
    // And captured once.
    let again = format!("Cookie: {GIVEN}; {known}\r\n{FROM_LANDING}");
    assert_eq!(set_cookie(&front.ask(get("/p", &again))), [""; 0]);
}

#[test]
fn no_other_referer_makes_a_click() {
    let front = Front::with(&asking("complianz"), ordinary());
    let given = format!("Cookie: {GIVEN}\r\n");
    for fields in [
        "Referer: http://other.test/?affiliate_id=123456\r\n",
        "Referer: http://us.test.evil.test/?affiliate_id=123456\r\n",
        "Referer: http://us.test:81/?affiliate_id=123456\r\n",
        "Referer: http://us.test@evil.test/?affiliate_id=123456\r\n",
        "Referer: http://us.test/?affiliate_id=x\r\n",
        "Referer: http://us.test/?affiliate_id=1&affiliate_id=1\r\n",
        "Referer: http://us.test/?xaffiliate_id=123456\r\n",
        "Referer: http://us.test/affiliate_id=123456\r\n",
        "Referer: us.test/?affiliate_id=123456\r\n",
        &format!("{FROM_LANDING}Sec-Fetch-Site: cross-site\r\n"),
        &format!("{FROM_LANDING}Sec-Fetch-Site: same-site\r\n"),
        &format!("{FROM_LANDING}Sec-Fetch-Dest: image\r\n"),
        &format!("{FROM_LANDING}Sec-Fetch-Dest: empty\r\n"),
        &format!("{FROM_LANDING}Sec-Purpose: prefetch\r\n"),
        &format!("{FROM_LANDING}Sec-GPC: 1\r\n"),
        &format!("{FROM_LANDING}User-Agent: Googlebot/2.1\r\n"),
    ] {
        front.same(get("/p", &format!("{given}{fields}")));
    }
    front.same(get("/p", FROM_LANDING));
    front.same(get("/p", &format!("Cookie: {REFUSED}\r\n{FROM_LANDING}")));
    front.same(format!(
        "POST /p HTTP/1.1\r\nHost: us.test\r\n{given}{FROM_LANDING}Content-Length: 0\r\n\r\n"
    ));
    for event in [
        Event::ClickCaptured,
        Event::ClickRefused,
        Event::ClickWithoutConsent,
    ] {
        assert_eq!(front.count(event), 0, "{}", event.name());
    }
}

#[test]
fn a_landing_that_was_fetched_ahead_of_time_is_a_click_once_the_visitor_goes_on() {
    let front = Front::of(ordinary());
    let ahead = "Sec-Purpose: prefetch;prerender\r\nSec-Fetch-Dest: document\r\n";
    assert_eq!(cookie(&front.ask(get(LANDING, ahead))), None);
    // Shown without a second request; then a link is followed.
    let known = cookie(&front.ask(get("/p", FROM_LANDING))).unwrap();
    assert_eq!(front.count(Event::ClickLate), 1);
    front.ask(with(&known, "/checkout/thank-you/1"));
    assert_eq!(front.story("1").unwrap().order.standing, Standing::Credited);
}

#[test]
fn a_click_that_is_live_is_not_replaced_by_the_page_before() {
    let front = Front::of(ordinary());
    let known = cookie(&front.ask(get("/?affiliate_id=7", ""))).unwrap();
    let later = front.ask(get("/p", &format!("Cookie: {known}\r\n{FROM_LANDING}")));
    assert_eq!(set_cookie(&later), [""; 0]);
}

#[test]
fn a_landing_page_that_was_left_open_gives_an_old_click_no_second_window() {
    let front = Front::of(ordinary());
    let day = Duration::from_secs(86_400);
    let mut visit = front.visit(&front.cookie_of(31 * day));
    let mut newer = visit.clicks[0].clone();
    (newer.network, newer.at) = ("other".parse().unwrap(), Time::now().minus(day));
    visit.clicks.push(newer);
    // The browser keeps the cookie for the newer click, and with it the older one.
    let known = front.sealed(&visit);
    let ask = |known: &str, value: &str| {
        let referer = FROM_LANDING.replace("123456", value);
        cookie(&front.ask(get("/p", &format!("Cookie: {known}\r\n{referer}"))))
    };
    assert_eq!(ask(&known, "123456"), None);
    assert_eq!(ask(&front.cookie_of(31 * day), "123456"), None);
    assert_eq!(front.count(Event::ClickLate), 0);
    // Another affiliate's landing page tells of another click.
    let taken = front.visit(&ask(&known, "77").unwrap());
    let values = taken
        .clicks
        .iter()
        .map(|click| &click.values["affiliate_id"]);
    assert_eq!(values.collect::<Vec<_>>(), ["123456", "77"]);
}

#[test]
fn consent_that_comes_after_a_hand_over_takes_its_click_in_on_the_next_page() {
    let ca = "  ca:\n    hosts: [ca.test]\n    scheme: http\n    insecure_http: true\n    \
              upstream: http://SHOP\n    currency: CAD\n    number_format: '1,234.56'\n    \
              max_amount: 5000\n    orders: test\n    consent: not_needed\n";
    let shop = Shop::new(|request| match path(request) {
        "/switch" => response("302 Found", "Location: http://us.test/p\r\n", ""),
        _ => ordinarily(request),
    });
    let front = Front::with(&format!("{}{ca}hand_over: {{}}", asking("complianz")), shop);
    let known = cookie(&front.ask(from("ca.test", LANDING, ""))).unwrap();
    let before = front.visit(&known);
    let switch = from("ca.test", "/switch", &format!("Cookie: {known}\r\n"));
    let address = front.ask(switch).all("location").remove(0);
    let address = String::from_utf8(address).unwrap();
    let arrival = address.strip_prefix("http://us.test").unwrap();
    assert_eq!(cookie(&front.ask(get(arrival, ""))), None);
    assert_eq!(target(&front), "/p");

    let next = |cookies: &str, more: &str| {
        let fields = format!("Cookie: {cookies}\r\nReferer: {address}\r\n{more}");
        cookie(&front.ask(get("/q", &fields)))
    };
    assert_eq!(next(REFUSED, ""), None);
    assert_eq!(next("x=y", ""), None);
    assert_eq!(next(GIVEN, "Sec-Fetch-Site: cross-site\r\n"), None);
    assert_eq!(next(GIVEN, "User-Agent: Googlebot/2.1\r\n"), None);
    assert_eq!(front.count(Event::ClickHandedOver), 0);
    let sealed = next(GIVEN, "Sec-Fetch-Site: same-origin\r\n").unwrap();
    let after = front.visit(&sealed);
    assert!(after.credits_as(&before), "{after:?} {before:?}");
    assert_ne!(after.id, before.id);
    assert_eq!(next(&format!("{GIVEN}; {sealed}"), ""), None, "once");
    assert_eq!(front.count(Event::ClickHandedOver), 1);
    assert_eq!(front.count(Event::TokenRefused), 0);
}
