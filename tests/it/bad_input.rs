//! What strangers, shops, disks and networks do wrong: the shopper gets the shop's page as if
//! refgate were not there, and the event is counted.

mod body;
mod disk;
mod locked;
mod network;
mod panics;

use std::time::Duration;

use refgate::event::Event;
use refgate::order::Standing;
use refgate::seal::Keys;
use refgate::visit::Visit;
use serde_json::json;

use crate::support::front::{Front, assert_same, cookie, from, get, with};
use crate::support::shop::{HTML, Shop, ordinary, page, thanks};

/// Asks for a confirmation with this `Cookie`: the shop's page, and an organic order.
fn organic(front: &Front, cookie: &[u8], id: usize) {
    let id = id.to_string();
    let head = format!("GET /checkout/thank-you/{id} HTTP/1.1\r\nHost: us.test\r\nCookie: ");
    let request = [head.as_bytes(), cookie, b"\r\n\r\n"].concat();
    front.same(&request);
    let shown = String::from_utf8_lossy(&cookie[..cookie.len().min(100)]).into_owned();
    let story = front
        .story(&id)
        .unwrap_or_else(|| panic!("no order with {shown}"));
    assert_eq!(story.order.standing, Standing::Organic, "{shown}");
}

/// `visit` in an envelope with this changed, sealed with the app's own key.
fn sealed(front: &Front, visit: &Visit, change: &serde_json::Value) -> String {
    let mut envelope = json!({"version": 1, "purpose": "visit", "group": "all", "visit": visit});
    for (key, value) in change.as_object().unwrap() {
        envelope[key.as_str()] = value.clone();
    }
    let keys = &front.settings.capture.keys;
    format!("refgate={}", keys.seal("refgate", &envelope.to_string()))
}

#[test]
fn a_cookie_at_fault_is_no_visit() {
    let front = Front::of(ordinary());
    let good = front.click();
    let visit = front.visit(&good);
    let value = good.strip_prefix("refgate=").unwrap();
    let foreign = Keys::parse(["ab".repeat(64).as_str()]).unwrap();
    let mut tampered = good.clone().into_bytes();
    let middle = tampered.len() / 2;
    tampered[middle] = if tampered[middle] == b'A' { b'B' } else { b'A' };
    let text = |text: String| text.into_bytes();
    let cookies = [
        tampered,
        good.as_bytes()[..good.len() - 4].to_vec(),
        text(format!("{good}AAAA")),
        text(format!("refgate={}", foreign.seal("refgate", "{}"))),
        text(format!(
            "refgate={}",
            front.settings.capture.keys.seal("other", "{}")
        )),
        text(sealed(&front, &visit, &json!({"version": 2}))),
        text(sealed(&front, &visit, &json!({"purpose": "token"}))),
        text(sealed(&front, &visit, &json!({"group": "other"}))),
        text(sealed(&front, &visit, &json!({"visit": "me"}))),
        text("refgate=".to_owned()),
        text("refgate".to_owned()),
        text(format!("refgate=\"{value}\"")),
        b"refgate=\xff\xfe\x80".to_vec(),
        text(format!("refgate={}", "A".repeat(5_000))),
        text(format!("refgate={}", "A".repeat(50_000))),
    ];
    for (id, cookie) in cookies.iter().enumerate() {
        organic(&front, cookie, id);
    }
    let count = u64::try_from(cookies.len()).unwrap();
    assert_eq!(front.count(Event::CookieRefused), count);
    // The cookie of an http store is none in an https store: the name is sealed too.
    let request = from(
        "safe.test",
        "/checkout/thank-you/900",
        &format!("Cookie: __Host-refgate={value}\r\n"),
    );
    front.same(request);
    assert_eq!(front.story("900").unwrap().order.click, None);
    assert_eq!(front.count(Event::CookieRefused), count + 1);
    // And the good one is still good.
    front.ask(with(&good, "/checkout/thank-you/901"));
    assert_eq!(
        front.story("901").unwrap().order.standing,
        Standing::Credited
    );
}

#[test]
fn an_expired_cookie_is_no_visit() {
    let front = Front::of(ordinary());
    let day = Duration::from_secs(86_400);
    let old = front.cookie_of(30 * day + Duration::from_secs(60));
    organic(&front, old.as_bytes(), 1);
    assert_eq!(front.count(Event::CookieExpired), 1);
    assert_eq!(front.count(Event::CookieRefused), 0);
}

#[test]
fn many_cookies_are_looked_at_within_bounds() {
    let front = Front::of(ordinary());
    let many = "refgate=x; ".repeat(1_000);
    organic(&front, many.as_bytes(), 1);
    assert_eq!(front.count(Event::CookieRefused), 1_000);
    let asked = front.shop.asked();
    assert_eq!(asked[0].get("cookie"), None);
    // One good one among bad ones is found, and the newest click decides.
    let (old, new) = (front.cookie_of(Duration::from_secs(9_000)), front.click());
    let several = format!("refgate=x; {old}; a=1; {new}; refgate=y");
    front.ask(with(&several, "/checkout/thank-you/2"));
    let click = front.story("2").unwrap().order.click.unwrap();
    assert_eq!(click, front.visit(&new).clicks[0]);
}

