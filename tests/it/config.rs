//! A configuration: read as meant, or refused with every fault told.

mod consent;
mod guard;
mod hand_over;
mod held;
mod keys;
mod ledger;
mod reference;
mod returns;
mod scope;
mod sending;
mod sensitive;
mod tls;
mod upstream;
mod webhooks;

use std::fs;

use refgate::accept::Listener;
use refgate::config::keys::Missing;
use refgate::config::{Loaded, report};
use refgate::secret::mask;
use serde_yaml::Value;

use crate::support::config::{Folder, project, shipped, shipped_with};

/// Most targets of the fuzzer go by it, and it is built by none of the tests here.
#[test]
fn the_fuzzers_configuration_has_no_fault() {
    let text = include_str!("../../fuzz/src/settings.yaml");
    let key = "5a".repeat(64);
    Folder::with(text)
        .var("KEY", &key)
        .var("SECRET", "s3cr3t-value")
        .loaded();
}

#[test]
fn the_shipped_configuration_has_no_fault_and_no_warning() {
    let loaded = Folder::with(&shipped()).loaded();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.settings.stores.all().len(), 2);
    assert_eq!(loaded.settings.observe.rules.len(), 1);
}

#[test]
fn a_slow_reading_and_few_connections_lose_no_order() {
    let loaded = Folder::with(&shipped()).loaded();
    let read = loaded.settings.observe.read_timeout;
    assert_eq!(read, std::time::Duration::from_secs(30));
    let limited = |count: u32| format!("{}\nlimits: {{ connections: {count} }}\n", shipped());
    let faults = Folder::with(&limited(63)).faults();
    assert!(faults.contains("from 64 to 1000000"), "{faults}");
    Folder::with(&limited(64)).loaded();
}

/// `tests/config/NAME.yaml` has the faults that stand in `NAME.faults`, all of them and no other.
#[test]
fn every_fault_is_told_with_its_place() {
    let mut tried = 0;
    let mut wrong = String::new();
    for entry in fs::read_dir(project().join("tests/config")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let expected = fs::read_to_string(path.with_extension("faults")).unwrap();
        let found = Folder::with(&fs::read_to_string(&path).unwrap()).faults();
        if found.trim() != expected.trim() {
            wrong.push_str(&format!("\n{}:\n{found}\n", path.display()));
        }
        tried += 1;
    }
    assert!(tried >= 4, "{tried} files");
    assert!(wrong.is_empty(), "other faults than expected:{wrong}");
}

#[test]
fn an_alias_bomb_a_deep_and_a_large_file_are_refused_at_once() {
    let mut bomb = "a0: &a0 [x]\n".to_owned();
    for n in 1..30 {
        let before = n - 1;
        bomb.push_str(&format!(
            "a{n}: &a{n} [*a{before}, *a{before}, *a{before}]\n"
        ));
    }
    assert!(Folder::with(&bomb).faults().contains("an alias"));
    for depth in [30, 200, 1_000, 100_000] {
        let brackets = "[".repeat(depth) + &"]".repeat(depth);
        for deep in [brackets, "- ".repeat(depth), "{a: ".repeat(depth)] {
            let faults = Folder::with(&deep).faults();
            let bounds = ["nesting deeper", "recursion limit", "8 KiB", "1 MiB"];
            let told = bounds.iter().any(|words| faults.contains(words));
            assert!(told, "{depth}: {faults}");
        }
    }
    let many: String = (0..5_000).map(|n| format!("key{n}: x\n")).collect();
    assert!(Folder::with(&many).faults().contains("more than 1024 keys"));
    let large = Folder::with(&"# \n".repeat(400_000)).faults();
    assert!(large.contains("at most 1 MiB"), "{large}");
    let folder = Folder::with("");
    fs::write(folder.path("proxy.yaml"), b"listen: x\nadmin: \xff\n").unwrap();
    assert!(
        folder
            .faults()
            .starts_with("proxy.yaml:2:8: bytes that are no UTF-8")
    );
}

#[test]
fn what_a_file_says_does_nothing_to_the_terminal_that_shows_it() {
    let turned = "\"e\\u202e\": 1\n\"e\\u202e\": 2\n";
    let faults = Folder::with(turned).faults();
    assert!(
        faults.contains("e\\u{202e}: this key stands here already"),
        "{faults}"
    );
    assert!(!faults.contains('\u{202e}'), "{faults}");
}

