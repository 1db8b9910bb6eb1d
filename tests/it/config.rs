//! A configuration: read as meant, or refused with every fault told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;

use refgate::config::keys::{self, Missing, Source};
use refgate::config::{Loaded, report};
use serde_yaml::Value;

use crate::support::config::{Folder, project, shipped, shipped_with};

#[test]
fn the_shipped_configuration_has_no_fault_and_no_warning() {
    let loaded = Folder::with(&shipped()).loaded();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.settings.stores.all().len(), 2);
    assert_eq!(loaded.settings.observe.rules.len(), 1);
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
    for depth in [30, 200, 100_000] {
        let brackets = "[".repeat(depth) + &"]".repeat(depth);
        for deep in [brackets, "- ".repeat(depth), "{a: ".repeat(depth)] {
            let faults = Folder::with(&deep).faults();
            let told = faults.contains("nesting deeper") || faults.contains("recursion limit");
            assert!(
                told || faults.contains("at most 256 KiB"),
                "{depth}: {faults}"
            );
        }
    }
    let large = Folder::with(&"# \n".repeat(100_000)).faults();
    assert!(large.contains("at most 256 KiB"), "{large}");
    let folder = Folder::with("");
    fs::write(folder.path("proxy.yaml"), b"listen: x\nadmin: \xff\n").unwrap();
    assert!(
        folder
            .faults()
            .starts_with("proxy.yaml:2:8: bytes that are no UTF-8")
    );
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
    let path = &loaded.settings.ledger.path;
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
        ["127.0.0.1:9999".parse().unwrap()]
    );
    let set = Folder::with(&text).var("LISTEN", "127.0.0.1:7777").loaded();
    assert_eq!(
        set.settings.accept.listen,
        ["127.0.0.1:7777".parse().unwrap()]
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
fn a_key_file_is_made_once_and_for_its_owner_only() {
    let folder = Folder::with(&shipped());
    let path = folder.path("refgate.key");
    assert_eq!(folder.loaded().settings.keys, Source::New(path.clone()));
    assert!(!path.exists(), "a check writes nothing");

    folder.load(Missing::Create).unwrap();
    let made = fs::read_to_string(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let again = folder.load(Missing::Create).unwrap();
    assert_eq!(again.settings.keys, Source::File(path.clone()));
    assert_eq!(fs::read_to_string(&path).unwrap(), made);
    assert_eq!(
        fs::read_dir(folder.path("")).unwrap().count(),
        2,
        "no draft is left"
    );

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let faults = folder.faults();
    assert!(
        faults.contains("cookie.key_file") && faults.contains("chmod 600"),
        "{faults}"
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "0123\n").unwrap();
    assert!(folder.faults().contains("64 bytes in hexadecimal"));
    fs::write(&path, "# nothing\n").unwrap();
    assert!(folder.faults().contains("no key"));
}

#[test]
fn a_faulty_configuration_leaves_no_key_behind() {
    let folder = Folder::with(&shipped().replace("currency: CAD", "currency: CADD"));
    assert!(folder.load(Missing::Create).is_err());
    assert!(!folder.path("refgate.key").exists());
}

#[test]
fn processes_that_start_at_once_share_one_key() {
    let folder = Folder::with("");
    let path = folder.path("some.key");
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                keys::load_or_create(&path).unwrap();
            });
        }
    });
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!(
        fs::read_dir(folder.path("")).unwrap().count(),
        2,
        "no draft is left"
    );
}

#[test]
fn keys_come_from_variables_only() {
    let cookie = "cookie: { keys: [\"${NEW}\", \"${OLD}\"] }";
    let (new, old) = (keys::create().unwrap(), keys::create().unwrap());
    let folder = Folder::with(&shipped_with(cookie))
        .var("NEW", &new)
        .var("OLD", &old);
    let loaded = folder.loaded();
    assert_eq!(loaded.settings.keys, Source::Given(2));
    assert!(!format!("{loaded:?}").contains(&new));
    let short = Folder::with(&shipped_with(cookie))
        .var("NEW", SECRET)
        .var("OLD", &old);
    let faults = short.faults();
    assert!(
        faults.contains("cookie.keys[0]: found a value (from ${NEW})"),
        "{faults}"
    );
    let literal = Folder::with(&shipped_with(&cookie.replace("${NEW}", &new))).faults();
    assert!(literal.contains("a key must not stand in this file") && !literal.contains(&new));
}

