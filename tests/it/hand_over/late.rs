//! What a landing with a token leaves behind: the next request's `Referer`.

use std::time::Duration;

use refgate::capture::token::Message as Said;
use refgate::click::By;
use refgate::event::Event;

use super::tokens::{carrying, open, token};
use super::{HOUR, PERSON, front, is_credited, kept, text};
use crate::support::front::{Front, cookie, from};
use crate::support::message::Message;
use crate::support::shop::ordinary;

/// Stores that ask, as Complianz does.
const ASKING: &str = "stores:
  us: { hosts: us.test, scheme: http, insecure_http: true, MORE }
  ca: { hosts: ca.test, scheme: http, insecure_http: true, MORE }
hand_over: {}";
const GIVEN: &str = "cmplz_marketing=allow";
const REFUSED: &str = "cmplz_marketing=deny";

fn asking() -> Front {
    let of_all = "upstream: 'http://SHOP', currency: USD, number_format: '1,234.56', \
        max_amount: 5000, consent: complianz, checkout: [/cart, /checkout], orders: test";
    Front::with(&ASKING.replace("MORE", of_all), super::leading())
}

/// The page behind the Canadian store's landing with this token.
fn next(front: &Front, token: &str, fields: &str) -> Message {
    let referer = format!("Referer: http://ca.test/?a=1&refgate={token}\r\n");
    front.ask(from("ca.test", "/next", &format!("{referer}{fields}")))
}

/// The `Referer` that the shop saw last.
fn referer(front: &Front) -> String {
    text(front.shop.asked().last().unwrap(), "referer")
}

#[test]
fn the_shop_sees_the_token_in_no_referer() {
    let front = front("", "", ordinary());
    let token = carrying(&front, "1", HOUR);
    for (sent, seen) in [
        ("http://ca.test/?refgate=T", "http://ca.test/"),
        (
            "http://ca.test/a?b=%20+&refgate=T&c",
            "http://ca.test/a?b=%20+&c",
        ),
        ("http://ca.test:80/a?refgate=T", "http://ca.test:80/a"),
        (
            "http://us.test/?refgate=T&affiliate_id=1",
            "http://us.test/?affiliate_id=1",
        ),
        // Nobody's of ours, or no parameter of ours.
        ("http://far.test/?refgate=T", "http://far.test/?refgate=T"),
        ("http://blog.test/?refgate=T", "http://blog.test/?refgate=T"),
        (
            "http://ca.test@blog.test/?refgate=T",
            "http://ca.test@blog.test/?refgate=T",
        ),
        ("http://ca.test/refgate=T", "http://ca.test/refgate=T"),
        ("http://ca.test/?xrefgate=T", "http://ca.test/?xrefgate=T"),
        ("refgate=T", "refgate=T"),
    ] {
        let sent = sent.replace('T', &token);
        for fields in ["", "Sec-Fetch-Dest: image\r\n", PERSON] {
            front.ask(from(
                "ca.test",
                "/a",
                &format!("Referer: {sent}\r\n{fields}"),
            ));
            assert_eq!(referer(&front), seen.replace('T', &token), "{fields}");
        }
    }
}

#[test]
fn consent_is_asked_for_where_the_click_goes_out_and_where_it_comes_in() {
    let front = asking();
    let known = front.cookie_of(HOUR);
    let out = |fields: &str| {
        let fields = format!("Cookie: {known}{fields}\r\nX-To: http://ca.test/\r\n");
        text(&front.ask(from("us.test", "/go", &fields)), "location")
    };
    for fields in [
        "",
        &format!("; {REFUSED}"),
        "\r\nSec-Fetch-Site: cross-site",
        &format!("; {GIVEN}\r\nSec-GPC: 1"),
    ] {
        assert_eq!(out(fields), "http://ca.test/", "{fields}");
    }
    assert!(out(&format!("; {GIVEN}")).contains("?refgate="));

    let token = carrying(&front, "1", HOUR);
    let refused = format!("Cookie: {REFUSED}\r\n");
    for fields in ["", &refused, &format!("Cookie: {GIVEN}\r\nSec-GPC: 1\r\n")] {
        assert_eq!(cookie(&open(&front, &token, fields)), None, "{fields}");
    }
    kept(
        &front,
        &open(&front, &token, &format!("Cookie: {GIVEN}\r\n")),
    );
}

#[test]
fn consent_that_comes_after_the_landing_brings_the_click_with_the_next_page() {
    let front = asking();
    let token = carrying(&front, "1", HOUR);
    assert_eq!(cookie(&open(&front, &token, "")), None);
    let given = format!("Cookie: {GIVEN}\r\n");
    let answer = next(&front, &token, &given);
    let click = kept(&front, &answer);
    assert!(
        click.at < refgate::clock::Time::now().minus(HOUR / 2),
        "its own time"
    );
    assert_eq!(text(&answer, "cache-control"), "private, no-cache");
    assert_eq!(referer(&front), "http://ca.test/?a=1");
    assert_eq!(front.count(Event::ClickLate), 1);
    let brought = cookie(&answer).unwrap();
    let both = format!("{GIVEN}; {brought}");
    assert!(is_credited(&front, "ca.test", 1, &both));
    let told = "  came  by a link or form to ca (taken with the page after)\n";
    assert!(front.explain("1", false).contains(told));
    // Once.
    assert_eq!(
        cookie(&next(&front, &token, &format!("Cookie: {both}\r\n"))),
        None
    );
    // Who has said no, or comes from elsewhere, brings nothing; nor does a sub-resource.
    let refused = format!("Cookie: {REFUSED}\r\n");
    for fields in [
        refused,
        format!("{given}Sec-Fetch-Site: cross-site\r\n"),
        format!("{given}Sec-Fetch-Dest: image\r\n"),
    ] {
        assert_eq!(cookie(&next(&front, &token, &fields)), None, "{fields}");
    }
}

#[test]
fn a_token_that_is_no_good_in_the_address_is_none_in_the_referer() {
    let front = front("", "exclude: { cookies: staff }", ordinary());
    let keys = &front.settings.capture.keys;
    let clicks = || front.visit(&front.cookie_of(HOUR)).clicks;
    let carry = |host: &str, age: u64| {
        let said = Said::Carry {
            clicks: clicks(),
            by: By::Link,
        };
        token(("all", host), keys, said, Duration::from_secs(age))
    };
    let good = carry("ca.test", 0);
    let nonce = "7".to_owned();
    let answer = Said::Answer {
        clicks: clicks(),
        nonce,
    };
    for (token, fields) in [
        (carry("us.test", 0), ""),
        (carry("ca.test", 3_600), ""),
        (
            token(("all", "ca.test"), keys, answer, Duration::ZERO),
            "Cookie: refgate-asked=7\r\n",
        ),
        (format!("{good}&refgate={good}"), ""),
        ("nonsense".repeat(20), ""),
        (good.clone(), "Cookie: staff=1\r\n"),
    ] {
        assert_eq!(
            cookie(&next(&front, &token, fields)),
            None,
            "{token} {fields}"
        );
        assert_eq!(referer(&front), "http://ca.test/?a=1");
    }
    assert_eq!(
        front.count(Event::TokenRefused),
        0,
        "that was said with the landing"
    );
    kept(&front, &next(&front, &good, ""));
}
