//! A configuration: read as meant, or refused with every fault told.

use std::fs;

use crate::support::config::{Folder, project, shipped};

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
