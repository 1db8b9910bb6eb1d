//! A token that arrives: when it is taken, and what the shop sees of it.

use std::time::Duration;

use refgate::capture::token::{Message as Said, Way};
use refgate::click::{By, Came, Click};
use refgate::clock::Time;
use refgate::event::Event;
use refgate::seal::Keys;

use super::{HOUR, PERSON, at, front, is_credited, kept, leading, seen, text};
use crate::support::front::{Front, cookie, from};
use crate::support::message::Message;
use crate::support::sealed::foreign;
use crate::support::shop::ordinary;

/// A click of that partner, so long ago.
fn click(partner: &str, age: Duration) -> Click {
    Click {
        network: "aspire".parse().unwrap(),
        values: [("affiliate_id".to_owned(), partner.to_owned())].into(),
        at: Time::now().minus(age),
        came: Came::default(),
    }
}

/// A token as a sibling makes it for `host` of `group`, so long ago.
pub(super) fn token((group, host): (&str, &str), keys: &Keys, said: Said, age: Duration) -> String {
    let group = group.parse().unwrap();
    let way = Way {
        group: &group,
        host,
    };
    way.seal(keys, said, Time::now().minus(age)).unwrap()
}

/// One for the Canadian store, with a click of that partner, made now.
pub(super) fn carrying(front: &Front, partner: &str, age: Duration) -> String {
    let clicks = vec![click(partner, age)];
    let keys = &front.settings.capture.keys;
    token(
        ("all", "ca.test"),
        keys,
        Said::Carry {
            clicks,
            by: By::Link,
        },
        Duration::ZERO,
    )
}

/// Opens the Canadian store's page with this token.
pub(super) fn open(front: &Front, token: &str, fields: &str) -> Message {
    front.ask(from(
        "ca.test",
        &format!("/p?a=1&refgate={token}&b"),
        fields,
    ))
}

fn partner(click: &Click) -> &str {
    &click.values["affiliate_id"]
}

#[test]
fn no_other_token_is_taken_and_none_is_seen_by_the_shop() {
    let front = front("lifetime: 10m", "", ordinary());
    let keys = &front.settings.capture.keys;
    let (here, minute) = (("all", "ca.test"), Duration::from_secs(60));
    let carry = || Said::Carry {
        clicks: vec![click("1", HOUR)],
        by: By::Link,
    };
    let good = token(here, keys, carry(), Duration::ZERO);
    kept(&front, &open(&front, &good, ""));
    kept(
        &front,
        &open(&front, &token(here, keys, carry(), 9 * minute), ""),
    );

    let (nonce, clicks) = ("7".to_owned(), vec![click("1", HOUR)]);
    let middle = if good.as_bytes()[40] == b'A' {
        "B"
    } else {
        "A"
    };
    let mut altered = good.clone();
    altered.replace_range(40..41, middle);
    let refused = [
        token(here, keys, carry(), 11 * minute),
        token(("all", "us.test"), keys, carry(), Duration::ZERO),
        token(("all", "www.ca.test"), keys, carry(), Duration::ZERO),
        token(("far", "ca.test"), keys, carry(), Duration::ZERO),
        token(here, &foreign(), carry(), Duration::ZERO),
        token(here, keys, Said::Answer { clicks, nonce }, Duration::ZERO),
        altered,
        good.split_at(1).1.to_owned(),
        good.split_at(good.len() - 4).0.to_owned(),
        format!("{good}&refgate={good}"),
        "x".repeat(5_000),
    ];
    for (number, token) in refused.iter().enumerate() {
        let answer = open(&front, token, "");
        assert_eq!(cookie(&answer), None, "{token}");
        assert_eq!(answer.status(), 200);
        assert_eq!(seen(&front), "/p?a=1&b", "{token}");
        assert_eq!(text(&answer, "cache-control"), "private, no-cache");
        let count = u64::try_from(number).unwrap() + 1;
        assert_eq!(front.count(Event::TokenRefused), count, "{token}");
    }
    // A click that is too old, or of a network that is not known here.
    let other = Click {
        network: "other".parse().unwrap(),
        ..click("1", HOUR)
    };
    for one in [click("1", 31 * 24 * HOUR), other] {
        let (clicks, by) = (vec![one], By::Link);
        let said = Said::Carry { clicks, by };
        let answer = open(&front, &token(here, keys, said, Duration::ZERO), "");
        assert_eq!(cookie(&answer), None);
    }
    assert_eq!(front.count(Event::ClickHandedOver), 2);
}

