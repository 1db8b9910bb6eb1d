//! `rules[].when:` → which exchanges a rule means.

use http::Method;

use super::pattern;
use super::reader::Map;
use super::stores::Known;
use super::value::Value;
use crate::observe::rule::When;

/// Most entries of one list, and longest text to look for in bytes: each is searched for in every body.
const LIST_LIMIT: usize = 32;
const TEXT_LIMIT: usize = 1024;

/// Reads one `when`.
pub(super) fn read(value: &Value<'_>, known: &Known) -> Option<When> {
    let map = value.map();
    let path = map
        .need("path", "the path to watch, like /checkout/thank-you")
        .and_then(|value| value.parse("a path like /orders/{order_id}/done, /shop/* or /a/**"));
    let hosts = either(&map, "host", "hosts", |value| known.host(value));
    let methods = either(&map, "method", "methods", method);
    let content_types = either(&map, "content_type", "content_types", media_type);
    let status = list(&map, "status", status);
    let contains = list(&map, "contains", guard);
    let lacks = list(&map, "lacks", guard);
    let query = query(&map);
    map.finish();
    Some(When {
        hosts: hosts?.unwrap_or_default(),
        methods: methods?.unwrap_or_else(|| vec![Method::GET, Method::POST]),
        path: path?,
        query: query?,
        status: status?.unwrap_or_else(|| vec![(200, 299)]),
        content_types: content_types?.unwrap_or_default(),
        contains: contains?.unwrap_or_default(),
        lacks: lacks?.unwrap_or_default(),
    })
}

/// The texts under `contains`.
pub(super) fn contains(map: &Map<'_>) -> Option<Vec<String>> {
    list(map, "contains", guard)?
}

/// The list under one of two names that mean the same; `None` inside if it stands under neither.
fn either<T>(
    map: &Map<'_>,
    one: &str,
    many: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Option<Vec<T>>> {
    let (first, second) = (list(map, one, &read)?, list(map, many, &read)?);
    match (first, second) {
        (Some(mut first), Some(second)) => {
            first.extend(second);
            Some(Some(first))
        }
        (first, second) => Some(first.or(second)),
    }
}

/// One value or a list of them; `None` if one of them is at fault.
#[expect(
    clippy::option_option,
    reason = "the outer says whether it could be read, the inner whether it stands there"
)]
fn list<T>(
    map: &Map<'_>,
    key: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Option<Vec<T>>> {
    let Some(value) = map.get(key) else {
        return Some(None);
    };
    let items = value.one_or_many();
    if items.is_empty() || items.len() > LIST_LIMIT {
        value.wrong(
            "a list of another length",
            "one value, or a list of 1 to 32",
        );
        return None;
    }
    // All are read, so that all faults are told.
    let values: Vec<_> = items.iter().map(read).collect();
    values.into_iter().collect::<Option<Vec<T>>>().map(Some)
}

fn method(value: &Value<'_>) -> Option<Method> {
    let words = [("GET", 0), ("POST", 1), ("PUT", 2), ("PATCH", 3)];
    match value.one_of(&words)? {
        0 => Some(Method::GET),
        1 => Some(Method::POST),
        2 => Some(Method::PUT),
        _ => Some(Method::PATCH),
    }
}

/// `200`, `2xx`, `200-299`. An error status makes no order, nor does 206 or 304 (no whole answer).
fn status(value: &Value<'_>) -> Option<(u16, u16)> {
    const EXPECTED: &str = "a status like 200, 2xx or 200-299, from 200 to 399: \
                            an error makes no order";
    let text = value.text()?;
    let range = match text.as_str() {
        "2xx" => Some((200, 299)),
        "3xx" => Some((300, 399)),
        other => {
            let (from, to) = other.split_once('-').unwrap_or((other, other));
            from.trim().parse().ok().zip(to.trim().parse().ok())
        }
    };
    let range = range.filter(|(from, to)| *from >= 200 && *to <= 399 && from <= to);
    if range.is_none() {
        text.wrong(None, EXPECTED);
    }
    range
}

fn media_type(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let token = |part: &str| {
        let word = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        !part.is_empty() && part.bytes().all(word)
    };
    let parts = text.as_str().split_once('/');
    if parts.is_some_and(|(kind, sub)| token(kind) && token(sub)) {
        return Some(text.free().to_ascii_lowercase());
    }
    text.wrong(None, "a media type without parameters, like text/html");
    None
}

fn guard(value: &Value<'_>) -> Option<String> {
    let words = value.words()?;
    if words.len() > TEXT_LIMIT {
        value.wrong("a longer text", "at most 1024 bytes");
        return None;
    }
    Some(words)
}

fn query(map: &Map<'_>) -> Option<Vec<(String, regex::Regex)>> {
    let entries = map.section("query").named("PARAM");
    let patterns: Vec<_> = entries
        .iter()
        .map(|(name, value)| Some((name.as_str().to_owned(), pattern::whole(value)?)))
        .collect();
    patterns.into_iter().collect()
}
