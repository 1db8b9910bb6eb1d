//! `hand_over:` → how clicks come along when a shopper changes stores.

use std::sync::Arc;
use std::time::Duration;

use super::reader::Map;
use super::stores::Known;
use super::value::Value;
use crate::capture::Network;
use crate::capture::hand_over::HandOver;

const MINUTE: Duration = Duration::from_secs(60);

/// The longest that a token may last: longer, and links with one in them are passed on and found.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads the section; `name` is the cookie's. No link of `networks` may carry the parameter.
pub(super) fn read(root: &Map<'_>, known: &Known, name: &str, networks: &[Network]) -> HandOver {
    let map = root.section("hand_over");
    let parameter = map.or("parameter", name.to_owned(), |value| {
        parameter(value, networks)
    });
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
        again: map.or("again", 30 * MINUTE, Value::duration),
        hops: Arc::default(),
    };
    map.finish();
    hand_over
}

fn parameter(value: &Value<'_>, networks: &[Network]) -> Option<String> {
    const EXPECTED: &str = "1 to 32 letters, digits, '-' or '_', that no network's link carries";
    let text = value.text()?;
    let name = text.as_str();
    let mut carried = networks.iter().flat_map(|network| &network.parameters);
    let taken = carried.any(|one| one.name == name);
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if (1..=32).contains(&name.len()) && name.chars().all(word) && !taken {
        return Some(text.free());
    }
    text.wrong(None, EXPECTED);
    None
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
