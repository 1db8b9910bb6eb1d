//! Alarms: what is raised by what happens, and how the operator hears of it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use refgate::alarm::{Alarm, Lasts};
use refgate::clock::Time;
use refgate::store::kept::Family;

use crate::support::daemon::Start;
use crate::support::front::{Front, cookie, eventually, get, with};
use crate::support::shop::{HTML, Shop, page, path};

#[test]
fn the_manual_says_of_each_alarm_what_to_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alarms.md");
    let text = fs::read_to_string(path).unwrap();
    let mut sections: Vec<&str> = text.split("\n## ").skip(1).collect();
    for alarm in Alarm::ALL {
        let at = sections.iter().position(|section| {
            let title = section.lines().next().unwrap_or_default();
            title == alarm.name()
        });
        let at = at.unwrap_or_else(|| panic!("no section `## {}`", alarm.name()));
        let section = sections.remove(at);
        let level = alarm.level().word();
        let first = section.lines().nth(2).unwrap_or_default();
        let lower = first.to_lowercase();
        assert!(lower.starts_with(&format!("*{level};")), "{first}");
        if let Lasts::Minutes(minutes) = alarm.lasts() {
            let span = match minutes {
                60 => "over an hour after",
                120 => "over two hours after",
                1440 => "over a day after",
                other => panic!("{other}"),
            };
            assert!(first.contains(span), "{}: {first}", alarm.name());
        }
        let paragraphs = section.trim().split("\n\n").count();
        assert!(paragraphs >= 3, "{}: what is to be done?", alarm.name());
    }
    assert!(sections.is_empty(), "of no alarm: {sections:?}");
}

/// Confirmations: 1 without its total, 2 whole, 3 whole and with the network's pixel.
fn shop() -> Shop {
    Shop::new(|request| {
        let number = path(request).rsplit('/').next().unwrap();
        let total = "<table id=totals><tr class=subtotal><td>$25.00</td></tr></table>";
        let pixel = "<img src='http://127.0.0.1/aff_i?x=1' width=1>";
        let rest = match number {
            "1" => String::new(),
            "3" => format!("{total}{pixel}"),
            _ => total.to_owned(),
        };
        let html =
            format!("<h1>Thank you for your order</h1><p id=order-number>{number}</p>{rest}");
        page(HTML, &html)
    })
}

fn thanks(front: &Front, cookie: &str, number: u8) {
    front.ask(with(cookie, &format!("/checkout/thank-you/{number}")));
}

#[test]
fn a_page_that_cannot_be_read_and_one_with_a_pixel_are_raised() {
    let front = Front::of(shop());
    let cookie = front.click();
    thanks(&front, &cookie, 2);
    assert_eq!(front.alarms(), []);
    thanks(&front, &cookie, 1);
    thanks(&front, &cookie, 1);
    thanks(&front, &cookie, 3);
    let standing = front.alarms();
    let kinds: Vec<_> = standing
        .iter()
        .map(|one| (one.alarm, one.subject.as_str(), one.times))
        .collect();
    let expected = [
        (Alarm::RuleUnreadable, "us/thank-you", 2),
        (Alarm::PixelOnPage, "us/127.0.0.1", 1),
    ];
    assert_eq!(kinds, expected, "{standing:?}");
    assert!(standing[0].words.contains("subtotal"), "{standing:?}");
}

