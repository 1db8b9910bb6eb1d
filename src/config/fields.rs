//! `rules[].read:` → the fields of a rule, each with exactly one source.

use http::HeaderName;
use serde_json_path::JsonPath;

use super::fault::Problem;
use super::pattern;
use super::reader::{Map, Place};
use super::sensitive::sensitive;
use super::text::Text;
use super::value::Value;
use crate::observe::rule::{Pick, Read, Source, When};

/// Names of fields that mean something by themselves.
pub(super) const RESERVED: [&str; 3] = ["order_id", "alias", "currency"];

/// Most fields of one rule.
const LIMIT: usize = 32;

/// The sources, by key.
const SOURCES: [&str; 6] = ["path", "query", "header", "css", "json", "regex"];

/// A field of the file, also if it is at fault.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) read: Option<Read>,
}

/// Reads one `read`.
pub(super) fn read(map: &Map<'_>, when: Option<&When>) -> Vec<Field> {
    let entries = map.named("FIELD");
    if entries.len() > LIMIT {
        let (found, expected) = ("more fields".to_owned(), "at most 32".to_owned());
        map.cx
            .report(&map.place, Problem::Wrong { found, expected });
    }
    let fields = entries.iter().take(LIMIT);
    fields
        .map(|(name, value)| Field {
            name: name.as_str().to_owned(),
            place: name.place.clone(),
            read: field(name, value, when),
        })
        .collect()
}

fn field(name: &Text<'_>, value: &Value<'_>, when: Option<&When>) -> Option<Read> {
    if !is_word(name.as_str()) {
        let expected =
            "a name of letters, digits and '_' that begins with a letter, as `amount` uses it";
        name.wrong(None, expected);
    }
    keep_out(name, name.as_str());
    let map = value.map();
    let source = source(&map, when);
    if let Some(source) = &source {
        keep_out(name, &source.to_string());
    }
    let pattern = map.or("pattern", None, |value| pattern::search(value).map(Some));
    if let Some(pattern) = &pattern {
        keep_out(name, pattern.as_str());
    }
    let pick = map.or("pick", Pick::Only, pick);
    let optional = map.or("optional", false, Value::flag);
    let minor_units = map.or("minor_units", false, Value::flag);
    if minor_units && RESERVED.contains(&name.as_str()) {
        let found = format!("minor_units for `{}`", name.as_str());
        let expected = "it only for amounts".to_owned();
        map.cx
            .report(&map.place, Problem::Wrong { found, expected });
    }
    if optional && name.as_str() == "order_id" {
        let found = "an order_id that may be absent".to_owned();
        let expected = "no `optional`: without an id there is no order".to_owned();
        map.cx
            .report(&map.place, Problem::Wrong { found, expected });
    }
    let is_of_request = matches!(source, Some(Source::Path(_) | Source::Query(_)));
    if is_of_request && name.as_str() == "alias" {
        let found = "an alias from the address, which anybody can type".to_owned();
        let expected = "one read from the shop's answer: otherwise a stranger could take \
                        the id of an order to come"
            .to_owned();
        map.cx
            .report(&map.place, Problem::Wrong { found, expected });
    }
    map.finish();
    Some(Read {
        field: name.as_str().to_owned(),
        source: source?,
        pick,
        pattern,
        optional,
        minor_units,
    })
}

/// What is read is kept and shown, so some things must not be read at all.
fn keep_out(name: &Text<'_>, words: &str) {
    if let Some(word) = sensitive(words) {
        let why = format!("it reads what must not be kept (`{word}`)");
        let expected = "nothing of a card, a security code, a password or a bank account";
        name.wrong(Some(&why), expected);
    }
}

/// Reads a mark that is there or not: a source of the shop's answer, perhaps with a pattern.
pub(super) fn mark(map: &Map<'_>) -> Option<Read> {
    let source = source(map, None);
    let pattern = map.or("pattern", None, |value| pattern::search(value).map(Some));
    map.finish();
    if matches!(source, Some(Source::Path(_) | Source::Query(_))) {
        let found = "a mark in the address, which anybody can type".to_owned();
        let expected =
            "one from the shop's answer: css, json, header, regex or contains".to_owned();
        map.cx
            .report(&map.place, Problem::Wrong { found, expected });
        return None;
    }
    Some(Read {
        field: "first_view".to_owned(),
        source: source?,
        pick: Pick::First,
        pattern,
        optional: true,
        minor_units: false,
    })
}

fn is_word(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(word)
}

fn source(map: &Map<'_>, when: Option<&When>) -> Option<Source> {
    // Asked for all of them, so that none is an unknown key.
    let given: Vec<(&str, Value<'_>)> = SOURCES
        .iter()
        .filter_map(|key| map.get(key).map(|value| (*key, value)))
        .collect();
    let attribute = map.get("attribute");
    let within = map.get("within");
    let [(key, value)] = given.as_slice() else {
        let found = match given.as_slice() {
            [] => "no source".to_owned(),
            several => {
                let names: Vec<&str> = several.iter().map(|(key, _)| *key).collect();
                names.join(" and ")
            }
        };
        let expected = "exactly one of path, query, header, css, json, regex".to_owned();
        map.cx
            .report(&map.place, Problem::Wrong { found, expected });
        return None;
    };
    if let Some(attribute) = attribute.as_ref().filter(|_| *key != "css") {
        attribute.wrong("`attribute`", "it only beside `css`");
    }
    if let Some(within) = within.as_ref().filter(|_| *key != "json") {
        within.wrong("`within`", "it only beside `json`");
    }
    match *key {
        "path" => segment(value, when),
        "query" => value.words().map(Source::Query),
        "header" => value
            .parse::<HeaderName>("a header's name, like Location")
            .map(Source::Header),
        "css" => Some(Source::Css {
            selector: value.parse(CSS)?,
            attribute: match attribute {
                Some(attribute) => Some(attribute.words()?.to_ascii_lowercase()),
                None => None,
            },
        }),
        "json" => Some(Source::Json {
            path: value.text()?.make(JsonPath::parse, JSON)?,
            within: match within {
                Some(within) => Some(within.parse(CSS)?),
                None => None,
            },
        }),
        _ => pattern::search(value).map(Source::Regex),
    }
}

const CSS: &str = "a CSS selector like \"#order-number\" or \"#totals .subtotal td\" \
                   (in quotes: # begins a comment)";

const JSON: &str = "a JSONPath (RFC 9535) like $.order.id";

fn segment(value: &Value<'_>, when: Option<&When>) -> Option<Source> {
    let text = value.text()?;
    // A path at fault has been told already.
    if let Some(when) = when
        && !when.path.names().any(|name| name == text.as_str())
    {
        let names: Vec<String> = when
            .path
            .names()
            .map(|name| format!("{{{name}}}"))
            .collect();
        let names = match names.as_slice() {
            [] => "it has none".to_owned(),
            names => format!("it has {}", names.join(", ")),
        };
        text.wrong(None, &format!("a named segment of `when.path` ({names})"));
        return None;
    }
    Some(Source::Path(text.free()))
}

fn pick(value: &Value<'_>) -> Option<Pick> {
    let text = value.text()?;
    match text.as_str() {
        "only" => Some(Pick::Only),
        "first" => Some(Pick::First),
        "last" => Some(Pick::Last),
        other => {
            let n = other.parse().ok().filter(|n| *n > 0).map(Pick::Nth);
            if n.is_none() {
                text.wrong(None, "only, first, last, or a number from 1");
            }
            n
        }
    }
}
