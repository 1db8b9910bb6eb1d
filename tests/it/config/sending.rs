//! What the report says of sending, and what is warned of or refused.

use refgate::config::report;

use crate::support::config::{Folder, shipped, shipped_with};

#[test]
fn the_report_says_how_postbacks_are_sent() {
    let text = shipped_with(
        "deliver: { rest_after: 3, rest: 1m, rest_longest: 1h, proxy: 'http://me:${PASS}@10.0.0.9:3128', from: 127.0.0.1 }",
    );
    let text = text.replacen(
        "    mode: live",
        "    rate: 100/m\n    concurrency: 2\n    mode: live",
        1,
    );
    let loaded = Folder::with(&text).var("PASS", "open sesame").loaded();
    assert_eq!(loaded.warnings, []);
    let report = report::text(&loaded);
    for words in [
        "      at most 2 at once, 100 a minute\n",
        "  they leave through the proxy http://10.0.0.9:3128 as me, from the address 127.0.0.1\n",
        "  after 3 failures in a row a network is left alone for 1m or so, then longer, up to 1h; no attempt",
    ] {
        assert!(report.contains(words), "{words}:\n{report}");
    }
    assert!(!format!("{:?}", loaded.settings).contains("sesame"));
    let plain = report::text(&Folder::with(&shipped()).loaded());
    assert!(plain.contains("      at most 8 at once\n"), "{plain}");
    assert!(!plain.contains("they leave"), "{plain}");
}

#[test]
fn a_way_out_that_is_none_is_refused_without_being_shown() {
    for (piece, said) in [
        (
            "proxy: 'https://me:hush@proxy:1'",
            "deliver.proxy: found a value that is not shown (no plain http:// address); expected http://HOST:PORT",
        ),
        (
            "proxy: 'http://me:hush@proxy:1/path'",
            "deliver.proxy: found a value that is not shown",
        ),
        ("from: here", "deliver.from: found \"here\""),
        (
            "from: 127.0.0.1:80",
            "expected an IP address of this machine, or any",
        ),
    ] {
        let faults = Folder::with(&shipped_with(&format!("deliver: {{ {piece} }}"))).faults();
        assert!(
            faults.contains(said) && !faults.contains("hush"),
            "{said}:\n{faults}"
        );
    }
}

#[test]
fn an_address_that_is_elsewhere_and_an_open_password_are_warned_of() {
    for (piece, said) in [
        // Kept for documents (RFC 5737): no machine has it.
        (
            "from: 192.0.2.1",
            "no postback can be sent from 192.0.2.1 now",
        ),
        (
            "proxy: 'http://me:hush@proxy:1'",
            "the proxy's password stands in the file",
        ),
    ] {
        let loaded = Folder::with(&shipped_with(&format!("deliver: {{ {piece} }}"))).loaded();
        let [warning] = &loaded.warnings[..] else {
            panic!("{:?}", loaded.warnings);
        };
        assert!(warning.to_string().contains(said), "{warning}");
        assert!(!report::text(&loaded).contains("hush"));
    }
}

#[test]
fn a_rate_is_so_many_in_a_time() {
    for wrong in ["10", "0/s", "10/day", "fast"] {
        let text = shipped().replacen(
            "    mode: live",
            &format!("    rate: {wrong}\n    mode: live"),
            1,
        );
        let faults = Folder::with(&text).faults();
        let said = "networks.aspire.rate";
        assert!(
            faults.contains(said) && faults.contains("like 10/s, 100/m or 2000/h"),
            "{faults}"
        );
    }
}

#[test]
fn what_is_known_beside_an_unknown_key_is_told_once() {
    let text = shipped().replacen("    dedupe: none ", "    zzzzzz: none ", 1);
    let faults = Folder::with(&text).faults();
    let (_, known) = faults
        .split_once("networks.aspire.zzzzzz: unknown key; known here: ")
        .expect(&faults);
    let known: Vec<&str> = known.lines().next().unwrap().split(", ").collect();
    let mut once = known.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), known.len(), "{known:?}");
}
