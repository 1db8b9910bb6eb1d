//! Regular expressions of the operator's: linear time, bounded size.

use regex::{Regex, RegexBuilder};

use super::value::Value;

/// Largest compiled expression in bytes.
const LIMIT: usize = 1 << 20;

const EXPECTED: &str =
    "a regular expression (in single quotes; no look-around, no back-references)";

/// An expression that is searched for.
pub(super) fn search(value: &Value<'_>) -> Option<Regex> {
    let text = value.text()?;
    let regex = text.make(compile, EXPECTED)?;
    Some(regex)
}

/// An expression that must match the whole text.
pub(super) fn whole(value: &Value<'_>) -> Option<Regex> {
    let text = value.text()?;
    // By itself first: `a)|(b` would be fine within the group.
    text.make(compile, EXPECTED)?;
    let anchored = |pattern: &str| compile(&format!("{OPEN}{pattern}{CLOSE}"));
    let regex = text.make(anchored, EXPECTED)?;
    Some(regex)
}

const OPEN: &str = r"\A(?:";
const CLOSE: &str = r")\z";

/// An expression as the operator wrote it.
pub(super) fn as_written(regex: &Regex) -> &str {
    let text = regex.as_str();
    let inner = text
        .strip_prefix(OPEN)
        .and_then(|rest| rest.strip_suffix(CLOSE));
    inner.unwrap_or(text)
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(LIMIT).build()
}
