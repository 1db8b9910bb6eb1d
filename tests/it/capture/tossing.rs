//! What others plant beside our cookie: the right one counts, and the shop's stay as they are.
//!
//! Whoever runs another host under the domain, or sits in a plain-HTTP network, can set cookies of
//! any name, with longer paths and in any number (RFC 6265 §8.6).

use refgate::clock::Time;
use refgate::event::Event;
use refgate::visit::Visit;

use crate::support::front::Front;
use crate::support::sealed::{Seal, ago, ahead, foreign, visit};
use crate::support::shop::ordinary;

const NAME: &str = "__Host-refgate";

/// The app's own seals for the store `safe.test`.
fn own(front: &Front) -> Seal {
    Seal::new(&front.settings.capture.keys, NAME)
}

/// Asks for the confirmation of order `id` with these `Cookie` fields; what the shop saw of them.
fn buy(front: &Front, id: usize, fields: &[String]) -> Vec<String> {
    let mut request = format!("GET /checkout/thank-you/{id} HTTP/1.1\r\nHost: safe.test\r\n");
    for field in fields {
        request.push_str(&format!("Cookie: {field}\r\n"));
    }
    let answer = front.ask(request + "\r\n");
    assert_eq!(answer.status(), 200);
    let asked = front.shop.asked();
    let seen = asked.last().unwrap().all("cookie").into_iter();
    seen.map(|field| String::from_utf8(field).unwrap())
        .collect()
}

/// The partner whom the order is credited to.
fn partner(front: &Front, id: usize) -> Option<String> {
    let click = front.story(&id.to_string()).unwrap().order.click?;
    Some(click.values["affiliate_id"].clone())
}

/// Values under our name that must count for nothing.
fn worthless(front: &Front) -> Vec<(&'static str, String)> {
    let own = own(front);
    let evil = visit(666, ago(1));
    let good = own.value(&evil);
    let seal = |change: fn(&mut Seal)| {
        let mut seal = own.clone();
        change(&mut seal);
        seal.value(&evil)
    };
    vec![
        ("forged", "A".repeat(good.len() / 4 * 4)),
        ("cut", good.get(4..).unwrap().to_owned()),
        ("longer", format!("{good}AAAA")),
        ("old key", seal(|seal| seal.keys = foreign())),
        ("expired", own.value(&visit(666, ago(31 * 86_400)))),
        ("future", own.value(&visit(666, ahead(6 * 60)))),
        ("other group", seal(|seal| seal.group = "other")),
        ("token", seal(|seal| seal.purpose = "token")),
        ("other version", seal(|seal| seal.version = 2)),
        ("other name", seal(|seal| seal.name = "__Secure-refgate")),
        ("spool", own.keys.seal("refgate.order.1", &"x".repeat(200))),
        ("quoted", format!("\"{good}\"")),
        ("garbage", "%00<é>\u{1f600}".to_owned()),
        ("empty", String::new()),
        ("long", "A".repeat(8_000)),
    ]
}

#[test]
fn the_right_cookie_counts_among_worthless_ones() {
    let front = Front::of(ordinary());
    let right = format!("{NAME}={}", own(&front).value(&visit(123, ago(60))));
    let shop = "sid=\"a\\\"b\\054 c\"; é=ü\u{1f600}; flag;  two=1; two=2";
    let mut id = 0;
    for (kind, value) in worthless(&front) {
        let bad = format!("{NAME}={value}");
        let line = |text: String| vec![text];
        let arrangements = [
            (line(format!("{bad}; {right}; {shop}")), vec![shop]),
            (line(format!("{shop}; {right}; {bad}")), vec![shop]),
            (line(format!("{bad}; {shop};{right}; {bad}")), vec![shop]),
            (
                vec![bad.clone(), right.clone(), shop.to_owned(), bad.clone()],
                vec![shop],
            ),
            (
                vec![format!("{bad}; {shop}"), format!("a=1; {right}")],
                vec![shop, "a=1"],
            ),
            (
                line(format!("a=1;\t {bad} \t;{right}\t; \tb=2")),
                vec!["a=1; \tb=2"],
            ),
            (
                line(format!(
                    "{NAME} = {value};;{};a=1",
                    right.replacen('=', "\t= ", 1)
                )),
                vec![";a=1"],
            ),
            (
                line(format!(
                    "refgate={value}; __Secure-refgate={value}; {right}"
                )),
                vec![],
            ),
        ];
        for (fields, expected) in arrangements {
            id += 1;
            assert_eq!(buy(&front, id, &fields), expected, "{kind}");
            assert_eq!(partner(&front, id).as_deref(), Some("123"), "{kind} {id}");
        }
        // Alone it is nothing, and no error.
        id += 1;
        buy(&front, id, &[format!("{bad}; {shop}")]);
        assert_eq!(partner(&front, id), None, "{kind}");
    }
}