#[test]
fn a_token_that_is_opened_twice_says_the_same_twice() {
    let front = front("", "", ordinary());
    let token = carrying(&front, "1", HOUR);
    let first = cookie(&open(&front, &token, "")).unwrap();
    let again = open(&front, &token, &format!("Cookie: {first}\r\n"));
    assert_eq!(cookie(&again), None, "nothing is new");
    let other = cookie(&open(&front, &token, "")).unwrap();
    assert_eq!(at(&front, &first), at(&front, &other));
    assert_ne!(front.visit(&first).id, front.visit(&other).id);
    assert_eq!(front.count(Event::ClickHandedOver), 2);
}

#[test]
fn the_newer_of_two_clicks_wins_wherever_it_was() {
    let front = front("", "", ordinary());
    let known = front.cookie_of(2 * HOUR);
    let fields = format!("Cookie: {known}\r\n");
    let older = open(&front, &carrying(&front, "1", 3 * HOUR), &fields);
    assert_eq!(cookie(&older), None);
    let newer = open(&front, &carrying(&front, "2", HOUR), &fields);
    assert_eq!(partner(&kept(&front, &newer)), "2");
    let kept = cookie(&newer).unwrap();
    assert_eq!(front.visit(&kept).id, front.visit(&known).id);
}

#[test]
fn under_first_click_the_older_wins_but_no_other_persons() {
    let front = front("", "cookie: { attribution: first_click }", ordinary());
    let known = front.cookie_of(2 * HOUR);
    let fields = format!("Cookie: {known}\r\n");
    let from_sibling = format!("{fields}Referer: http://us.test/\r\n");
    let (older, newer) = (carrying(&front, "1", 3 * HOUR), carrying(&front, "2", HOUR));
    assert_eq!(cookie(&open(&front, &newer, &from_sibling)), None);
    // A link that somebody has posted elsewhere.
    for referer in [
        "",
        "Referer: http://blog.test/\r\n",
        "Referer: http://us.test.blog.test/\r\n",
    ] {
        let answer = open(&front, &older, &format!("{fields}{referer}"));
        assert_eq!(cookie(&answer), None, "{referer}");
    }
    let answer = open(&front, &older, &from_sibling);
    assert_eq!(partner(&kept(&front, &answer)), "1");
    // One who has no click here may have it in any case.
    assert_eq!(partner(&kept(&front, &open(&front, &older, ""))), "1");
}

#[test]
fn only_a_person_who_opens_a_page_brings_a_click() {
    let front = front("", "exclude: { bots: true, cookies: staff }", ordinary());
    let token = carrying(&front, "1", HOUR);
    let target = format!("/p?refgate={token}");
    for (method, fields) in [
        ("HEAD", ""),
        ("POST", "Content-Length: 0\r\n"),
        ("PUT", "Content-Length: 0\r\n"),
        ("GET", "Sec-Fetch-Dest: image\r\n"),
        ("GET", "Sec-Fetch-Dest: empty\r\n"),
        ("GET", "Sec-Fetch-Dest: iframe\r\n"),
        ("GET", "Sec-Purpose: prefetch\r\n"),
        (
            "GET",
            "Sec-Purpose: prefetch;prerender\r\nSec-Fetch-Dest: document\r\n",
        ),
        ("GET", "Cookie: staff=1\r\n"),
        (
            "GET",
            "User-Agent: Mozilla/5.0 (compatible; Googlebot/2.1)\r\n",
        ),
    ] {
        let answer = front.ask(from("ca.test", &target, fields).replacen("GET", method, 1));
        assert_eq!(cookie(&answer), None, "{method} {fields}");
        assert_eq!(seen(&front), "/p", "{method} {fields}");
        assert_eq!(text(&answer, "cache-control"), "private, no-cache");
    }
    kept(&front, &front.ask(from("ca.test", &target, PERSON)));
}

