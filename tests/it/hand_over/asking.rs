//! A visitor nobody knows is sent to a sibling store and back.

use std::time::Duration;

use refgate::capture::token::Message as Said;
use refgate::event::Event;

use super::tokens::token as made;
use super::{HOUR, PERSON, follow, front, is_credited, kept, seen, text};
use crate::support::front::{Front, cookie, from};
use crate::support::message::Message;
use crate::support::shop::ordinary;

const ASK: &str = "redirects: false, links: false, ask: us";

/// What the marker holds that an answer sets; none if it sets none.
fn marker(answer: &Message) -> Option<String> {
    let fields = answer.all("set-cookie").into_iter();
    let mut texts = fields.map(|field| String::from_utf8(field).unwrap());
    let marker = texts.find(|text| text.starts_with("refgate-asked="))?;
    let (marker, attributes) = marker.split_once(';').unwrap();
    assert_eq!(attributes, " Path=/; Max-Age=1800; HttpOnly; SameSite=Lax");
    Some(marker.to_owned())
}

/// Opens a page of the Canadian store.
fn arrive(front: &Front, target: &str, fields: &str) -> Message {
    front.ask(from("ca.test", target, &format!("{PERSON}{fields}")))
}

/// The question that an answer puts: where it leads, and the marker.
fn asked(answer: &Message) -> (String, String) {
    assert_eq!(answer.status(), 302, "{answer:?}");
    assert_eq!(text(answer, "cache-control"), "no-store");
    let to = text(answer, "location");
    (to, marker(answer).expect("no marker"))
}

/// Where the other store sends the visitor back to.
fn back(front: &Front, to: &str, fields: &str) -> String {
    let answer = follow(front, to, &format!("{PERSON}{fields}"));
    assert_eq!(answer.status(), 302, "{answer:?}");
    assert_eq!(text(&answer, "cache-control"), "no-store");
    text(&answer, "location")
}

#[test]
fn one_redirect_there_and_one_back_bring_the_click() {
    let front = front(ASK, "", ordinary());
    let known = front.cookie_of(HOUR);
    let (to, marker_then) = asked(&arrive(&front, "/p?a=%20b", "Sec-Fetch-Site: none\r\n"));
    assert!(to.starts_with("http://us.test/?refgate="), "{to}");
    let home = back(&front, &to, &format!("Cookie: {known}\r\n"));
    assert!(
        home.starts_with("http://ca.test/p?a=%20b&refgate="),
        "{home}"
    );
    assert_eq!(front.shop.asked().len(), 0, "no shop has been asked");

    let answer = follow(&front, &home, &format!("{PERSON}Cookie: {marker_then}\r\n"));
    assert_eq!(answer.status(), 200);
    assert_eq!(seen(&front), "/p?a=%20b");
    let asked = front.shop.asked();
    assert_eq!(asked[0].get("cookie"), None);
    assert_eq!(marker(&answer).unwrap(), "refgate-asked=1");
    assert!(kept(&front, &answer).is(&front.visit(&known).clicks[0]));
    let brought = cookie(&answer).unwrap();
    assert_ne!(front.visit(&brought).id, front.visit(&known).id);
    assert!(is_credited(&front, "ca.test", 1, &brought));
    assert_eq!(front.count(Event::StoreAsked), 1);
    assert_eq!(front.count(Event::ClickHandedOver), 1);
}

#[test]
fn one_whom_nobody_knows_is_asked_about_once() {
    let front = front(ASK, "", ordinary());
    let (to, marker_then) = asked(&arrive(&front, "/", ""));
    // Another page, while he is away.
    let away = format!("Cookie: {marker_then}\r\n");
    assert_eq!(arrive(&front, "/", &away).status(), 200);
    let home = back(&front, &to, "");
    let answer = follow(&front, &home, &format!("{PERSON}{away}"));
    assert_eq!((answer.status(), cookie(&answer)), (200, None));
    let done = format!("Cookie: {}\r\n", marker(&answer).unwrap());
    assert_eq!(done, "Cookie: refgate-asked=1\r\n");
    assert_eq!(arrive(&front, "/", &done).status(), 200);
    assert_eq!(front.count(Event::StoreAsked), 1);
    assert_eq!(front.count(Event::TokenRefused), 0);
}

