//! What a store says of its sessions at the checkout, and who is paid for an order.

use std::time::Duration;

use refgate::config::report;

use super::warnings;
use crate::support::config::{Folder, shipped, shipped_with};

/// The shipped configuration, with these keys in its first store in place of its checkout.
fn with(keys: &str) -> Folder {
    Folder::with(&text_with(keys))
}

fn text_with(keys: &str) -> String {
    let text = shipped();
    let line = text.lines().find(|line| line.starts_with("    checkout: "));
    text.replacen(&format!("{}\n", line.unwrap()), keys, 1)
}

#[test]
fn a_stores_sessions_are_remembered_where_it_says_so() {
    let folder = with("    session_cookie: PHPSESSID\n    checkout: [/cart, \"/checkout/*\"]\n");
    let loaded = folder.loaded();
    let returns = &loaded.settings.record.returns;
    assert_eq!(returns.len(), 1);
    let checkout = &returns[&"us".parse().unwrap()];
    assert_eq!(checkout.cookie, "PHPSESSID");
    assert_eq!(checkout.memory, Duration::from_secs(7200));
    let report = report::text(&loaded);
    for words in [
        "/cart, /checkout/* is its checkout",
        "there the visit is remembered with a keyed hash of the session cookie `PHPSESSID` for 2h",
    ] {
        assert!(report.contains(words), "{report}");
    }
    let planted = "a session that somebody plants is not told from a shopper's";
    assert!(!report.contains(planted), "{report}");
    let keys = "    session_cookie: PHPSESSID\n    checkout: /cart\n";
    let hosts = "[store-us.localhost, www.store-us.localhost]";
    let text = text_with(keys).replacen("[store-us.localhost]", hosts, 1);
    let report = report::text(&Folder::with(&text).loaded());
    assert!(report.contains(planted), "{report}");

    let one = with("    session_cookie: sid\n    checkout: /pay\n    session_memory: 15m\n");
    let settings = one.loaded().settings;
    let checkout = &settings.record.returns[&"us".parse().unwrap()];
    assert_eq!(checkout.memory, Duration::from_secs(900));
    assert!(
        Folder::with(&shipped())
            .loaded()
            .settings
            .record
            .returns
            .is_empty()
    );
}

#[test]
fn what_makes_no_sense_of_it_is_a_fault() {
    for (keys, fault) in [
        ("    session_cookie: sid\n", "stores.us.checkout: missing"),
        (
            "    session_memory: 1h\n    checkout: /pay\n",
            "stores.us.session_memory: found it without a `session_cookie`",
        ),
        (
            "    session_memory: 1h\n",
            "stores.us.session_memory: found it without",
        ),
        (
            "    session_cookie: \"a b\"\n    checkout: /pay\n",
            "stores.us.session_cookie: found \"a b\"; expected a cookie's exact name",
        ),
        (
            "    session_cookie: sid\n    checkout: [pay, \"/a?b\"]\n",
            "stores.us.checkout[1]:",
        ),
        (
            "    session_cookie: sid\n    checkout: []\n",
            "one path, or a list of 1 to 32",
        ),
        (
            "    session_cookie: sid\n    checkout: /pay\n    session_memory: 2d\n",
            "a duration above zero, at most 1d",
        ),
    ] {
        let faults = with(keys).faults();
        assert!(faults.contains(fault), "{fault}:\n{faults}");
    }
}

#[test]
fn a_checkout_needs_no_session() {
    let settings = with("    checkout: [/cart, \"/checkout/**\"]\n")
        .loaded()
        .settings;
    assert!(settings.record.returns.is_empty());
    let us = &settings.record.checkouts[&"us".parse().unwrap()];
    let routes: Vec<String> = us.iter().map(ToString::to_string).collect();
    assert_eq!(routes, ["/cart", "/checkout/**"]);
}

#[test]
fn that_one_order_pays_several_networks_is_said_and_warned_of() {
    let all = Folder::with(&shipped_with("cookie: { attribution: all }\n")).loaded();
    let words = "cookie.attribution: one order is told to every network with a click";
    assert!(warnings(&all).contains(words), "{}", warnings(&all));
    let report = report::text(&all);
    let words = "every network with a click is told of it, so one order may pay several networks";
    assert!(report.contains(words), "{report}");
}
