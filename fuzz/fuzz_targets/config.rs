//! A configuration: whatever the file holds, it is loaded or its faults are told, without a secret in them.
#![no_main]

use std::cell::LazyCell;

use libfuzzer_sys::fuzz_target;
use refgate::config::{Finding, report};
use refgate_fuzz::settings::{SECRET, folder, load};
use refgate_fuzz::{shown, text};
use tempfile::TempDir;

thread_local! {
    static FOLDER: LazyCell<TempDir> = const { LazyCell::new(folder) };
}

fuzz_target!(|bytes: &[u8]| {
    let loaded = FOLDER.with(|folder| load(folder, bytes));
    // Where the file itself says it, it is no secret.
    let is_told = text(bytes).is_none_or(|text| text.contains("s3c") || text.contains("value"));
    let check = |finding: &Finding| {
        let line = finding.to_string();
        shown(&line);
        assert!(is_told || !line.contains(SECRET), "{line}");
    };
    match loaded {
        Ok(loaded) => {
            loaded.warnings.iter().for_each(check);
            assert!(!report::text(&loaded).is_empty());
        }
        Err(faults) => {
            assert!(!faults.findings().is_empty());
            faults.findings().iter().for_each(check);
        }
    }
});
