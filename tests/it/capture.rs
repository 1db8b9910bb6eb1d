//! Capture through the whole app: what the browser is given, what the shop sees.

mod caching;
mod click;
mod consent;
mod excluded;
mod later;
mod scope;
mod tossing;

use std::time::Duration;

use refgate::clock::Time;
use refgate::event::Event;

use crate::support::front::{Front, cookie, from, get, with};
use crate::support::message::Message;
use crate::support::shop::{HTML, Shop, ordinary, page, response};

/// The target of the shop's last request.
fn target(front: &Front) -> String {
    let asked = front.shop.asked();
    let start = &asked.last().unwrap().start;
    start.split(' ').nth(1).unwrap().to_owned()
}

/// `Set-Cookie` of ours, whole.
fn set_cookie(answer: &Message) -> Vec<String> {
    let fields = answer.all("set-cookie").into_iter();
    let texts = fields.map(|field| String::from_utf8(field).unwrap());
    texts.filter(|text| text.contains("refgate=")).collect()
}

fn attributes(answer: &Message) -> String {
    let set = set_cookie(answer);
    assert_eq!(set.len(), 1, "{set:?}");
    let (name, rest) = set[0].split_once('=').unwrap();
    let (_, attributes) = rest.split_once(';').unwrap();
    format!("{name};{attributes}")
}

#[test]
fn a_landing_sets_the_cookie_with_exactly_these_attributes() {
    let front = Front::with("trusted_proxies: [127.0.0.1]", ordinary());
    let before = Time::now();
    let answer = front.ask(get("/?affiliate_id=123456", ""));
    assert_eq!(
        attributes(&answer),
        "refgate; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
    );
    let visit = front.visit(&cookie(&answer).unwrap());
    assert_eq!(visit.clicks.len(), 1);
    let click = &visit.clicks[0];
    assert_eq!(click.network.as_str(), "aspire");
    assert_eq!(click.values["affiliate_id"], "123456");
    assert!(click.at >= before && click.at <= Time::now(), "{click:?}");
    assert_eq!(front.count(Event::ClickCaptured), 1);

    let other = front.visit(&front.click());
    assert_ne!(other.id, visit.id, "two visitors, one id");

    let fields = "X-Forwarded-Proto: https\r\n";
    let answer = front.ask(from("safe.test", "/?affiliate_id=123456", fields));
    assert_eq!(
        attributes(&answer),
        "__Host-refgate; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"
    );
    assert!(front.visit(&cookie(&answer).unwrap()).clicks.len() == 1);
    let asked = front.shop.asked();
    let proto = asked.last().unwrap().get("x-forwarded-proto").unwrap();
    assert_eq!(proto, b"https");
}

#[test]
fn the_shop_sees_the_target_without_the_parameter_and_nothing_else_changed() {
    let front = Front::of(ordinary());
    for (sent, seen) in [
        ("/?affiliate_id=123456", "/"),
        ("/p?affiliate_id=1&a=%20+b", "/p?a=%20+b"),
        ("/p?a=1&affiliate_id=1", "/p?a=1"),
        ("/p?a&&b==&affiliate_id=1&c=%zz", "/p?a&&b==&c=%zz"),
        (
            "/p?a=1&affiliate_id=1&a=2&a[]={}|^`'",
            "/p?a=1&a=2&a[]={}|^`'",
        ),
        ("/p?a=%e2%82%ac&affiliat%65_id=1", "/p?a=%e2%82%ac"),
        ("/%41/../b//;c?affiliate_id=1&q=?x", "/%41/../b//;c?q=?x"),
        (
            "/caf\u{e9}?x=\u{1f600}&affiliate_id=1",
            "/caf\u{e9}?x=\u{1f600}",
        ),
        ("/p?affiliate_id=1&affiliate_id=2&z", "/p?z"),
        ("//evil.example/?affiliate_id=1", "//evil.example/"),
        ("http://us.test/p?affiliate_id=1&a=1", "/p?a=1"),
        // Not ours.
        ("/p?Affiliate_id=1", "/p?Affiliate_id=1"),
        (
            "/p?xaffiliate_id=1&a=affiliate_id=1",
            "/p?xaffiliate_id=1&a=affiliate_id=1",
        ),
        ("/affiliate_id=1", "/affiliate_id=1"),
        ("/p?", "/p?"),
    ] {
        front.ask(get(sent, ""));
        assert_eq!(target(&front), seen, "{sent}");
    }
}