#[test]
fn cookies_that_never_come_back_are_counted_by_browser() {
    const FIREFOX: &str =
        "User-Agent: Mozilla/5.0 (X11; rv:145.0) Gecko/20100101 Firefox/145.0\r\n";
    let front = Front::of(shop());
    let store = front.settings.stores.find("us.test").unwrap();
    let kept = &store.traffic.kept;
    let later = |hours: u32| Time::now().plus(Duration::from_secs(3700) * hours);
    let click = || cookie(&front.ask(get("/?affiliate_id=123456", FIREFOX))).unwrap();
    // Some of them meet at one place, and only one of those is waited for.
    for _ in 0..100 {
        click();
    }
    assert_eq!(kept.lost(Time::now()), [], "they may still come");
    assert_eq!(kept.lost(later(1)), [(Family::Firefox, 0, 64)]);
    for _ in 0..10 {
        let cookie = click();
        let fields = format!("{FIREFOX}Cookie: a=b; {cookie}\r\n");
        // An image is no page that somebody opens.
        front.ask(get("/x.png", &format!("{fields}Sec-Fetch-Dest: image\r\n")));
        front.ask(get("/other", &fields));
    }
    assert_eq!(kept.lost(Time::now()).len(), 1, "not yet");
    assert_eq!(kept.lost(later(2)), []);
}

#[test]
fn the_operators_webhook_is_told_and_what_it_hears_is_signed() {
    const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    // It does not take the first one.
    let refused = AtomicBool::new(false);
    let hook = Shop::new(move |_| match refused.swap(true, Ordering::Relaxed) {
        false => b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
        true => b"HTTP/1.1 204 Done\r\nConnection: close\r\n\r\n".to_vec(),
    });
    let piece = format!(
        "alarms: {{ webhook: {{ url: 'http://{}/alarm?key=hidden', secret: whsec_{SECRET} }} }}",
        hook.addr()
    );
    let front = Front::with(&piece, shop());
    thanks(&front, &front.click(), 1);
    let heard = eventually(|| hook.asked().into_iter().nth(1)).expect("never told again");
    let text = |name: &str| String::from_utf8(heard.all(name).concat()).unwrap();
    assert!(
        heard.start.starts_with("POST /alarm?key=hidden "),
        "{}",
        heard.start
    );
    let body = String::from_utf8(heard.body.clone()).unwrap();
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["type"], "alarm.raised");
    assert_eq!(told["data"]["alarm"], "rule_unreadable");
    assert_eq!(told["data"]["manual"], "docs/alarms.md#rule_unreadable");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(SECRET).unwrap());
    let signed = format!(
        "{}.{}.{body}",
        text("webhook-id"),
        text("webhook-timestamp")
    );
    let signature = text("webhook-signature");
    let tag = STANDARD
        .decode(signature.strip_prefix("v1,").unwrap())
        .unwrap();
    hmac::verify(&key, signed.as_bytes(), &tag).unwrap();
    // That it was refused was an alarm, and is none any more.
    let over = eventually(|| {
        let standing = front.alarms();
        let fails = standing.iter().any(|one| one.alarm == Alarm::WebhookFails);
        (!fails).then_some(())
    });
    assert!(over.is_some(), "{:?}", front.alarms());
}

#[test]
fn no_body_is_ever_logged() {
    const MARKER: &str = "4111111111111111";
    let shop = Shop::new(|_| {
        let body =
            format!("{{\"order\":{{\"number\":\"77\",\"subtotal\":2500}},\"card\":\"{MARKER}\"}}");
        let length = body.len();
        format!("HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    });
    let text = include_str!("support/front.yaml")
        .replace("SHOP", &shop.addr().to_string())
        .replace("NETWORK", "127.0.0.1:1");
    let mut daemon = Start::default().log("trace").run(&text, 1);
    let mut client = daemon.connect();
    let body = format!("card={MARKER}&password={MARKER}");
    client.say(format!(
        "POST /api/orders HTTP/1.1\r\nHost: us.test\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let answer = client.message(false);
    assert!(String::from_utf8_lossy(&answer.body).contains(MARKER));
    daemon.says("order seen");
    // So that something is told of which only the finest log tells.
    client.say("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n");
    assert_eq!(client.message(false).status(), 421);
    daemon.says("DEBUG");
    daemon.signal(rustix::process::Signal::TERM);
    daemon.says("ending");
    let found: Vec<_> = daemon
        .log
        .iter()
        .filter(|line| line.contains(MARKER))
        .collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(shop.asked()[0].body.ends_with(MARKER.as_bytes()));
}
