//! The house limits: a file is one idea, says which, and fits on a few screens; a suite's script can be run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::sources;

const MOST_LINES: usize = 400;

#[test]
fn every_file_says_what_it_is_and_stays_small() {
    let sources = sources::all();
    assert!(!sources.is_empty(), "no source was found");
    let faults: Vec<String> = sources
        .iter()
        .flat_map(|source| {
            let lines = source.text.lines().count();
            let path = source.path.display();
            let large = (lines > MOST_LINES).then(|| format!("{path}: {lines} lines"));
            let silent = (!source.text.starts_with("//! "))
                .then(|| format!("{path}: does not open with what it is (//!)"));
            [large, silent]
        })
        .flatten()
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A script that lost its bit runs nowhere but where somebody calls its interpreter by hand.
#[test]
fn every_script_of_the_suites_is_executable() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suites = fs::read_to_string(root.join("tests/system.sh")).unwrap();
    let scripts: Vec<&str> = suites
        .split_whitespace()
        .filter(|word| word.starts_with("tests/") && word.ends_with(".py"))
        .collect();
    assert!(scripts.len() > 8, "{scripts:?}");
    for script in scripts {
        let mode = fs::metadata(root.join(script))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o111, 0o111, "chmod +x {script}");
    }
}
