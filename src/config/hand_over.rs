//! `hand_over:` → how clicks come along when a shopper changes stores.

use std::sync::Arc;
use std::time::Duration;

use super::reader::Map;
use super::stores::Known;
use super::value::Value;
use crate::capture::Network;
use crate::capture::hand_over::HandOver;
use crate::store::Store;

const EXPECTED: &str = "1 to 32 letters, digits, '-' or '_', that no network's link carries";

const MINUTE: Duration = Duration::from_secs(60);

/// The longest that a token may last: longer, and links with one in them are passed on and found.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads the section; `name` is the cookie's. No link of `networks` may carry the parameter, where
/// one of the stores has siblings.
pub(super) fn read(
    root: &Map<'_>,
    known: &Known,
    stores: &[Store],
    (name, networks): (&str, &[Network]),
) -> HandOver {
    let map = root.section("hand_over");
    let parameter = match map.get("parameter") {
        Some(value) => parameter(&value, networks).unwrap_or_default(),
        None => {
            let has_siblings = stores.iter().any(|store| store.has_siblings(stores));
            if has_siblings && is_carried(name, networks) {
                map.wrong(
                    "parameter",
                    &format!("the cookie's name `{name}`"),
                    EXPECTED,
                );
            }
            name.to_owned()
        }
    };
    let ask = map.get("ask").map(|value| {
        let stores = value.one_or_many();
        stores.iter().filter_map(|one| known.store(one)).collect()
    });
    let hand_over = HandOver {
        parameter,
        lifetime: map.or("lifetime", 30 * MINUTE, lifetime),
        redirects: map.or("redirects", true, Value::flag),
        links: map.or("links", true, Value::flag),
        ask: ask.unwrap_or_default(),
        again: map.or("again", 30 * MINUTE, |value| value.duration_from(MINUTE)),
        hops: Arc::default(),
    };
    map.finish();
    hand_over
}

fn parameter(value: &Value<'_>, networks: &[Network]) -> Option<String> {
    let text = value.text()?;
    let name = text.as_str();
    let taken = is_carried(name, networks);
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if (1..=32).contains(&name.len()) && name.chars().all(word) && !taken {
        return Some(text.free());
    }
    text.wrong(None, EXPECTED);
    None
}

/// Whether links of one of the networks carry a parameter of this name.
fn is_carried(name: &str, networks: &[Network]) -> bool {
    let mut carried = networks.iter().flat_map(|network| &network.parameters);
    carried.any(|one| one.name == name)
}

fn lifetime(value: &Value<'_>) -> Option<Duration> {
    let lifetime = value.duration()?;
    if (MINUTE..=LONGEST).contains(&lifetime) {
        return Some(lifetime);
    }
    let text = value.text()?;
    text.wrong(None, "a duration from 1m to 24h");
    None
}
