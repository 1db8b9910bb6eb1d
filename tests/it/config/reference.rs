//! docs/configuration.md says what the code does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use refgate::config::{Loaded, keys};

use super::{SECRET, upstream};
use crate::support::config::{Folder, project, shipped, shipped_with};
use crate::support::tls::Authority;

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
    let signed = Authority::new().sign(&["shop.example"]);
    for piece in reference().split("```yaml\n").skip(1) {
        let example = piece.split("```").next().unwrap();
        let folder = Folder::with(&shipped_with(example))
            .var("ASPIRE_TOKEN", SECRET)
            .var("CRM_TOKEN", SECRET)
            .var("BOOKS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .file("crm.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .file("books.url", "https://books.example/orders/{order_id}")
            .file("closed.html", "<!doctype html><title>Closed</title>")
            .var("REFGATE_KEY", &keys::create().unwrap())
            .var("REFGATE_OLD_KEY", &keys::create().unwrap())
            .file("shop.crt", &signed.chain)
            .file("shop.key", &signed.key)
            .file(
                "aspire.url",
                "https://net.example/p?a=AFFILIATE_ID&amount=AMOUNT&o=ORDER_ID",
            )
            .file("shop-ca.pem", &upstream::authority());
        assert_eq!(folder.faults(), "", "{example}");
        tried += 1;
    }
    assert!(tried > 8, "{tried}");
}

/// The README's rule, laid over the shipped file, has no fault.
#[test]
fn the_readmes_rule_is_right() {
    let readme = fs::read_to_string(project().join("README.md")).unwrap();
    let examples: Vec<_> = readme.split("```yaml\n").skip(1).collect();
    assert_eq!(examples.len(), 1);
    let example = examples[0].split("```").next().unwrap();
    assert_eq!(Folder::with(&shipped_with(example)).faults(), "");
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
        "{:#?}{:#?}{:?}{:?}{:?}{:?}{:?}{:?}{:?}{:?}{:?}{:?}",
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
        deliver.rest,
        settings.capture.window,
    )
}