#[test]
fn hostile_values_are_no_click_and_the_page_is_the_shops() {
    let front = Front::of(ordinary());
    let values: [&[u8]; 12] = [
        b"1%0d%0aSet-Cookie:%20evil=1",
        b"1%0aX",
        b"%00",
        b"1%00",
        b"%ff%fe",
        b"%c3%28",
        b"ORDER_ID",
        b"{order_id}",
        b"1%26amount%3D1",
        b"%2e%2e%2f",
        b"%",
        b"1%zz",
    ];
    for (number, value) in (1..).zip(values) {
        let target = [b"/?affiliate_id=", value].concat();
        let answer = front.same_but_caching(&target);
        let shown = String::from_utf8_lossy(value);
        assert_eq!(cookie(&answer), None, "{shown}");
        assert_eq!(front.count(Event::ClickRefused), number, "{shown}");
    }
    let large = format!("/?affiliate_id={}", "1".repeat(50_000));
    assert_eq!(cookie(&front.same_but_caching(large)), None);
    for start in front.shop.asked().iter().map(|asked| asked.start.clone()) {
        assert!(
            start.starts_with("GET / ") || start.contains("affiliate_id"),
            "{start}"
        );
    }
}

#[test]
fn a_megabyte_in_a_parameter_is_refused_before_the_shop() {
    let front = Front::of(ordinary());
    for target in [
        format!("/?affiliate_id={}", "1".repeat(1 << 20)),
        format!("/?affiliate_id={}", "%0d".repeat(1 << 18)),
    ] {
        let mut client = front.connect();
        client.try_say(get(&target, ""));
        let status = client.message(false).status();
        assert!(matches!(status, 414 | 431), "{status}");
    }
    front.counted(Event::RequestRefused, 2);
    assert_eq!(front.shop.asked().len(), 0);
    front.same(get("/", ""));
}

#[test]
fn raw_bytes_in_a_target_are_refused_or_the_shops() {
    let front = Front::of(ordinary());
    for value in [
        &b"1\0"[..],
        b"1\r",
        b"\x7f",
        b"1 HTTP/1.1 x",
        b"\xff\xfe",
        b"<>\"",
    ] {
        let request = [
            b"GET /?affiliate_id=",
            value,
            b" HTTP/1.1\r\nHost: us.test\r\nConnection: close\r\n\r\n",
        ]
        .concat();
        let answer = front.ask(request);
        assert!(
            matches!(answer.status(), 200 | 400),
            "{value:?}: {}",
            answer.status()
        );
        assert_eq!(cookie(&answer), None, "{value:?}");
    }
    front.same(get("/", ""));
}

/// A network that takes any value at all.
const LIBERAL: &str = r"
networks:
  liberal:
    click: { ref: { pattern: '(?s).*', max_length: 512 } }
    postback: http://NETWORK/aff_lsr?offer_id=1&aff_id=7&amount=AMOUNT&r={ref}&adv_unique1=ORDER_ID
    currency: USD
    answers: [{ status: 200, body: success=true, means: accepted }]
";

#[test]
fn whatever_a_value_holds_it_stays_one_value_of_the_postback() {
    let front = Front::with(LIBERAL, ordinary());
    let values = [
        ("ORDER_ID", "ORDER_ID"),
        ("%7Bamount%7D", "{amount}"),
        ("x%26amount%3D1", "x&amount=1"),
        ("x%23y", "x#y"),
        ("..%2F..%2Fx%3Fy", "../../x?y"),
        ("a+b%20c%2Bd", "a b c+d"),
        ("%25%32%36", "%26"),
        ("%22%27%3Cscript%3E%5C;", "\"'<script>\\;"),
        ("%E2%82%AC%F0%9F%98%80", "\u{20ac}\u{1f600}"),
    ];
    for (number, (sent, meant)) in values.iter().enumerate() {
        let known = cookie(&front.ask(get(&format!("/?ref={sent}"), ""))).expect(sent);
        front.ask(with(&known, &format!("/checkout/thank-you/{number}")));
        let id = number.to_string();
        let calls = front.calls(number + 1);
        let call = calls
            .iter()
            .find(|call| call.parameter("adv_unique1") == Some(&id));
        let call = call.unwrap_or_else(|| panic!("{sent}: {calls:?}"));
        assert_eq!(call.parameter("r"), Some(*meant), "{}", call.target);
        assert_eq!(call.parameter("amount"), Some("1124.96"), "{}", call.target);
        let names: Vec<&str> = call
            .parameters
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["offer_id", "aff_id", "amount", "r", "adv_unique1"]);
    }
    for control in ["1%0d%0aX:%201", "%00", "x%7f", "%c2%85", "%ff"] {
        let answer = front.ask(get(&format!("/?ref={control}"), ""));
        assert_eq!(cookie(&answer), None, "{control}");
    }
}

#[test]
fn an_ambiguous_path_is_the_shops_matter() {
    let front = Front::of(Shop::new(|_| page(HTML, thanks("5"))));
    let known = format!("Cookie: {}\r\n", front.click());
    let targets = [
        "/checkout//thank-you/5",
        "/checkout/./thank-you/5",
        "/x/../checkout/thank-you/5",
        "/checkout%2fthank-you/5",
        "/checkout%5Cthank-you/5",
        "/checkout/thank-you/5;x=1",
        "/checkout/thank-you/%zz",
        "/checkout/thank-you/%ff",
        "//checkout/thank-you/5",
    ];
    for target in targets {
        front.same(get(target, &known));
        let asked = front.shop.asked();
        let start = &asked[asked.len() - 2].start;
        assert_eq!(*start, format!("GET {target} HTTP/1.1"));
    }
    for field in [
        "X-Original-URL: /checkout/thank-you/5",
        "X-Rewrite-Url: /checkout/thank-you/5",
    ] {
        front.same(get("/", &format!("{known}{field}\r\n")));
    }
    let count = u64::try_from(targets.len()).unwrap() + 2;
    assert_eq!(front.count(Event::PathAmbiguous), count);
    assert_eq!(front.orders(), []);
    assert_same(
        &front.ask(get("/checkout/thank-you/5", &known)),
        &front.direct(get("/", "")),
    );
    assert_eq!(front.orders().len(), 1);
}
