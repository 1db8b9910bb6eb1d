//! `held:` → when what is held goes on by itself.

use std::collections::HashMap;
use std::time::Duration;

use super::reader::Map;
use super::units::shown;
use super::value::Value;
use crate::deliver::{HoldRule, Holds};
use crate::ledger::{Action, Follows, Webhook};
use crate::name::NetworkName;
use crate::order::Doubt;
use crate::record::Destination;

/// Shortest time: it is looked for once a minute.
const LEAST: Duration = Duration::from_secs(60);

/// Reads the rules, and what follows of a release.
pub(super) fn read(
    root: &Map<'_>,
    networks: &HashMap<NetworkName, Destination>,
    webhooks: &[Webhook],
) -> Holds {
    let send_after = |(name, network): (&NetworkName, &Destination)| {
        let wait = network.timing.send_after;
        (!wait.is_zero()).then(|| (name.clone(), wait))
    };
    Holds {
        rules: rules(root),
        follows: Follows {
            send_after: networks.iter().filter_map(send_after).collect(),
            webhooks: webhooks.to_vec(),
        },
    }
}

fn rules(root: &Map<'_>) -> Vec<HoldRule> {
    root.know_items("held", &["doubt", "release_after", "refuse_after"]);
    let Some(value) = root.get("held") else {
        return Vec::new();
    };
    let mut rules: Vec<HoldRule> = Vec::new();
    for item in value.list() {
        let Some(rule) = rule(&item) else { continue };
        if rules.iter().any(|other| other.doubt == rule.doubt) {
            let found = format!("a second rule for `{}`", rule.doubt);
            item.wrong(&found, "one rule for each reason");
            continue;
        }
        rules.push(rule);
    }
    rules
}

fn rule(value: &Value<'_>) -> Option<HoldRule> {
    let map = value.map();
    let expected = "why it is held, as `refgate held list` says it: unproven, over_max_amount, …";
    let doubt = map.need("doubt", expected);
    let doubt: Option<Doubt> = doubt.and_then(|value| value.parse_plain(expected));
    let (release, refuse) = (map.get("release_after"), map.get("refuse_after"));
    map.finish();
    let (action, key, after) = match (release, refuse) {
        (Some(release), None) => (Action::Release, "release_after", release),
        (None, Some(refuse)) => (Action::Refuse, "refuse_after", refuse),
        (Some(_), Some(refuse)) => {
            refuse.wrong("`release_after` and `refuse_after`", "one of the two");
            return None;
        }
        (None, None) => {
            map.missing(
                "refuse_after",
                "`release_after` or `refuse_after`, like 14d",
            );
            return None;
        }
    };
    let span = after.duration_from(LEAST);
    let (doubt, span) = (doubt?, span?);
    if action == Action::Release && !may_be_released(doubt) {
        let found = format!("`release_after` for `{doubt}`");
        let expected = "`refuse_after`: that cannot be sent before something else changes";
        after.wrong(&found, expected);
        return None;
    }
    let words = format!("by the rule {doubt}, {key} {}", shown(span));
    Some(HoldRule {
        doubt,
        after: span,
        action,
        words: words.parse().ok()?,
    })
}

/// What has no amount cannot be sent, and what is in shadow would be held once more.
const fn may_be_released(doubt: Doubt) -> bool {
    !matches!(doubt, Doubt::Unreadable | Doubt::NoRate | Doubt::Shadow)
}