#[test]
fn nobody_else_is_asked_about() {
    let front = front(ASK, "exclude: { bots: true, cookies: staff }", ordinary());
    let known = front.cookie_of(HOUR);
    let ask = |method: &str, target: &str, fields: &str| {
        front.ask(from("ca.test", target, fields).replacen("GET", method, 1))
    };
    let person = |fields: &str| format!("{PERSON}{fields}");
    for (method, target, fields) in [
        ("GET", "/", String::new()),
        (
            "GET",
            "/",
            "User-Agent: curl/8.0\r\nAccept: */*\r\n".to_owned(),
        ),
        ("GET", "/", "Sec-Fetch-Mode: navigate\r\n".to_owned()),
        (
            "GET",
            "/",
            "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n".to_owned(),
        ),
        (
            "GET",
            "/",
            "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n".to_owned(),
        ),
        ("GET", "/", person("Sec-Purpose: prefetch\r\n")),
        ("GET", "/", person("User-Agent: Googlebot/2.1\r\n")),
        ("GET", "/", person("Cookie: staff=1\r\n")),
        ("GET", "/", person(&format!("Cookie: {known}\r\n"))),
        // He has been asked about with the page before, and keeps no cookies.
        ("GET", "/", person("Sec-Fetch-Site: same-origin\r\n")),
        ("HEAD", "/", person("")),
        ("POST", "/", person("Content-Length: 0\r\n")),
        ("GET", "/?affiliate_id=1", person("")),
        ("GET", &format!("/?refgate={}", "1".repeat(200)), person("")),
        ("GET", "/checkout/thank-you/1", person("")),
        // Longer than a token may be.
        ("GET", &format!("/?{}", "x".repeat(3_000)), person("")),
    ] {
        let answer = ask(method, target, &fields);
        assert_eq!(answer.status(), 200, "{method} {target} {fields}");
        assert_eq!(marker(&answer), None, "{method} {target} {fields}");
    }
    // A store that is asked itself has nobody to ask; a group of its own neither.
    for host in ["us.test", "far.test"] {
        assert_eq!(front.ask(from(host, "/", PERSON)).status(), 200, "{host}");
    }
    assert_eq!(front.count(Event::StoreAsked), 0);
    // With a cookie of the shop's he may have said yes since the page before.
    asked(&arrive(
        &front,
        "/",
        "Sec-Fetch-Site: same-origin\r\nCookie: a=1\r\n",
    ));
}

#[test]
fn an_answer_counts_only_in_the_browser_that_asked() {
    let front = front(ASK, "", ordinary());
    let known = format!("Cookie: {}\r\n", front.cookie_of(HOUR));
    let (to, _) = asked(&arrive(&front, "/", ""));
    let home = back(&front, &to, &known);
    let (_, other) = asked(&arrive(&front, "/", ""));
    for fields in [
        String::new(),
        format!("Cookie: {other}\r\n"),
        "Cookie: refgate-asked=1\r\n".to_owned(),
        "Cookie: refgate-asked=\r\n".to_owned(),
    ] {
        let answer = follow(&front, &home, &format!("{PERSON}{fields}"));
        assert_eq!((answer.status(), cookie(&answer)), (200, None), "{fields}");
        assert_eq!(seen(&front), "/");
    }
    assert_eq!(front.count(Event::TokenRefused), 4);
}

#[test]
fn of_several_tabs_the_last_one_brings_the_click_and_none_is_sent_again() {
    let front = front(ASK, "", ordinary());
    let known = format!("Cookie: {}\r\n", front.cookie_of(HOUR));
    let (first, _) = asked(&arrive(&front, "/1", ""));
    let (second, marker_then) = asked(&arrive(&front, "/2", ""));
    // The browser has the newer marker.
    let mine = format!("{PERSON}Cookie: {marker_then}\r\n");
    let answer = follow(&front, &back(&front, &first, &known), &mine);
    assert_eq!((answer.status(), cookie(&answer)), (200, None));
    assert_eq!(
        marker(&answer),
        None,
        "the other tab's answer is still to come"
    );
    let answer = follow(&front, &back(&front, &second, &known), &mine);
    kept(&front, &answer);
}

