//! What is said of that which is held.

use super::shown;
use crate::config::Settings;

/// When it goes on.
pub(super) fn sentences(settings: &Settings) -> Vec<String> {
    let rules = settings.deliver.holds.rules.iter();
    let mut lines: Vec<String> = rules
        .map(|rule| {
            let (done, after) = (rule.action.done(), shown(rule.after));
            format!("  what is held as {} is {done} after {after}", rule.doubt)
        })
        .collect();
    let rest = match lines.len() {
        0 => "what is held waits for you",
        _ => "what else is held waits for you",
    };
    lines.push(format!("  {rest}: `refgate held list`"));
    lines
}
