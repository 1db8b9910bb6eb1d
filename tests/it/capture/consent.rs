//! Consent: no click is captured without it, and what was captured goes with it.

use refgate::event::Event;
use refgate::order::Standing;

use super::{set_cookie, target};
use crate::support::front::{Front, cookie, get, with};
use crate::support::message::Message;
use crate::support::shop::{Shop, ordinarily, ordinary, path, response};

/// The US store with that `consent`.
pub(super) fn asking(consent: &str) -> String {
    format!(
        "stores:\n  us:\n    hosts: [us.test]\n    scheme: http\n    insecure_http: true\n    \
         upstream: http://SHOP\n    currency: USD\n    number_format: '1,234.56'\n    \
         max_amount: 5000\n    orders: test\n    checkout: /checkout\n    consent: {consent}\n"
    )
}

pub(super) const LANDING: &str = "/?affiliate_id=123456";
pub(super) const GIVEN: &str = "cmplz_marketing=allow";
pub(super) const REFUSED: &str = "cmplz_marketing=deny";

/// `Set-Cookie` that takes our cookie away.
const GONE: &str = "refgate=; Path=/; Max-Age=0";

const ONETRUST: &str = "OptanonConsent=isGpcEnabled=0&datestamp=Mon+Nov+02+2026+10%3A00%3A00+GMT%2B0100&version=202406.1.0&browserGpcFlag=0&isIABGlobal=false&hosts=&consentId=5b0a1c1e-7f7e-4c0e-9a0d-0a1f6a3d2c11&interactionCount=1&landingPath=NotLandingPage&groups=";
const COOKIEBOT: &str = "CookieConsent={stamp:%27d2Y0kq+/QA==%27%2Cnecessary:true%2Cpreferences:false%2Cstatistics:true%2Cmarketing:";
const COOKIEYES: &str = "cookieyes-consent=consentid:Z2VoZWlt,consent:yes,action:yes,necessary:yes,functional:yes,analytics:no,performance:no,advertisement:";
/// Purposes 1, 3, 9 and 10.
const TCF: &str = "CLcVDxRMWfGmWAVAHCENAXCkAKDAADnAABRgA5mdfCKZuYJez-NQm0TBMYA4oCAAGQYIAAAAAAEAIAEgAA.YAAAAAAAAAAA";

/// Each tool as the store names it, with its cookie when consent is given and when it is refused.
fn tools() -> Vec<(&'static str, String, String)> {
    let onetrust = |groups: &str| format!("{ONETRUST}{groups}&geolocation=DE%3BBY");
    let cookiebot = |word: &str| {
        format!(
            "{COOKIEBOT}{word}%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1740000000000%2Cregion:%27fr%27}}"
        )
    };
    let cookieyes = |word: &str| format!("{COOKIEYES}{word},other:yes");
    vec![
        (
            "onetrust",
            onetrust("C0001%3A1%2CC0002%3A0%2CC0004%3A1"),
            onetrust("C0001%3A1%2CC0002%3A1%2CC0004%3A0"),
        ),
        (
            "{ preset: onetrust, group: AFF }",
            onetrust("C0001%3A1%2CC0004%3A0%2CAFF%3A1"),
            onetrust("C0001%3A1%2CC0004%3A1%2CAFF%3A0"),
        ),
        ("cookiebot", cookiebot("true"), cookiebot("false")),
        ("cookieyes", cookieyes("yes"), cookieyes("no")),
        ("complianz", GIVEN.to_owned(), REFUSED.to_owned()),
        (
            "{ preset: complianz, cookie: shop_marketing }",
            "cmplz_marketing=deny; shop_marketing=allow".to_owned(),
            "cmplz_marketing=allow; shop_marketing=deny".to_owned(),
        ),
        (
            "tcf",
            format!("euconsent-v2={TCF}"),
            // The first character of the purposes, 1 and 3, says 3 now.
            format!("euconsent-v2={}", TCF.replacen("AKDA", "ACDA", 1)),
        ),
        (
            "{ preset: tcf, purposes: [1, 3, 10] }",
            format!("euconsent-v2={TCF}"),
            "euconsent-v2=CPt3fQAPt3fQACNAFAENDLCgAAAAAAAAACiQAAAOCgDAB-AIsAZ8A6QDBAHBAAAA"
                .to_owned(),
        ),
        (
            "{ cookie: eu-choice, pattern: 'ads=(on|1)', refused: 'ads=off' }",
            "eu-choice=%7Bads%3Don%7D".to_owned(),
            "eu-choice=%7Bads%3Doff%7D".to_owned(),
        ),
    ]
}

