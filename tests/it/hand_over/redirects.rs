//! A redirect of the shop to a sibling store carries the visitor's clicks.

use refgate::event::Event;

use super::{HOUR, at, follow, front, is_credited, kept, leading, led, seen, text, token};
use crate::support::front::{Front, cookie, from, get, with};
use crate::support::shop::ordinary;

/// Where `to` leads a visitor with a click.
fn leads(front: &Front, known: &str, to: &str) -> String {
    text(&front.ask(led("us.test", known, to)), "location")
}

#[test]
fn a_redirect_brings_the_click_with_its_own_time_and_no_visit() {
    let front = front("", "", leading());
    let known = front.cookie_of(HOUR);
    let answer = front.ask(led("us.test", &known, "http://ca.test/shoes?a=%20+1#x"));
    assert_eq!(answer.status(), 302);
    assert_eq!(text(&answer, "cache-control"), "no-store");
    assert_eq!(cookie(&answer), None);
    let to = text(&answer, "location");
    let (before, behind) = to.split_once("&refgate=").unwrap();
    assert_eq!(before, "http://ca.test/shoes?a=%20+1");
    assert_eq!(behind, format!("{}#x", token(&to)));
    let asked = front.shop.asked();
    assert_eq!(asked.last().unwrap().get("cookie"), None);

    let there = follow(&front, &to, "");
    assert_eq!(seen(&front), "/shoes?a=%20+1");
    assert_eq!(text(&there, "cache-control"), "private, no-cache");
    assert!(kept(&front, &there).is(&front.visit(&known).clicks[0]));
    let brought = cookie(&there).unwrap();
    assert_ne!(front.visit(&brought).id, front.visit(&known).id);
    assert_eq!(front.count(Event::ClickHandedOver), 1);
    assert!(is_credited(&front, "ca.test", 1, &brought));
    let order = front.story("1").unwrap().order;
    assert_eq!(order.click.unwrap().at, at(&front, &known));
    assert!(
        is_credited(&front, "us.test", 2, &known),
        "he is known there as ever"
    );
}

#[test]
fn the_visit_that_begins_in_the_same_answer_goes_along() {
    let front = front("", "", leading());
    let fields = "X-To: http://ca.test/\r\n";
    let answer = front.ask(from("us.test", "/?affiliate_id=77", fields));
    let here = cookie(&answer).unwrap();
    let there = follow(&front, &text(&answer, "location"), "");
    assert!(kept(&front, &there).is(&front.visit(&here).clicks[0]));
    assert!(is_credited(&front, "ca.test", 1, &cookie(&there).unwrap()));
}

#[test]
fn nothing_is_changed_for_a_stranger_nor_for_what_is_no_page() {
    let front = front("", "", leading());
    let known = front.cookie_of(HOUR);
    let to = "X-To: http://ca.test/\r\n";
    let conditional = "Accept-Encoding: br, gzip\r\nIf-None-Match: \"1\"\r\n";
    for fields in [
        conditional.to_owned(),
        format!("{conditional}Cookie: a=1; refgate2=2\r\n"),
        "Cookie: refgate=nonsense\r\n".to_owned(),
        format!("Cookie: {known}\r\nSec-Fetch-Dest: image\r\n{conditional}"),
        format!("Cookie: {known}\r\nSec-Fetch-Dest: iframe\r\n"),
        format!("Cookie: {known}\r\nSec-Fetch-Dest: empty\r\n"),
    ] {
        front.same(get("/go", &format!("{to}{fields}")));
        if fields.contains(conditional) {
            let asked = front.shop.asked();
            let through = &asked[asked.len() - 2];
            assert_eq!(text(through, "accept-encoding"), "br, gzip", "{fields}");
            assert_eq!(text(through, "if-none-match"), "\"1\"", "{fields}");
        }
    }
    let head = led("us.test", &known, "http://ca.test/").replace("GET", "HEAD");
    front.same(head);
}

#[test]
fn only_the_very_address_of_a_sibling_gets_a_token() {
    let front = front("", "", leading());
    let known = front.cookie_of(HOUR);
    for to in [
        "//ca.test/x",
        "http://ca.test",
        "HTTP://CA.TEST:80/",
        "http://www.ca.test/",
        "https://safe.test/",
        "http://one.dom.test/",
    ] {
        assert!(leads(&front, &known, to).contains("?refgate="), "{to}");
    }
    for to in [
        "/ca.test/",
        "ca.test/",
        "?a=http://ca.test/",
        "http:ca.test/",
        "http:/ca.test/",
        "///ca.test/",
        "javascript://ca.test/",
        "http://us.test/next",
        "//us.test/",
        "http://far.test/",
        "https://ca.test/",
        "http://safe.test/",
        "http://ca.test:81/",
        "http://ca.test:080/",
        "//evil.test/",
        "//evil.test/ca.test",
        "\\\\ca.test/",
        "http:\\\\ca.test/",
        "http://evil.test\\@ca.test/",
        "http://ca.test\\@evil.test/",
        "http://ca.test@evil.test/",
        "http://evil.test@ca.test/",
        "http://ca.test:x@evil.test/",
        "http://ca.test.evil.test/",
        "http://ca.test./",
        "http://xca.test/",
        "http://ca.test%2eevil.test/",
        "http://ca.test%00.evil.test/",
        "http://c\u{430}.test/",
        "http://ca.test\t.evil.test/",
        "http://ca.test/?refgate=1",
        "http://ca.test/?a=1&sig=2",
        "http://ca.test/a.pdf",
    ] {
        assert_eq!(leads(&front, &known, to), to);
    }
}