#[test]
fn the_shop_never_sees_our_cookie_and_its_own_come_as_they_were() {
    let front = Front::of(ordinary());
    let ours = front.click();
    let awkward = r#"sid="a\"b\054 c"; q='; empty=; =nameless; flag;  two=1; two=2; é=ü,1"#;
    for (sent, seen) in [
        (awkward.to_owned(), Some(awkward)),
        (format!("{ours}; {awkward}"), Some(awkward)),
        (format!("{awkward}; {ours}"), Some(awkward)),
        (format!("a=1;{ours};  b=2"), Some("a=1;  b=2")),
        (
            "__Host-refgate=x; a=1; __Secure-refgate=y".to_owned(),
            Some("a=1"),
        ),
        (ours.clone(), None),
        ("refgate=nonsense".to_owned(), None),
        (
            "Refgate=1; refgate2=2".to_owned(),
            Some("Refgate=1; refgate2=2"),
        ),
    ] {
        front.ask(with(&sent, "/page"));
        let asked = front.shop.asked();
        let got = asked.last().unwrap().get("cookie");
        let got = got.map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(got.as_deref(), seen, "{sent}");
    }
    for request in front.shop.asked() {
        let head = format!("{:?}", request.sorted());
        assert!(!head.contains(&ours), "{head}");
    }
}

#[test]
fn the_shops_own_cookies_reach_the_browser_as_they_were() {
    let awkward = [
        r#"sid="a\"b\054"; path=/; HTTPONLY; Expires=Wed, 21 Oct 2026 07:28:00 GMT"#,
        "sid=second; Path=/x",
        "é=ü; Domain=us.test",
        "",
    ];
    let fields: String = awkward
        .iter()
        .map(|one| format!("Set-Cookie: {one}\r\n"))
        .collect();
    let fields = format!("{HTML}{fields}");
    let front = Front::of(Shop::new(move |_| page(&fields, "page")));
    front.same(get("/page", ""));
    let answer = front.ask(get("/?affiliate_id=123456", ""));
    let set = answer.all("set-cookie");
    let texts: Vec<&str> = set
        .iter()
        .map(|one| std::str::from_utf8(one).unwrap())
        .collect();
    assert_eq!(texts[..4], awkward);
    assert!(
        texts.len() == 5 && texts[4].starts_with("refgate="),
        "{texts:?}"
    );
}

#[test]
fn a_landing_that_the_shop_redirects_still_sets_it() {
    let front = Front::of(Shop::new(|_| {
        let fields = "Location: /en/\r\nCache-Control: public, max-age=600\r\n";
        response("302 Found", fields, "")
    }));
    let answer = front.ask(get("/?affiliate_id=123456", ""));
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.get("location").unwrap(), b"/en/");
    assert_eq!(answer.get("cache-control").unwrap(), b"no-store");
    assert_eq!(front.visit(&cookie(&answer).unwrap()).clicks.len(), 1);
}

/// Two networks: one known by its transaction id with a source beside it, one by two parameters.
const NETWORKS: &str = r"
networks:
  aspire:
    click:
      transaction_id: '[0-9a-f]{30}'
      source: { pattern: '\w+', max_length: 8, required: false }
    postback: http://NETWORK/aff_lsr?offer_id=1&transaction_id=TRANSACTION_ID&amount=AMOUNT&src={source}
    currency: USD
    answers: [{ status: 200, body: success=true, means: accepted }]
  other:
    click: { ref: '[a-z]+', campaign: '[0-9]+' }
    postback: http://NETWORK/p?r={ref}&c={campaign}&a=AMOUNT&o=ORDER_ID
    currency: USD
    answers: [{ status: 200, body: success=true, means: accepted }]
";

const TRANSACTION: &str = "102656693ac3ca6e0cdafbfe89ab99";

#[test]
fn a_transaction_id_and_several_parameters_and_networks() {
    let front = Front::with(NETWORKS, ordinary());
    let clicks = |target: &str, before: &str| {
        let answer = front.ask(with(before, target));
        let set = cookie(&answer)?;
        let clicks = front.visit(&set).clicks.into_iter();
        let told: Vec<String> = clicks
            .map(|click| {
                let values: Vec<String> = click
                    .values
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                format!("{} {}", click.network, values.join("&"))
            })
            .collect();
        Some((set, told))
    };
    let (_, told) = clicks(&format!("/?transaction_id={TRANSACTION}"), "a=1").unwrap();
    assert_eq!(told, [format!("aspire transaction_id={TRANSACTION}")]);

    let both = format!("/p?source=blog&x=1&transaction_id={TRANSACTION}");
    let (known, told) = clicks(&both, "a=1").unwrap();
    assert_eq!(target(&front), "/p?x=1");
    assert_eq!(
        told,
        [format!("aspire source=blog&transaction_id={TRANSACTION}")]
    );

    // The other network's click joins the first; both stay.
    let (_, told) = clicks("/?ref=ann&campaign=7", &known).unwrap();
    assert_eq!(told.len(), 2);
    assert_eq!(told[1], "other campaign=7&ref=ann");

    // Both in one link.
    let link = format!("/?ref=ann&transaction_id={TRANSACTION}&campaign=7");
    assert_eq!(clicks(&link, "a=1").unwrap().1.len(), 2);

    for refused in [
        "/?ref=ann",
        "/?ref=ann&campaign=x",
        "/?transaction_id=102656693ac3ca6e0cdafbfe89ab9",
        "/?transaction_id=102656693ac3ca6e0cdafbfe89ab99a",
        "/?transaction_id=102656693AC3CA6E0CDAFBFE89AB99",
        "/?source=blog",
    ] {
        assert_eq!(clicks(refused, "a=1"), None, "{refused}");
        assert!(matches!(target(&front).as_str(), "/"), "{refused}");
    }
    // A source that is refused does not cost the click.
    let long = format!("/?transaction_id={TRANSACTION}&source=muchtoolong");
    assert_eq!(
        clicks(&long, "a=1").unwrap().1,
        [format!("aspire transaction_id={TRANSACTION}")]
    );
}