#[test]
fn no_hostile_text_makes_the_reader_panic() {
    let pieces = [
        "listen", ": ", "- ", "\n", "  ", "{", "}", "[", "]", "\"", "'", "&a", "*a", "!t", "|",
        ">", "?", "#", "<<", "---\n", "stores", "\t", "\u{feff}", "\0", "${", "é", "1.10", ",",
        "%TAG",
    ];
    let strategy = proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..40);
    proptest::proptest!(|(words in strategy)| {
        let text = words.concat();
        proptest::prop_assert!(Folder::with(&text).load(Missing::Pretend).is_err());
    });
}

#[test]
fn a_value_is_read_as_written() {
    let loaded =
        Folder::with(&shipped().replace("max_amount: 5000", "max_amount: 1234.10")).loaded();
    let stores = loaded.settings.stores.all();
    assert_eq!(stores[0].max_amount.to_string(), "1234.10");
    let refgate::ledger::Settings::Sqlite(path) = &loaded.settings.ledger else {
        panic!("{}", loaded.settings.ledger)
    };
    assert!(
        path.is_absolute() && path.ends_with("refgate.db"),
        "{path:?}"
    );
}

#[test]
fn a_variable_is_a_value_and_never_a_key() {
    let text = shipped().replace("127.0.0.1:8080 ", "${LISTEN:-127.0.0.1:9999} ");
    let plain = Folder::with(&text).loaded();
    assert_eq!(
        plain.settings.accept.listen,
        [Listener::plain("127.0.0.1:9999".parse().unwrap())]
    );
    let set = Folder::with(&text).var("LISTEN", "127.0.0.1:7777").loaded();
    assert_eq!(
        set.settings.accept.listen,
        [Listener::plain("127.0.0.1:7777".parse().unwrap())]
    );
    let hostile = Folder::with(&text).var("LISTEN", "127.0.0.1:1\nadmin: 127.0.0.1:2");
    let faults = hostile.faults();
    assert!(
        faults.starts_with("proxy.yaml:5:9: listen: found a value (from ${LISTEN}); expected"),
        "{faults}"
    );
    let unset = Folder::with(&text.replace(":-127.0.0.1:9999", "")).faults();
    assert!(
        unset.contains("listen: found ${LISTEN}, but the environment has no value"),
        "{unset}"
    );
}

const SECRET: &str = "hunter2-geheim";

/// Every scalar of the shipped file in turn becomes the secret, or ends with it.
#[test]
fn a_secret_is_in_no_fault_no_warning_and_no_report() {
    // What a report must show to be of use (docs/configuration.md, "Secrets").
    let plain = [
        "hosts", "upstream", "listen", "admin", "key_file", "ledger", "spool",
    ];
    let whole: Value = serde_yaml::from_str(&shipped()).unwrap();
    let (mut faulty, mut fine, mut n) = (0, 0, 0);
    for ending in [false, true] {
        n = 0;
        loop {
            let mut value = whole.clone();
            let Some(path) = replace(&mut value, &mut { n }, ending) else {
                break;
            };
            n += 1;
            let text = serde_yaml::to_string(&value).unwrap();
            let folder = Folder::with(&text).var("SECRET", SECRET);
            let output = match folder.load(Missing::Pretend) {
                Err(faults) => {
                    faulty += 1;
                    faults.to_string()
                }
                Ok(_) if plain.iter().any(|key| path.contains(key)) => continue,
                Ok(loaded) => {
                    fine += 1;
                    report::text(&loaded)
                }
            };
            assert!(!output.contains(SECRET), "{path}:\n{output}");
        }
    }
    assert!(n > 50 && faulty > 30 && fine > 10, "{n} {faulty} {fine}");
}

/// Replaces the `n`-th scalar; gives its path.
fn replace(value: &mut Value, n: &mut usize, ending: bool) -> Option<String> {
    match value {
        Value::Mapping(map) => map.iter_mut().find_map(|(key, value)| {
            let inner = replace(value, n, ending)?;
            Some(format!("{}.{inner}", key.as_str().unwrap()))
        }),
        Value::Sequence(items) => items.iter_mut().find_map(|item| replace(item, n, ending)),
        _ if *n > 0 => {
            *n -= 1;
            None
        }
        scalar => {
            let before = match scalar {
                Value::String(text) if ending => text.clone(),
                _ => String::new(),
            };
            *scalar = Value::String(format!("{before}${{SECRET}}"));
            Some(String::new())
        }
    }
}

const NETWORK: &str = "
networks:
  aspire:
    click: { affiliate_id: '[0-9]{1,12}' }
    POSTBACK
    currency: USD
    rates: { CAD: 0.73 }
    answers: [{ body: ok, means: accepted }]