/// The reference's keys: the first cells of its tables.
fn documented(text: &str) -> BTreeSet<String> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let keys = cells.filter_map(|cell| cell.split_once('`'));
    keys.map(|(key, _)| key.to_owned()).collect()
}

fn reference() -> String {
    fs::read_to_string(project().join("docs/configuration.md")).unwrap()
}

#[test]
fn the_reference_explains_every_key_and_no_other() {
    let known = Folder::with(&shipped()).loaded().keys;
    let documented = documented(&reference());
    let missing: Vec<_> = known.difference(&documented).collect();
    let invented: Vec<_> = documented.difference(&known).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "missing: {missing:#?}, invented: {invented:#?}"
    );
    assert!(known.len() > 80, "{}", known.len());
}

/// Each example, laid over the shipped file, has no fault.
#[test]
fn every_example_of_the_reference_is_right() {
    let mut tried = 0;
    for piece in reference().split("```yaml\n").skip(1) {
        let example = piece.split("```").next().unwrap();
        let folder = Folder::with(&shipped_with(example))
            .var("ASPIRE_TOKEN", SECRET)
            .var("REFGATE_KEY", &keys::create().unwrap())
            .var("REFGATE_OLD_KEY", &keys::create().unwrap())
            .file(
                "aspire.url",
                "https://net.example/p?a=AFFILIATE_ID&amount=AMOUNT&o=ORDER_ID",
            );
        assert_eq!(folder.faults(), "", "{example}");
        tried += 1;
    }
    assert!(tried > 8, "{tried}");
}

/// The defaults of the reference, written out, change nothing.
#[test]
fn the_reference_states_the_defaults_of_the_code() {
    let mut written: BTreeMap<String, String> = BTreeMap::new();
    for line in reference().lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches(['|', ' ']).split(" | ").collect();
        let key = cells[0].trim_matches('`');
        let Some((section @ ("limits" | "timeouts" | "deliver"), key)) = key.split_once('.') else {
            continue;
        };
        let default = cells.last().unwrap().trim_matches('`');
        let section = written.entry(section.to_owned()).or_default();
        section.push_str(&format!("\n  {key}: {default}"));
    }
    assert_eq!(written.len(), 3);
    let sections = written
        .iter()
        .map(|(key, lines)| format!("\n{key}:{lines}"));
    let folder = Folder::with(&(shipped() + &sections.collect::<String>()));
    let stated = stages(&folder.loaded());
    fs::write(folder.path("proxy.yaml"), shipped()).unwrap();
    assert_eq!(stages(&folder.loaded()), stated);
}

fn stages(loaded: &Loaded) -> String {
    let settings = &loaded.settings;
    let deliver = &settings.deliver;
    format!(
        "{:#?}{:#?}{:?}{:?}{:?}{:?}{:?}{:?}{:?}{:?}{:?}",
        settings.accept,
        settings.forward,
        settings.observe,
        settings.record.hold,
        deliver.schedule,
        deliver.connect_timeout,
        deliver.timeout,
        deliver.concurrency,
        deliver.answer_limit,
        deliver.retry_after_limit,
        settings.capture.window,
    )
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let folder = Folder::with("");
    fs::remove_file(folder.path("proxy.yaml")).unwrap();
    assert_eq!(
        folder.faults(),
        "proxy.yaml: cannot be read: entity not found"
    );
}

#[test]
fn the_report_says_what_will_be_done() {
    let folder = Folder::with(&shipped().replace("send: true ", "send: false"));
    let report = report::text(&folder.loaded());
    for words in [
        "for shoppers on 127.0.0.1:8080",
        "us: http://store-us.localhost → http://127.0.0.1:8081",
        "aspire: a link with affiliate_id=… (matching [0-9]{1,12}, at most 64 bytes)",
        "aspire, in USD (a dry run: held, not sent), for example:",
        "aff_id=123456&amount=78.36&adv_unique1=100005",
        "1 CAD = 0.73 USD",
        "thank-you: in us, ca, when GET /checkout/thank-you/{order_id} answers 200 as text/html, containing",
        "enter an order worth subtotal - discount",
        "a key that `run` will make in",
    ] {
        assert!(report.contains(words), "{words}:\n{report}");
    }
}
