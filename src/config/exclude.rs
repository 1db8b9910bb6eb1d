//! `exclude:` → who is no shopper.

use super::addresses;
use super::pattern;
use super::reader::Map;
use super::value::Value;
use crate::exclude::{Cookie, Settings};

/// Reads the section.
pub(super) fn read(root: &Map<'_>) -> Settings {
    let map = root.section("exclude");
    let bots = map.or("bots", true, Value::flag);
    let user_agents = each(&map, "user_agents", pattern::search);
    let cookies = each(&map, "cookies", cookie);
    let everybody = "the addresses of your own people: this block is everybody";
    let networks = each(&map, "networks", |value| {
        addresses::network(value, everybody)
    });
    let path = "a path like /admin/*, /admin/** or /checkout/test";
    let paths = each(&map, "paths", |value| value.parse(path));
    map.finish();
    Settings {
        bots,
        user_agents,
        cookies,
        networks,
        paths,
    }
}

fn each<T>(map: &Map<'_>, key: &str, read: impl Fn(&Value<'_>) -> Option<T>) -> Vec<T> {
    let values = map.get(key).map(|value| value.one_or_many());
    values.iter().flatten().filter_map(read).collect()
}

/// `NAME`, or `NAME=VALUE`.
fn cookie(value: &Value<'_>) -> Option<Cookie> {
    let text = value.text()?;
    let (name, wanted) = match text.as_str().split_once('=') {
        Some((name, wanted)) => (name, Some(wanted)),
        None => (text.as_str(), None),
    };
    let fits = |text: &str| !text.contains(|c: char| c.is_control() || matches!(c, ';' | ' '));
    if name.is_empty() || !fits(name) || !wanted.is_none_or(fits) {
        text.wrong(None, "a cookie's NAME, or NAME=VALUE as it is sent");
        return None;
    }
    let cookie = Cookie {
        name: name.to_owned(),
        value: wanted.map(str::to_owned),
    };
    text.free();
    Some(cookie)
}
