//! `held:`: a hold ends by itself only by a rule that can be kept.

use std::time::Duration;

use refgate::config::report;
use refgate::ledger::Action;
use refgate::order::Doubt;

use crate::support::config::{Folder, shipped, shipped_with};

#[test]
fn rules_are_read_and_said() {
    let text = shipped_with(
        "held: [{ doubt: unproven, refuse_after: 14d }, { doubt: over_max_amount, release_after: 36h }]",
    );
    let loaded = Folder::with(&text).loaded();
    let rules = &loaded.settings.deliver.holds.rules;
    assert_eq!(
        (rules[0].doubt, rules[0].action),
        (Doubt::Unproven, Action::Refuse)
    );
    assert_eq!(rules[1].after, Duration::from_secs(36 * 3600));
    assert_eq!(
        rules[1].words.as_str(),
        "by the rule over_max_amount, release_after 36h"
    );
    let report = report::text(&loaded);
    for words in [
        "  what is held as unproven is refused after 14d\n",
        "  what is held as over_max_amount is released after 36h\n",
        "  what else is held waits for you: `refgate held list`\n",
    ] {
        assert!(report.contains(words), "{words}:\n{report}");
    }
    let plain = report::text(&Folder::with(&shipped()).loaded());
    assert!(plain.contains("  what is held waits for you: "), "{plain}");
}

#[test]
fn a_rule_that_cannot_be_kept_is_refused() {
    for (rule, said) in [
        (
            "{ doubt: odd, refuse_after: 1d }",
            "held[0].doubt: found \"odd\" (unknown variant `odd`",
        ),
        ("{ refuse_after: 1d }", "held[0].doubt: missing"),
        ("{ doubt: unproven }", "held[0].refuse_after: missing"),
        (
            "{ doubt: unproven, refuse_after: 1d, release_after: 1d }",
            "expected one of the two",
        ),
        (
            "{ doubt: unproven, refuse_after: 5s }",
            "expected a duration from 1m",
        ),
        (
            "{ doubt: unreadable, release_after: 1d }",
            "found `release_after` for `unreadable`",
        ),
        (
            "{ doubt: shadow, release_after: 1d }",
            "found `release_after` for `shadow`",
        ),
        (
            "{ doubt: unproven, after: 1d, refuse_after: 1d }",
            "held[0].after: unknown key",
        ),
        (
            "{ doubt: unproven, refuse_after: 1d }, { doubt: unproven, refuse_after: 2d }",
            "held[1]: found a second rule for `unproven`",
        ),
    ] {
        let faults = Folder::with(&shipped_with(&format!("held: [{rule}]"))).faults();
        assert!(faults.contains(said), "{said}:\n{faults}");
    }
}