#[test]
fn every_redirect_leads_on_and_nothing_else() {
    let front = front("", "", leading());
    let known = front.cookie_of(HOUR);
    let asked = led("us.test", &known, "http://ca.test/");
    for status in ["301 Moved", "302 Found", "303 See Other", "307 T", "308 P"] {
        for method in ["GET", "POST"] {
            let request = asked.replace("X-To", &format!("X-Status: {status}\r\nX-To"));
            let request = match method {
                "POST" => request
                    .replace("GET", "POST")
                    .replace("X-To", "Content-Length: 0\r\nX-To"),
                _ => request,
            };
            let answer = front.ask(request);
            let to = text(&answer, "location");
            assert!(
                to.starts_with("http://ca.test/?refgate="),
                "{method} {status}: {to}"
            );
            assert_eq!(text(&answer, "cache-control"), "no-store");
        }
    }
    for status in ["200 OK", "201 Created", "304 Not Modified", "404 Not Found"] {
        front.same(asked.replace("X-To", &format!("X-Status: {status}\r\nX-To")));
    }
    // Of two, nobody knows which one is followed.
    front.same(asked.replace("/go", "/twice"));
}

#[test]
fn a_refresh_in_the_head_leads_on_too() {
    let front = front("", "", leading());
    let known = front.cookie_of(HOUR);
    let asked = |status: &str, refresh: &str| {
        let fields = format!("Cookie: {known}\r\nX-Status: {status}\r\nX-Refresh: {refresh}\r\n");
        get("/go", &fields)
    };
    for refresh in ["0; url=http://ca.test/a?b=1", "5;URL='//ca.test/a?b=1'"] {
        let answer = front.ask(asked("200 OK", refresh));
        let to = text(&answer, "refresh");
        let back = to.replace(&format!("&refgate={}", token(&to)), "");
        assert_eq!(back, refresh);
        assert_eq!(text(&answer, "cache-control"), "private, no-cache");
        let there = follow(
            &front,
            &format!("http://ca.test/?refgate={}", token(&to)),
            "",
        );
        assert!(kept(&front, &there).is(&front.visit(&known).clicks[0]));
    }
    for refresh in [
        "5",
        "0; url=/next",
        "0; url=http://far.test/",
        "0; url=http://ca.test@evil.test/",
    ] {
        front.same(asked("200 OK", refresh));
    }
}

#[test]
fn hosts_that_share_a_cookie_hand_nothing_over_to_one_another() {
    let front = front("", "", leading());
    let known = front.cookie_of(HOUR);
    let to = "http://two.dom.test/";
    front.same(led("one.dom.test", &known, to));
    let out = text(
        &front.ask(led("one.dom.test", &known, "http://ca.test/")),
        "location",
    );
    assert!(out.contains("refgate="), "{out}");
    // Nor does the operator's no.
    let off = super::front("redirects: false", "", leading());
    off.same(led("us.test", &off.cookie_of(HOUR), "http://ca.test/"));
}

#[test]
fn no_window_grows_by_changing_stores() {
    let front = front("", "cookie: { window: 30d }", leading());
    let first = front.cookie_of(29 * 24 * HOUR);
    let mut known = first.clone();
    for (here, there) in [("us", "ca"), ("ca", "www.ca"), ("www.ca", "us")] {
        let to = format!("http://{there}.test/");
        let answer = front.ask(led(&format!("{here}.test"), &known, &to));
        let answer = follow(&front, &text(&answer, "location"), "");
        known = cookie(&answer).unwrap();
        assert_eq!(at(&front, &known), at(&front, &first), "{here} {there}");
        let set = text(&answer, "set-cookie");
        let (_, age) = set.split_once("Max-Age=").unwrap();
        let age: u64 = age.split(';').next().unwrap().parse().unwrap();
        assert!(age <= 24 * 3_600, "{set}");
    }
    // Of a click that is too old nothing is left.
    let old = front.cookie_of(31 * 24 * HOUR);
    front.same(led("us.test", &old, "http://ca.test/"));
}

#[test]
fn a_store_alone_knows_no_token() {
    let alone = "stores:\n  us: { hosts: us.test, scheme: http, insecure_http: true, upstream: 'http://SHOP', \
        currency: USD, number_format: '1,234.56', max_amount: 5000, consent: not_needed, checkout: [/cart, /checkout], orders: test }\n\
        hand_over: {}";
    let front = Front::with(alone, ordinary());
    let known = front.click();
    let answer = front.ask(with(&known, "/?refgate=1"));
    assert_eq!(seen(&front), "/?refgate=1");
    assert_eq!(answer.get("cache-control"), None);
    assert_eq!(front.count(Event::TokenRefused), 0);
}