";

fn with_postback(line: &str) -> Folder {
    Folder::with(&shipped_with(&NETWORK.replace("POSTBACK", line)))
}

#[test]
fn a_postback_url_keeps_its_secrets() {
    let url = "https://net.example/p?a=AFFILIATE_ID&amount=AMOUNT&o=ORDER_ID&security_token=";
    let from_variable = with_postback(&format!("postback: {url}${{TOKEN}}")).var("TOKEN", SECRET);
    let from_file = with_postback("postback_file: url").file("url", &format!("{url}{SECRET}\n"));
    for folder in [from_variable, from_file] {
        let loaded = folder.loaded();
        assert_eq!(loaded.warnings, []);
        let report = report::text(&loaded);
        let shown = "GET https://net.example/p?a=123456&amount=78.36&o=100005&security_token=***";
        assert!(report.contains(shown), "{report}");
        let destination = loaded
            .settings
            .deliver
            .destinations
            .values()
            .next()
            .unwrap();
        assert!(
            destination
                .secrets
                .iter()
                .any(|secret| secret.reveal() == SECRET)
        );
        assert!(!format!("{:?}", loaded.settings).contains(SECRET));
    }
    let literal = with_postback(&format!("postback: {url}{SECRET}")).loaded();
    assert!(warnings(&literal).contains("seems to hold a secret"));
}

#[test]
fn a_secret_beside_a_placeholder_or_in_the_file_is_masked() {
    let url = "https://n.example/p?a=AFFILIATE_ID&amount=AMOUNT&o=ORDER_ID&";
    for pair in [
        "sig=hush-hush-{order_id}",
        "sig={order_id}hush-hush",
        "sig={store}-hush-hush-{order_id}",
        "{store}-hush-hush",
    ] {
        let url = format!("{url}{pair}");
        for folder in [
            with_postback("postback_file: url").file("url", &format!("{url}\n")),
            with_postback("postback: ${URL}").var("URL", &url),
            with_postback(&format!("postback: {}${{PAIR}}", url.replace(pair, "")))
                .var("PAIR", pair),
        ] {
            let report = report::text(&folder.loaded());
            assert!(!report.contains("hush"), "{pair}: {report}");
            assert!(report.contains("amount=78.36"), "{pair}: {report}");
        }
    }
    for pair in [
        "security_token=hush-hush",
        "api_key=x{order_id}hush-hush",
        "SECRET=hush-hush",
        "password=hush-hush",
    ] {
        let loaded = with_postback(&format!("postback: {url}{pair}")).loaded();
        assert!(warnings(&loaded).contains("seems to hold a secret"));
        let network = loaded.settings.deliver.destinations.values().next();
        let sent = mask(&format!("{url}{pair}"), &network.unwrap().secrets);
        assert!(!sent.contains("hush-hush"), "{sent}");
        let report = report::text(&loaded);
        assert!(!report.contains("hush-hush"), "{report}");
    }
}