#[test]
fn the_sibling_that_he_comes_from_is_asked() {
    let front = front(ASK, "", ordinary());
    for (referer, expected) in [
        ("http://www.ca.test/x", "http://www.ca.test/?refgate="),
        ("https://safe.test/", "https://safe.test/?refgate="),
        ("http://far.test/", "http://us.test/?refgate="),
        ("http://blog.test/", "http://us.test/?refgate="),
        ("http://safe.test/", "http://us.test/?refgate="),
        ("http://www.ca.test@evil.test/", "http://us.test/?refgate="),
    ] {
        let (to, _) = asked(&arrive(&front, "/", &format!("Referer: {referer}\r\n")));
        assert!(to.starts_with(expected), "{referer}: {to}");
    }
}

#[test]
fn by_https_the_marker_is_of_the_host_alone() {
    let front = front(ASK, "trusted_proxies: [127.0.0.1]", ordinary());
    let fields = format!("{PERSON}X-Forwarded-Proto: https\r\n");
    let answer = front.ask(from("safe.test", "/p", &fields));
    assert!(text(&answer, "location").starts_with("http://us.test/?refgate="));
    let set = text(&answer, "set-cookie");
    let (name, behind) = set.split_once('=').unwrap();
    let (nonce, attributes) = behind.split_once(';').unwrap();
    assert_eq!((name, nonce.len()), ("__Host-refgate-asked", 32));
    assert_eq!(
        attributes,
        " Path=/; Max-Age=1800; HttpOnly; SameSite=Lax; Secure"
    );
}

#[test]
fn whoever_is_asked_about_comes_back() {
    let excluding = "exclude: { cookies: staff }";
    let front = front(ASK, excluding, ordinary());
    // Staff of the other store, and one whose clock's store is behind.
    let (to, marker_then) = asked(&arrive(&front, "/p", ""));
    let staff = format!("Cookie: staff=1; {}\r\n", front.cookie_of(HOUR));
    let home = back(&front, &to, &staff);
    let mine = format!("{PERSON}Cookie: {marker_then}\r\n");
    let answer = follow(&front, &home, &mine);
    assert_eq!((answer.status(), cookie(&answer)), (200, None));

    let keys = &front.settings.capture.keys;
    let question = |age: u64| {
        let said = Said::Ask {
            back: "http://ca.test/p".to_owned(),
            from: "ca.test".to_owned(),
            nonce: "7".to_owned(),
        };
        let token = made(("all", "us.test"), keys, said, Duration::from_secs(age));
        format!("http://us.test/?refgate={token}")
    };
    let known = format!("Cookie: {}\r\n", front.cookie_of(HOUR));
    let home = back(&front, &question(240), &known);
    let answer = follow(
        &front,
        &home,
        &format!("{PERSON}Cookie: refgate-asked=7\r\n"),
    );
    kept(&front, &answer);
    // What is older leads nowhere.
    let old = follow(&front, &question(400), &format!("{PERSON}{known}"));
    assert_eq!((old.status(), old.get("location")), (200, None));
}

#[test]
fn nobody_is_sent_anywhere_but_by_a_sealed_question() {
    let front = front(ASK, "", ordinary());
    let known = format!("{PERSON}Cookie: {}\r\n", front.cookie_of(HOUR));
    let (to, _) = asked(&arrive(&front, "//evil.test/", ""));
    let home = back(&front, &to, "");
    assert!(
        home.starts_with("http://ca.test//evil.test/?refgate="),
        "{home}"
    );
    for target in [
        "/?refgate=http://evil.test/",
        "/?back=http://evil.test/&refgate=1",
    ] {
        assert_eq!(front.ask(from("us.test", target, &known)).status(), 200);
    }
    // What was for one store is nothing at another.
    let elsewhere = to.replace("us.test", "www.ca.test");
    assert_eq!(follow(&front, &elsewhere, &known).status(), 200);
    assert_eq!(
        follow(&front, &to, "Sec-Fetch-Dest: image\r\n").status(),
        200
    );
}

/// The alarm looks at whole minutes that are over (`capture/hops.rs`): within one it is silent.
#[test]
fn many_who_do_not_come_back_within_a_minute_prove_nothing_yet() {
    let front = front(ASK, "", ordinary());
    for _ in 0..25 {
        asked(&arrive(&front, "/", ""));
    }
    assert_eq!(front.count(Event::StoreAsked), 25);
    assert_eq!(front.count(Event::HopsFail), 0);
}
