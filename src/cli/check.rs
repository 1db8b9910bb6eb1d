//! `refgate check`: what a configuration will do.

use std::io;

use super::say;
use crate::config::{Loaded, report};

/// Tells what will be done, with the warnings.
///
/// # Errors
/// Nobody reads.
pub(super) fn run(
    loaded: &Loaded,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), say::Error> {
    let text = report::text(loaded);
    if as_json {
        let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        return say::json(
            out,
            &serde_json::json!({ "report": text, "warnings": warnings }),
        );
    }
    write!(out, "{text}")?;
    Ok(())
}