/// As many as a browser keeps of one domain; by their look each could be ours.
#[test]
fn many_forged_ones_push_nothing_out() {
    let front = Front::of(ordinary());
    let own = own(&front);
    let right = format!("{NAME}={}", own.value(&visit(123, ago(60))));
    let forged = format!("{NAME}={}", "A".repeat(160));
    let garbage = format!("{NAME}=x");
    for (id, count, bad) in [(1, 9, &forged), (2, 179, &forged), (3, 3_000, &garbage)] {
        let many = format!("{bad}; ").repeat(count);
        let seen = buy(&front, id, &[format!("{many}{right}; a=1")]);
        assert_eq!(seen, ["a=1"]);
        assert_eq!(partner(&front, id).as_deref(), Some("123"), "{count}");
        let seen = buy(&front, id + 10, &[format!("a=1; {right}; {many}b=2")]);
        assert_eq!(seen, ["a=1; b=2"]);
        assert_eq!(partner(&front, id + 10).as_deref(), Some("123"), "{count}");
    }
    // What no browser sends is looked at within a bound.
    let many = format!("{forged}; ").repeat(250);
    let before = front.count(Event::CookieRefused);
    buy(&front, 20, &[format!("{many}{right}")]);
    assert_eq!(partner(&front, 20), None);
    assert_eq!(front.count(Event::CookieRefused) - before, 251);
}

#[test]
fn of_several_visits_the_time_of_the_click_decides_and_then_the_place() {
    let now = Time::now();
    let back = |seconds| now.minus(std::time::Duration::from_secs(seconds));
    let ours = |at| visit(1, at);
    let theirs = |at| visit(2, at);
    let cases: [(Visit, Visit, &str, &str); 4] = [
        (ours(back(60)), theirs(back(3_600)), "1", "2"),
        (ours(back(3_600)), theirs(back(60)), "2", "1"),
        // Of the same time: the one that stands last.
        (ours(back(60)), theirs(back(60)), "2", "2"),
        (theirs(back(60)), ours(back(60)), "1", "1"),
    ];
    for (attribution, first) in [("last_click", false), ("first_click", true)] {
        let front = Front::with(
            &format!("cookie: {{ attribution: {attribution} }}"),
            ordinary(),
        );
        let own = own(&front);
        for (id, (one, other, last_wins, first_wins)) in cases.iter().enumerate() {
            let fields = [one, other].map(|visit| format!("{NAME}={}", own.value(visit)));
            let expected = if first { first_wins } else { last_wins };
            buy(&front, id, &[fields.join("; ")]);
            let credited = partner(&front, id);
            assert_eq!(credited.as_deref(), Some(*expected), "{attribution} {id}");
            buy(&front, id + 10, &fields);
            assert_eq!(partner(&front, id + 10), credited, "{attribution} {id}");
        }
    }
}

#[test]
fn a_click_from_a_clock_that_is_ahead_counts_within_five_minutes() {
    let front = Front::of(ordinary());
    let own = own(&front);
    for (id, seconds, counts) in [(1, 240, true), (2, 360, false), (3, 40 * 86_400, false)] {
        let value = own.value(&visit(123, ahead(seconds)));
        buy(&front, id, &[format!("{NAME}={value}")]);
        assert_eq!(partner(&front, id).is_some(), counts, "{seconds}");
        // A click from the past beside it still counts.
        let past = own.value(&visit(7, ago(60)));
        buy(&front, id + 10, &[format!("{NAME}={past}; {NAME}={value}")]);
        let expected = if counts { "123" } else { "7" };
        assert_eq!(partner(&front, id + 10).as_deref(), Some(expected));
    }
    assert_eq!(front.count(Event::CookieExpired), 4);
}
