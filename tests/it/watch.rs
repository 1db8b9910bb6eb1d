//! Which exchanges rules mean, which never, and why not.

use http::{Method, StatusCode};
use refgate::message::Fields;
use refgate::observe::saved::Exchange;
use refgate::observe::{Decision, RequestHead, Rules};

use crate::support::observe::{PAGE, RULE, exchange, german, rules, shop};

#[test]
fn guards_and_heads_that_do_not_hold_read_nothing() {
    let rules = german();
    assert!(
        rules
            .read(&exchange(PAGE.replace("Thank you", "Sorry")))
            .is_empty()
    );
    assert!(
        rules
            .read(&exchange(format!("{PAGE}Payment failed")))
            .is_empty()
    );
    let nothing = |change: &dyn Fn(&mut Exchange)| {
        let mut exchange = exchange(PAGE);
        change(&mut exchange);
        assert!(rules.read(&exchange).is_empty(), "{exchange:?}");
        assert!(!rules.explain(&exchange).is_empty());
    };
    for status in [206, 304, 302, 404, 500] {
        nothing(&|exchange| exchange.status = StatusCode::from_u16(status).unwrap());
    }
    for method in [Method::HEAD, Method::PUT] {
        nothing(&|exchange| exchange.method = method.clone());
    }
    nothing(&|exchange| exchange.host = "other.example".into());
    nothing(&|exchange| exchange.path = "/checkout/thank-you".into());
    nothing(&|exchange| exchange.path = "/checkout/thank-you/".into());
    nothing(&|exchange| {
        exchange.fields.set("content-type", b"application/json");
    });
}

#[test]
fn guards_are_held_to_what_a_person_reads() {
    let with = |from: &str, to: &str| rules(&shop("EUR", "1.234,56", &RULE.replace(from, to)));
    let received = with("Thank you for your order", "We've received your order");
    for (text, is_there) in [
        ("We've received your order", true),
        ("We&#39;ve received&nbsp;your order", true),
        ("We&rsquo;ve received your order", false),
        ("We've\n   received\u{a0}your order", true),
        ("We've <b>received</b> your order", false),
    ] {
        let page = exchange(PAGE.replace("Thank you for your order", text));
        assert_eq!(received.read(&page).len(), usize::from(is_there), "{text}");
        assert_eq!(received.explain(&page).is_empty(), is_there, "{text}");
    }
    let rules = german();
    for text in [
        "Payment&nbsp;failed",
        "Payment\n  failed",
        "Payment&#32;failed",
    ] {
        let page = exchange(format!("{PAGE}<p>{text}</p>"));
        assert!(rules.read(&page).is_empty(), "{text}");
        let misses = rules.explain(&page);
        assert!(misses[0].1.to_string().contains("body contains"), "{text}");
    }
    // The source as it stands counts too, and JSON has no character references.
    let source = with("\"Thank you for your order\"", "\"&nbsp;<span>\"");
    assert_eq!(source.read(&exchange(PAGE)).len(), 1);
    let json = with("text/html", "application/json");
    let mut page = exchange(format!("{PAGE}Payment&nbsp;failed"));
    page.fields.set("content-type", b"application/json");
    assert_eq!(json.read(&page).len(), 1);
}

fn decision(rules: &Rules, path: &str, headers: &Fields) -> Decision {
    rules.request(&RequestHead {
        host: "Shop.Example",
        method: &Method::GET,
        path,
        query: None,
        fields: headers,
    })
}

#[test]
fn ambiguous_paths_are_never_watched_and_told_if_they_might_have_been() {
    let rules = german();
    let none = Fields::default();
    let watched = |path: &str| matches!(decision(&rules, path, &none), Decision::Watched(_));
    assert!(watched("/checkout/thank-you/5"));
    assert!(watched("/checkout/thank%2Dyou/a%20b"));
    for path in [
        "/checkout//thank-you/5",
        "/checkout/./thank-you/5",
        "/x/../checkout/thank-you/5",
        "/checkout/%2e/thank-you/5",
        "/checkout%2fthank-you/5",
        "/checkout%5cthank-you/5",
        "/checkout\\thank-you\\5",
        "/checkout/thank-you;a=b/5",
        "/checkout/thank-you/5;x",
        "/checkout/thank-you/%zz",
        "/checkout/thank-you/%00",
        "/checkout/thank-you/%ff",
        "/checkout/thank-you%252f5",
        "//checkout/thank-you/5",
        "/checkout/thank-you/5//",
    ] {
        let decision = decision(&rules, path, &none);
        assert!(
            matches!(decision, Decision::Ambiguous),
            "{path}: {decision:?}"
        );
    }
    for path in [
        "/a//b",
        "/static/../x",
        "/%zz",
        "/checkout/thank-you",
        "/search;x=1",
    ] {
        let decision = decision(&rules, path, &none);
        assert!(
            matches!(decision, Decision::Unwatched),
            "{path}: {decision:?}"
        );
    }
}

#[test]
fn a_path_or_method_that_is_overridden_is_never_watched() {
    let rules = german();
    let with = |name: &'static str, value: &str, path: &str| {
        let mut headers = Fields::default();
        headers.append(name.as_bytes(), value.as_bytes());
        decision(&rules, path, &headers)
    };
    let thanks = "/checkout/thank-you/5";
    for (name, value, path) in [
        ("x-original-url", thanks, "/"),
        (
            "x-rewrite-url",
            "http://shop.example/checkout/thank-you/5?a",
            "/other",
        ),
        ("x-http-method-override", "DELETE", thanks),
        ("x-original-url", "/", thanks),
    ] {
        let decision = with(name, value, path);
        assert!(
            matches!(decision, Decision::Ambiguous),
            "{name} {value} {path}: {decision:?}"
        );
    }
    let harmless = with("x-original-url", "/a", "/b");
    assert!(matches!(harmless, Decision::Unwatched), "{harmless:?}");
}

#[test]
fn the_closest_rule_is_explained_first() {
    let other = RULE.replace("thank-you", "other");
    let rules = rules(&shop("EUR", "1.234,56", &format!("{other}{RULE}")));
    let mut exchange = exchange(PAGE);
    exchange.status = StatusCode::FOUND;
    let told: Vec<String> = rules
        .explain(&exchange)
        .iter()
        .map(|(rule, miss)| format!("{rule}: {miss}"))
        .collect();
    let expected = [
        "thank-you: path matched, status 302 not in 200-299",
        "other: host matched, another path",
    ];
    assert_eq!(told, expected);
}
