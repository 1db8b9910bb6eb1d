//! Which requests are clicks.

use std::time::Duration;

use refgate::clock::Time;
use refgate::event::Event;

use crate::support::front::{Front, cookie, get, with};
use crate::support::shop::ordinary;

#[test]
fn only_a_person_opening_a_page_clicks() {
    let front = Front::of(ordinary());
    let request = |method: &str, fields: &str| {
        format!("{method} /p?affiliate_id=1&a=1 HTTP/1.1\r\nHost: us.test\r\n{fields}\r\n")
    };
    for (method, fields) in [
        ("HEAD", ""),
        ("POST", "Content-Length: 0\r\n"),
        ("PUT", "Content-Length: 0\r\n"),
        ("OPTIONS", ""),
        ("GET", "Sec-Fetch-Dest: image\r\n"),
        ("GET", "Sec-Fetch-Dest: iframe\r\n"),
        ("GET", "Sec-Fetch-Dest: empty\r\n"),
        (
            "GET",
            "Sec-Fetch-Dest: document\r\nSec-Purpose: prefetch\r\n",
        ),
        ("GET", "Sec-Purpose: prefetch;prerender\r\n"),
        ("GET", "Purpose: prefetch\r\n"),
        ("GET", "X-Moz: prefetch\r\n"),
    ] {
        let answer = front.ask(request(method, fields));
        assert_eq!(cookie(&answer), None, "{method} {fields}");
        // The shop does not see the parameter, click or not, and no cache keeps the answer.
        let asked = front.shop.asked();
        let start = &asked.last().unwrap().start;
        assert_eq!(*start, format!("{method} /p?a=1 HTTP/1.1"), "{fields}");
        assert_eq!(answer.get("cache-control").unwrap(), b"private, no-cache");
    }
    assert_eq!(front.count(Event::ClickCaptured), 0);
    for fields in ["", "Sec-Fetch-Dest: document\r\n"] {
        assert!(
            cookie(&front.ask(request("GET", fields))).is_some(),
            "{fields}"
        );
    }
}

#[test]
fn a_repeated_an_empty_and_an_unfit_value_are_none() {
    let front = Front::of(ordinary());
    let refused = [
        "affiliate_id=1&affiliate_id=1",
        "affiliate_id=1&a=b&affiliate_id=2",
        "affiliate_id=",
        "affiliate_id",
        "affiliate_id=x",
        "affiliate_id=1234567890123",
        "affiliate_id=12%2034",
        "affiliate_id=-1",
        "affiliate_id=1%00",
        "affiliate_id=%D9%A1",
    ];
    for query in refused {
        let answer = front.same_but_caching(format!("/?{query}"));
        assert_eq!(cookie(&answer), None, "{query}");
    }
    let count = u64::try_from(refused.len()).unwrap();
    assert_eq!(front.count(Event::ClickRefused), count);
    assert_eq!(front.count(Event::ClickCaptured), 0);
}

#[test]
fn a_reload_moves_nothing_and_a_new_click_from_elsewhere_does() {
    let front = Front::of(ordinary());
    let link = "/?affiliate_id=123456";
    let known = front.cookie_of(Duration::from_secs(86_400));
    let then = front.visit(&known).clicks[0].at;
    let again = |fields: &str| front.ask(get(link, &format!("Cookie: {known}\r\n{fields}")));
    for fields in [
        "",
        "Sec-Fetch-Site: none\r\n",
        "Sec-Fetch-Site: same-origin\r\n",
        "Sec-Fetch-Site: cross-site\r\nCache-Control: max-age=0\r\n",
        "Referer: http://us.test/?affiliate_id=123456\r\n",
    ] {
        assert_eq!(cookie(&again(fields)), None, "{fields}");
    }
    for fields in [
        "Sec-Fetch-Site: cross-site\r\n",
        "Referer: https://blog.example/\r\n",
    ] {
        let moved = front.visit(&cookie(&again(fields)).unwrap());
        assert_eq!(moved.id, front.visit(&known).id, "the visit goes on");
        assert!(moved.clicks[0].at > then, "{fields}");
    }
    // Another partner's is a click however it came.
    let other = front.ask(with(&known, "/?affiliate_id=7"));
    let other = front.visit(&cookie(&other).unwrap());
    assert_eq!(other.clicks.len(), 1);
    assert_eq!(other.clicks[0].values["affiliate_id"], "7");
}

#[test]
fn a_reload_does_not_lengthen_the_window() {
    let front = Front::with("cookie: { window: 30d }", ordinary());
    let day = Duration::from_secs(86_400);
    let known = front.cookie_of(30 * day - Duration::from_secs(60));
    front.ask(with(&known, "/?affiliate_id=123456"));
    front.ask(with(&known, "/checkout/thank-you/1"));
    let click = front.story("1").unwrap().order.click.unwrap();
    assert!(Time::now().since(click.at) > 29 * day);
    let late = front.cookie_of(30 * day + Duration::from_secs(60));
    front.ask(with(&late, "/checkout/thank-you/2"));
    assert_eq!(front.story("2").unwrap().order.click, None);
}