/// A form of another site brings no cookie of ours, so it is the page behind that knows the visit.
#[test]
fn a_form_that_is_sent_brings_the_click_to_the_page_behind() {
    let front = front("", "", leading());
    let token = carrying(&front, "1", HOUR);
    let send = |token: &str, to: &str, fields: &str| {
        let fields = format!("X-To: {to}\r\nContent-Length: 0\r\n{fields}");
        let request = from("ca.test", &format!("/p?refgate={token}"), &fields);
        let answer = front.ask(request.replacen("GET", "POST", 1));
        assert_eq!((cookie(&answer), seen(&front)), (None, "/p".to_owned()));
        assert_eq!(text(&answer, "cache-control"), "no-store");
        text(&answer, "location")
    };
    for to in [
        "/next",
        "/next?a=1#b",
        "http://ca.test/next",
        "//CA.test/next",
    ] {
        let (path, fragment) = to.split_once('#').unwrap_or((to, ""));
        let mark = if path.contains('?') { '&' } else { '?' };
        let end = if fragment.is_empty() { "" } else { "#b" };
        let expected = format!("{path}{mark}refgate={token}{end}");
        assert_eq!(send(&token, to, ""), expected);
    }
    for to in [
        "//us.test/",
        "http://evil.test/",
        "///ca.test/",
        "/\\\\evil.test/",
        "next",
        "http://ca.test@evil.test/",
    ] {
        assert_eq!(send(&token, to, ""), to);
    }
    for (token, fields) in [
        ("nonsense".repeat(20).as_str(), ""),
        (token.as_str(), "Sec-Fetch-Dest: empty\r\n"),
    ] {
        assert_eq!(send(token, "/next", fields), "/next");
    }
    // The page behind has his cookie, and the newer click of the two.
    let known = format!("Cookie: {}\r\n", front.cookie_of(HOUR / 2));
    let to = send(&token, "/next", "");
    assert_eq!(cookie(&front.ask(from("ca.test", &to, &known))), None);
    assert_eq!(
        partner(&kept(&front, &front.ask(from("ca.test", &to, "")))),
        "1"
    );
}

#[test]
fn where_parameters_are_kept_the_token_is_not() {
    let front = front("", "cookie: { parameter: keep }", ordinary());
    let token = carrying(&front, "1", HOUR);
    let target = format!("/p?affiliate_id=7&refgate={token}&x");
    let answer = front.ask(from("ca.test", &target, ""));
    assert_eq!(seen(&front), "/p?affiliate_id=7&x");
    assert_eq!(partner(&kept(&front, &answer)), "7", "the newer one");
    kept(&front, &open(&front, &token, ""));
    assert_eq!(seen(&front), "/p?a=1&b");
}

#[test]
fn what_is_no_token_by_its_look_is_the_shops_own() {
    let front = front("", "", ordinary());
    for value in ["", "4", "%ff", "a%20b", &"x".repeat(60), &"x+".repeat(100)] {
        let target = format!("/p?a=1&refgate={value}&b");
        front.same(from("ca.test", &target, ""));
        assert_eq!(seen(&front), target);
    }
    assert_eq!(front.count(Event::TokenRefused), 0);
}

#[test]
fn where_the_browser_is_sent_on_it_shows_no_token() {
    let front = front("", "cookie: { parameter: redirect }", ordinary());
    let token = carrying(&front, "1", HOUR);
    for (token, is_kept) in [(token.as_str(), true), (&"nonsense".repeat(20), false)] {
        let answer = open(&front, token, "");
        assert_eq!(answer.status(), 302);
        assert_eq!(text(&answer, "location"), "http://ca.test/p?a=1&b");
        assert_eq!(text(&answer, "cache-control"), "no-store");
        assert_eq!(cookie(&answer).is_some(), is_kept);
    }
    assert_eq!(front.shop.asked().len(), 0);
    // A form that is sent is not sent twice.
    let post = format!("/p?refgate={token}");
    let post = from("ca.test", &post, "Content-Length: 0\r\n").replacen("GET", "POST", 1);
    assert_eq!(front.ask(post).status(), 200);
    assert_eq!(seen(&front), "/p");
}

#[test]
fn the_parameter_has_the_operators_name() {
    let front = front("parameter: sid", "", ordinary());
    let token = carrying(&front, "1", HOUR);
    assert_eq!(cookie(&open(&front, &token, "")), None);
    assert_eq!(seen(&front), format!("/p?a=1&refgate={token}&b"));
    let answer = front.ask(from("ca.test", &format!("/p?sid={token}"), ""));
    assert!(is_credited(&front, "ca.test", 1, &cookie(&answer).unwrap()));
}

#[test]
fn a_clock_that_is_behind_takes_it_all_the_same() {
    let front = front("", "", ordinary());
    let keys = &front.settings.capture.keys;
    for (ahead, is_taken) in [(240, true), (360, false)] {
        let (clicks, by) = (vec![click("1", HOUR)], By::Link);
        let group = "all".parse().unwrap();
        let way = Way {
            group: &group,
            host: "ca.test",
        };
        let made = Time::now().plus(Duration::from_secs(ahead));
        let token = way.seal(keys, Said::Carry { clicks, by }, made).unwrap();
        assert_eq!(
            cookie(&open(&front, &token, "")).is_some(),
            is_taken,
            "{ahead}"
        );
    }
}
