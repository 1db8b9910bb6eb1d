//! The house limits: a file is one idea, says which, and fits on a few screens.

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