fn warnings(loaded: &Loaded) -> String {
    let lines = loaded.warnings.iter().map(ToString::to_string);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_a_network_would_count_as_nothing_is_warned_of() {
    for (line, words) in [
        (
            "postback: https://n.example/p?a=AFFILIATE_ID&o=ORDER_ID",
            "no AMOUNT",
        ),
        (
            "postback: https://n.example/p?a=AFFILIATE_ID&amount=AMOUNT",
            "no ORDER_ID",
        ),
        (
            "postback: https://x.go2cloud.org/aff_lsr?affiliate_id=AFFILIATE_ID&amount=AMOUNT&o=ORDER_ID",
            "this network's parameter is aff_id=",
        ),
    ] {
        let warnings = warnings(&with_postback(line).loaded());
        assert!(warnings.contains(words), "{line}: {warnings}");
    }
    let line = "postback: https://n.example/p?a=AFFILIATE_ID&amount=AMOUNT&o=ORDER_ID";
    let text = shipped_with(&NETWORK.replace("POSTBACK", line)).replace("rates: { CAD: 0.73 }", "");
    let held = warnings(&Folder::with(&text).loaded());
    assert!(
        held.contains("the store `ca` sells in CAD") && held.contains("will be held"),
        "{held}"
    );
}

#[test]
fn an_id_from_the_address_with_two_spellings_is_warned_of() {
    let page = "order_id: { css: \"#order-number\", pattern: '[0-9]+' }";
    for (source, other) in [
        ("{ path: order_id }", Some("0042")),
        ("{ path: order_id, pattern: '[0-9]+' }", Some("0042")),
        ("{ path: order_id, pattern: '(?i)[a-z]+' }", Some("AB")),
        ("{ path: order_id, pattern: '[1-9][0-9]*' }", None),
        ("{ path: order_id, pattern: '^R([1-9][0-9]+)' }", None),
        ("{ css: '#order-number' }", None),
    ] {
        let text = shipped().replace(page, &format!("order_id: {source}"));
        assert_ne!(text, shipped());
        let warnings = warnings(&Folder::with(&text).loaded());
        let told = warnings.contains("an id from the address: where the shop takes");
        assert_eq!(told, other.is_some(), "{source}: {warnings}");
        assert!(
            warnings.contains(other.unwrap_or_default()),
            "{source}: {warnings}"
        );
    }
}

#[test]
fn an_alias_from_the_address_is_a_fault() {
    for source in ["{ path: order_id }", "{ query: o }"] {
        let read = format!("read:\n      alias: {source}\n");
        let faults = Folder::with(&shipped().replacen("read:\n", &read, 1)).faults();
        assert!(faults.contains("an alias from the address"), "{faults}");
    }
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let folder = Folder::with("");
    fs::remove_file(folder.path("proxy.yaml")).unwrap();
    assert_eq!(
        folder.faults(),
        "proxy.yaml: cannot be read: there is no such file"
    );
}

#[test]
fn the_report_says_what_will_be_done() {
    let folder = Folder::with(&shipped().replace("mode: live ", "mode: shadow"));
    let report = report::text(&folder.loaded());
    for words in [
        "for shoppers on 127.0.0.1:8080",
        "us: http://store-us.localhost → http://127.0.0.1:8081",
        "aspire: a link with affiliate_id=… (matching [0-9]{1,12}, at most 64 bytes)",
        "aspire, in USD (in shadow: held, not sent), for example:",
        "aff_id=123456&amount=78.36&adv_unique1=100005",
        "consent is not needed: the cookie is set on every affiliate click",
        "no clicks and no orders of: robots that say so",
        "1 CAD = 0.73 USD",
        "thank-you: in us, ca, when GET /checkout/thank-you/{order_id} answers 200 as text/html, containing",
        "enter an order worth subtotal - discount",
        "a key that `run` will make in",
    ] {
        assert!(report.contains(words), "{words}:\n{report}");
    }
}

#[test]
fn stores_share_their_numbers_where_they_share_an_upstream() {
    let store = |name: &str, upstream: &str, more: &str| {
        format!(
            "  {name}:\n    hosts: {name}.example\n    upstream: {upstream}\n    currency: USD\n    \
             number_format: '1,234.56'\n    max_amount: 5000\n    consent: not_needed\n    checkout: /cart\n    {more}\n"
        )
    };
    let (one, two, three) = ("http://a:1", "http://b:1", "http://c:1");
    let stores = [
        store("first", &format!("[{one}, {two}]"), ""),
        store("second", two, "balance: least_busy"),
        store("third", three, "orders: main"),
        store(
            "fourth",
            &format!("[{two}, {three}]"),
            "health: { path: /up }",
        ),
    ];
    let folder = Folder::with(&shipped_with(&format!(
        "stores:\n{}rules:\n  - name: any\n    when: {{ path: /done/*, contains: x }}\n    \
         read: {{ order_id: {{ css: a }}, amount: {{ css: b }} }}\n    then: order\n",
        stores.concat()
    )));
    let loaded = folder.loaded();
    let orders = |host: &str| {
        loaded
            .settings
            .stores
            .find(host)
            .unwrap()
            .orders
            .to_string()
    };
    for (host, expected) in [
        ("first.example", "first"),
        ("second.example", "first"),
        ("third.example", "main"),
        ("fourth.example", "first"),
    ] {
        assert_eq!(orders(host), expected, "{host}");
    }
    let warnings = warnings(&loaded);
    assert!(
        warnings.contains("stores.second.balance: there is nothing to balance"),
        "{warnings}"
    );
    let told = warnings.matches("another store with the same upstream has other `orders`");
    assert_eq!(told.count(), 1, "{warnings}");
    let report = report::text(&loaded);
    for words in [
        "first: https://first.example → http://a:1, http://b:1",
        "each upstream is asked in turn",
        "every 5s each is asked for /up: 3 times in a row without 200 within 2s",
    ] {
        assert!(report.contains(words), "{words}:\n{report}");
    }
}