#[test]
fn each_tools_cookie_tells_the_choice() {
    for (consent, given, refused) in tools() {
        let front = Front::with(&asking(consent), ordinary());
        let land = |cookies: &str, fields: &str| {
            let fields = format!("Cookie: lang=de; {cookies}; sid=1\r\n{fields}");
            let answer = front.ask(get("/p?affiliate_id=123456&a=1", &fields));
            assert_eq!(target(&front), "/p?a=1", "{consent}");
            let caching = answer.get("cache-control").unwrap();
            assert_eq!(caching, b"private, no-cache", "{consent}");
            cookie(&answer)
        };
        assert_eq!(land("x=y", ""), None, "{consent}: absent");
        assert_eq!(land(&refused, ""), None, "{consent}: refused");
        let both = format!("{given}; {refused}");
        assert_eq!(land(&both, ""), None, "{consent}: both");
        assert_eq!(land(&given, "Sec-GPC: 1\r\n"), None, "{consent}: GPC");
        assert_eq!(front.count(Event::ClickWithoutConsent), 4, "{consent}");
        assert_eq!(front.count(Event::ClickCaptured), 0, "{consent}");
        assert!(land(&given, "").is_some(), "{consent}: given");
        let twice = format!("{given}; {given}");
        assert!(land(&twice, "Sec-GPC: 0\r\n").is_some(), "{consent}: twice");
        assert_eq!(front.count(Event::ClickCaptured), 2, "{consent}");
    }
}

#[test]
fn a_store_that_asks_nobody_captures_whatever_cookies_say() {
    let front = Front::of(ordinary());
    let fields = format!("Cookie: {REFUSED}\r\nSec-GPC: 1\r\n");
    assert!(cookie(&front.ask(get(LANDING, &fields))).is_some());
    assert_eq!(front.count(Event::ClickWithoutConsent), 0);
}

/// A visitor who agreed, and his cookie.
fn agreed(front: &Front) -> String {
    cookie(&front.ask(with(GIVEN, LANDING))).unwrap()
}

fn order(front: &Front, id: &str, fields: &str) -> Standing {
    front.ask(get(&format!("/checkout/thank-you/{id}"), fields));
    front.story(id).unwrap().order.standing
}

#[test]
fn a_refusal_takes_the_click_and_the_cookie_away() {
    let front = Front::with(&asking("complianz"), placing_shop());
    let known = agreed(&front);
    let fields = |cookies: &str, more: &str| format!("Cookie: {cookies}; {known}\r\n{more}");
    // As long as it is given nothing happens, and the order is credited.
    let page = front.ask(get("/p", &fields(GIVEN, "")));
    assert_eq!(set_cookie(&page), [""; 0]);
    assert_eq!(order(&front, "1", &fields(GIVEN, "")), Standing::Credited);
    // On a page the cookie goes; on anything else it only counts as none.
    for (more, gone) in [
        ("", true),
        (
            "Sec-Fetch-Dest: document\r\nSec-Fetch-Site: cross-site\r\n",
            true,
        ),
        ("Sec-Fetch-Dest: image\r\n", false),
        (
            "Sec-Fetch-Dest: document\r\nSec-Purpose: prefetch\r\n",
            false,
        ),
    ] {
        let answer = front.ask(get("/p", &fields(REFUSED, more)));
        let expected: &[&str] = if gone { &[GONE] } else { &[] };
        assert_eq!(set_cookie(&answer), expected, "{more}");
        if gone {
            assert_eq!(answer.get("cache-control").unwrap(), b"private, no-cache");
        }
    }
    assert_eq!(front.count(Event::ConsentWithdrawn), 2);
    assert_eq!(order(&front, "2", &fields(REFUSED, "")), Standing::Organic);
    assert_eq!(
        order(&front, "3", &fields(GIVEN, "Sec-GPC: 1\r\n")),
        Standing::Organic
    );
    // An order by script: the cookie is still there, and counts for nothing.
    let placed = |cookies: &str, number: u32| {
        front.ask(placing(
            &fields(cookies, "Sec-Fetch-Dest: empty\r\n"),
            number,
        ));
        let story = front.story(&number.to_string()).unwrap();
        story.order.standing
    };
    assert_eq!(placed(REFUSED, 40), Standing::Organic);
    assert_eq!(placed("x=y", 41), Standing::Credited);
    // A cookie that does not open goes as well.
    let broken = format!("Cookie: {REFUSED}; refgate=nonsense\r\n");
    assert_eq!(set_cookie(&front.ask(get("/p", &broken))), [GONE]);
}

/// A shop that also takes orders by script.
fn placing_shop() -> Shop {
    Shop::new(|request| match path(request) {
        "/api/orders" => {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let order = format!("{{\"order\":{{{body},\"subtotal\":112496}}}}");
            response("201 Created", "Content-Type: application/json\r\n", order)
        }
        _ => ordinarily(request),
    })
}

