//! Every saved confirmation under `tests/pages` is read as it must be.

use std::fmt::Write;
use std::fs;

use bytes::Bytes;
use refgate::observe::saved::{self, Given};
use refgate::observe::{Reading, Rules};

use crate::support::config::project;
use crate::support::observe::rules;

#[test]
fn every_saved_confirmation_is_read() {
    let folder = project().join("tests/pages");
    let common = fs::read_to_string(folder.join("proxy.yaml")).unwrap();
    let mut count = 0;
    let mut wrong = String::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "http") {
            continue;
        }
        count += 1;
        let own = fs::read_to_string(path.with_extension("yaml")).unwrap();
        let rules = rules(&format!("{common}{own}"));
        let file = Bytes::from(fs::read(&path).unwrap());
        let told = told(&rules, &file);
        let expected = fs::read_to_string(path.with_extension("read")).unwrap_or_default();
        if told != expected {
            let name = path.display();
            writeln!(wrong, "{name}:\n{told}instead of:\n{expected}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count >= 15, "only {count} pages");
}

fn told(rules: &Rules, file: &Bytes) -> String {
    let exchange = saved::exchange(file, None, &Given::default()).unwrap();
    let readings = rules.read(&exchange);
    if readings.is_empty() {
        let misses = rules.explain(&exchange);
        let lines = misses
            .iter()
            .map(|(rule, miss)| format!("no order: {rule}: {miss}\n"));
        return lines.collect();
    }
    readings.iter().map(lines).collect()
}

fn lines(reading: &Reading) -> String {
    let mut text = format!("rule {}\n", reading.rule);
    let mut line = |name: &str, value: String| writeln!(text, "{name} {value}").unwrap();
    if let Some(id) = &reading.order_id {
        line("order", id.as_str().to_owned());
    }
    for alias in &reading.aliases {
        line("alias", alias.as_str().to_owned());
    }
    if let Some(amount) = reading.amount {
        line("amount", amount.to_string());
    }
    if let Some(working) = &reading.working {
        line("working", working.clone());
    }
    for fault in &reading.faults {
        line("fault", fault.to_string());
    }
    if let Some(doubt) = reading.doubt {
        line("held", format!("{doubt:?}"));
    }
    text
}