#[test]
fn the_last_click_is_credited_or_the_first() {
    for (attribution, credited) in [("last_click", "other"), ("first_click", "aspire")] {
        let piece = format!("{NETWORKS}\ncookie: {{ attribution: {attribution} }}\n");
        let front = Front::with(&piece, ordinary());
        let first = front.ask(get(&format!("/?transaction_id={TRANSACTION}"), ""));
        let first = cookie(&first).unwrap();
        // Clicks are told apart by milliseconds.
        let at = front.visit(&first).clicks[0].at;
        crate::support::front::eventually(|| (Time::now() > at).then_some(())).unwrap();
        let second = front.ask(with(&first, "/?ref=ann&campaign=7"));
        let second = cookie(&second).unwrap();
        front.ask(with(&second, "/checkout/thank-you/7"));
        let story = front.story("7").unwrap();
        let click = story.order.click.unwrap();
        assert_eq!(click.network.as_str(), credited);
        assert_eq!(story.postbacks.len(), 1);
        let call = &front.calls(1)[0];
        let expected = match credited {
            "other" => "/p?r=ann&c=7&a=1124.96&o=7".to_owned(),
            _ => format!("/aff_lsr?offer_id=1&transaction_id={TRANSACTION}&amount=1124.96&src="),
        };
        assert_eq!(call.target, expected);
    }
}

#[test]
fn keep_shows_the_parameter_and_redirect_goes_without_it() {
    let front = Front::with("cookie: { parameter: keep }", ordinary());
    let answer = front.ask(get("/p?affiliate_id=1&a=1", ""));
    assert!(cookie(&answer).is_some());
    assert_eq!(target(&front), "/p?affiliate_id=1&a=1");

    let front = Front::with("cookie: { parameter: redirect }", ordinary());
    for (sent, location) in [
        ("/p?affiliate_id=1&a=1", "http://us.test/p?a=1"),
        ("/?affiliate_id=1", "http://us.test/"),
        (
            "//evil.example/?affiliate_id=1",
            "http://us.test//evil.example/",
        ),
        (
            "/\\evil.example/?affiliate_id=1",
            "http://us.test/\\evil.example/",
        ),
        (
            "/@evil.example?affiliate_id=1",
            "http://us.test/@evil.example",
        ),
        // A value that is no click goes too: the shop does not see it either way.
        (
            "/p?affiliate_id=x&b=%0d%0aX:1",
            "http://us.test/p?b=%0d%0aX:1",
        ),
    ] {
        let answer = front.ask(get(sent, ""));
        assert_eq!(answer.status(), 302, "{sent}");
        let got = String::from_utf8(answer.get("location").unwrap()).unwrap();
        assert_eq!(got, location, "{sent}");
        assert_eq!(answer.get("cache-control").unwrap(), b"no-store");
        assert_eq!(cookie(&answer).is_some(), !sent.contains("=x"), "{sent}");
        assert!(answer.body.is_empty());
    }
    assert_eq!(front.shop.asked().len(), 0, "the shop was asked");
    // What is no navigation is not sent elsewhere.
    front
        .ask("POST /p?affiliate_id=1&a=1 HTTP/1.1\r\nHost: us.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(target(&front), "/p?a=1");
    assert_eq!(front.shop.asked()[0].body, b"hi");
}

#[test]
fn the_cookies_life_is_what_is_left_of_the_window() {
    let front = Front::with(
        &format!("cookie: {{ window: 10d }}\n{NETWORKS}"),
        ordinary(),
    );
    let day = Duration::from_secs(86_400);
    let aged = front.ask(with(&front.cookie_of(3 * day), "/?ref=ann&campaign=7"));
    // The newest click decides how long it lives.
    assert!(attributes(&aged).contains("Max-Age=864000;"));
    let visit = front.visit(&cookie(&aged).unwrap());
    assert_eq!(visit.clicks.len(), 2);
    let gone = front.ask(with(&front.cookie_of(11 * day), "/?ref=ann&campaign=7"));
    assert_eq!(front.visit(&cookie(&gone).unwrap()).clicks.len(), 1);
    assert_eq!(front.count(Event::CookieExpired), 1);
}