/// A POST that the shop answers with an order.
fn placing(fields: &str, number: u32) -> String {
    let body = format!("\"number\":\"{number}\"");
    let length = body.len();
    format!(
        "POST /api/orders HTTP/1.1\r\nHost: us.test\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn a_tools_cookie_that_is_gone_is_a_withdrawal_where_the_browser_would_send_it() {
    let front = Front::with(&asking("complianz"), ordinary());
    let known = agreed(&front);
    let ask = |fields: &str| {
        let answer = front.ask(get("/p", &format!("Cookie: {known}\r\n{fields}")));
        set_cookie(&answer)
    };
    for fields in [
        "Sec-Fetch-Site: same-origin\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: none\r\n",
        "Referer: http://us.test/p?a=1\r\n",
    ] {
        assert_eq!(ask(fields), [GONE], "{fields}");
    }
    for fields in [
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Dest: empty\r\n",
        "Referer: http://pay.test/\r\n",
        "",
    ] {
        assert_eq!(ask(fields), [""; 0], "{fields}");
    }
    // Back from a payment page.
    let cross = format!("Cookie: {known}\r\nSec-Fetch-Site: cross-site\r\n");
    assert_eq!(order(&front, "1", &cross), Standing::Credited);
    let within = format!("Cookie: {known}\r\nSec-Fetch-Site: same-origin\r\n");
    assert_eq!(order(&front, "2", &within), Standing::Organic);
    // A link that lands in between changes nothing of it.
    let fields = format!("Cookie: {known}\r\nSec-Fetch-Site: cross-site\r\n");
    let landed = front.ask(get("/?affiliate_id=7", &fields));
    assert_eq!(set_cookie(&landed), [""; 0]);
}

/// Two networks, one of which asks for no consent where the link says `sn=1`.
const NETWORKS: &str = "
networks:
  aspire:
    click: { affiliate_id: '[0-9]{1,12}' }
    postback: http://NETWORK/aff_lsr?offer_id=1&aff_id=AFFILIATE_ID&amount=AMOUNT&adv_unique1=ORDER_ID
    currency: USD
    answers: [{ status: 200, body: success=true, means: accepted }]
  cashback:
    click: { awc: '[0-9_a-f]+' }
    postback: http://NETWORK/p?cks={awc}&amount=AMOUNT&ref=ORDER_ID
    currency: USD
    consent: { not_needed_if: { sn: 1 } }
    answers: [{ status: 200, body: success=true, means: accepted }]
";

fn networks(front: &Front, answer: &Message) -> Vec<String> {
    let Some(ours) = cookie(answer) else {
        return Vec::new();
    };
    let clicks = front.visit(&ours).clicks.into_iter();
    clicks.map(|click| click.network.to_string()).collect()
}

#[test]
fn clicks_that_need_no_consent_are_captured_and_stay() {
    let front = Front::with(&format!("{}{NETWORKS}", asking("complianz")), ordinary());
    for target in [
        "/p?awc=1_a",
        "/p?awc=1_a&sn=2",
        "/p?awc=1_a&sn=1&sn=1",
        "/p?sn=1",
    ] {
        let answer = front.ask(get(target, ""));
        assert_eq!(networks(&front, &answer), [""; 0], "{target}");
    }
    let exempt = front.ask(get("/p?awc=1_a&sn=1", "Sec-GPC: 1\r\n"));
    assert_eq!(networks(&front, &exempt), ["cashback"]);
    // The parameter that exempts is the shop's as well.
    assert_eq!(target(&front), "/p?sn=1");
    let known = cookie(&exempt).unwrap();

    // Another network's click joins it with consent; without, it goes and the exempt one stays.
    let both = front.ask(with(&format!("{GIVEN}; {known}"), LANDING));
    assert_eq!(networks(&front, &both), ["cashback", "aspire"]);
    let both = cookie(&both).unwrap();
    let refused = format!("Cookie: {REFUSED}; {both}\r\n");
    assert_eq!(
        networks(&front, &front.ask(get("/p", &refused))),
        ["cashback"]
    );
    let only = front.ask(get("/p", &format!("Cookie: {REFUSED}; {known}\r\n")));
    assert_eq!(set_cookie(&only), [""; 0], "nothing changes");
    let answer = front.ask(get("/p?awc=2_b&sn=1", &refused));
    assert_eq!(networks(&front, &answer), ["cashback"]);

    assert_eq!(order(&front, "1", &refused), Standing::Credited);
    let click = front.story("1").unwrap().order.click.unwrap();
    assert_eq!(
        (click.network.as_str(), click.values["sn"].as_str()),
        ("cashback", "1")
    );
    assert_eq!(front.calls(1)[0].target, "/p?cks=1_a&amount=1124.96&ref=1");
}

#[test]
fn a_network_that_needs_none_is_captured_in_a_store_that_asks() {
    let text = NETWORKS.replace("{ not_needed_if: { sn: 1 } }", "not_needed");
    let front = Front::with(&format!("{}{text}", asking("complianz")), ordinary());
    let answer = front.ask(get("/?awc=1_a&affiliate_id=7", ""));
    assert_eq!(networks(&front, &answer), ["cashback"]);
}
