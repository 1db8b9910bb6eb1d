//! `rules:` → what observe watches.

use super::fault::{Problem, Suggestion};
use super::fields::{self, Field, RESERVED};
use super::proof;
use super::reader::Map;
use super::stores::Known;
use super::text::Text;
use super::value::Value;
use super::when;
use crate::name::{RuleName, StoreName};
use crate::observe::rule::{Amount, Direction, Read, Rule, Source, Then, When};

/// Most rules.
const LIMIT: usize = 1024;

/// Reads every rule; `known` is what they may refer to.
pub(super) fn read(root: &Map<'_>, known: &Known) -> Vec<Rule> {
    let Some(value) = root.get("rules") else {
        let words = "no `rules`: no order will ever be seen";
        root.cx.warn(&root.place, words);
        return Vec::new();
    };
    let items = value.list();
    if items.len() > LIMIT {
        value.wrong("a longer list", "at most 1024 rules");
    }
    let mut names = Vec::new();
    let mut rules = Vec::new();
    for item in items.iter().take(LIMIT) {
        rules.extend(rule(item, known, &mut names));
    }
    rules
}

fn rule(value: &Value<'_>, known: &Known, names: &mut Vec<RuleName>) -> Option<Rule> {
    let map = value.map();
    let name = map
        .need("name", "the rule's name, like thank-you")
        .and_then(|value| own_name(&value, names));
    let stores = match map.get("stores") {
        Some(value) => of_stores(&value, known),
        None => Some(Vec::new()),
    };
    let on = direction(&map);
    let when = map
        .need("when", "which exchanges it means, at least a path")
        .and_then(|value| when::read(&value, known));
    let fields = map
        .need("read", "the fields to read, at least order_id")
        .map(|value| fields::read(&value.map(), when.as_ref()));
    let then = then(&map, fields.as_deref());
    let proof = proof::read(&map);
    if let (Some(stores), Some(proof), Some(Then::Order { .. })) = (&stores, &proof, &then) {
        proof::must_be_possible(&map, proof, known, stores);
    }
    let read = fields.as_ref().and_then(|fields| {
        let read: Option<Vec<Read>> = fields.iter().map(|field| field.read.clone()).collect();
        read
    });
    if let (Some(when), Some(fields), Some(read)) = (&when, &fields, &read) {
        proven(&map, when, fields, read);
    }
    map.finish();
    Some(Rule {
        name: name?,
        stores: stores?,
        on: on?,
        when: when?,
        read: read?,
        then: then?,
        proof: proof?,
    })
}

fn own_name(value: &Value<'_>, names: &mut Vec<RuleName>) -> Option<RuleName> {
    let text = value.text()?;
    let name: RuleName = text.parse("a rule's name, like thank-you")?;
    if names.contains(&name) {
        text.wrong(Some(&"another rule has this name"), "a name of its own");
        return None;
    }
    names.push(name.clone());
    Some(name)
}

fn of_stores(value: &Value<'_>, known: &Known) -> Option<Vec<StoreName>> {
    let items = value.one_or_many();
    if items.is_empty() {
        value.wrong(
            "an empty list",
            "the names of stores; or no `stores` at all for every store",
        );
        return None;
    }
    let names = items.iter().map(|item| known.store(item));
    // Each is looked at, so that every unknown one is told.
    let names: Vec<_> = names.collect();
    names.into_iter().collect()
}

fn direction(map: &Map<'_>) -> Option<Direction> {
    let Some(value) = map.get("on") else {
        return Some(Direction::Response);
    };
    let words = [
        ("response", Direction::Response),
        ("request", Direction::Request),
    ];
    let on = value.one_of(&words)?;
    if on == Direction::Request {
        value.wrong(
            "`request`",
            "`response`: reading requests is not available in this version",
        );
        return None;
    }
    Some(on)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Order,
    Later,
}

fn then(map: &Map<'_>, fields: Option<&[Field]>) -> Option<Then> {
    let then = map.need("then", "what it means: order");
    let amount = map.get("amount");
    let words = [
        ("order", Meaning::Order),
        ("remember", Meaning::Later),
        ("payment", Meaning::Later),
        ("adjust", Meaning::Later),
    ];
    let then = then?;
    let meaning = then.one_of(&words)?;
    if meaning == Meaning::Later {
        let expected = "`order`: the others are not available in this version";
        then.wrong("another meaning", expected);
        return None;
    }
    let text = match amount {
        Some(value) => Some(value.text()?),
        None => None,
    };
    let amount: Amount = match &text {
        Some(text) => text.parse("arithmetic over the fields read, like subtotal - discount")?,
        None => "amount".parse().ok()?,
    };
    let fields = fields?;
    if !fields.iter().any(|field| field.name == "order_id") {
        let expected = "where the order's id is: without it no order can be told from another";
        map.missing("read.order_id", expected);
    }
    let whole = covered(map, &amount, text.as_ref(), fields);
    warn_of_fields(map, &amount, fields);
    whole.then_some(Then::Order { amount })
}

/// Whether every field that the amount uses is read.
fn covered(map: &Map<'_>, amount: &Amount, text: Option<&Text<'_>>, fields: &[Field]) -> bool {
    let numbers = || {
        let names = fields.iter().map(|field| field.name.as_str());
        names.filter(|name| !RESERVED.contains(name))
    };
    let mut whole = true;
    for used in amount.fields() {
        if numbers().any(|name| name == used) {
            continue;
        }
        whole = false;
        let Some(text) = text else {
            map.missing(
                "amount",
                "arithmetic over the fields read, like subtotal - discount",
            );
            continue;
        };
        let suggestion = Suggestion::of(used, numbers());
        let why = format!("`{used}` is not read as a number");
        let expected = format!("fields that stand under `read` ({suggestion})");
        text.wrong(Some(&why), &expected);
    }
    whole
}

fn warn_of_fields(map: &Map<'_>, amount: &Amount, fields: &[Field]) {
    for field in fields {
        let used = amount.fields().contains(&field.name.as_str());
        if !used && !RESERVED.contains(&field.name.as_str()) {
            map.cx
                .warn(&field.place, "read, but `amount` does not use it");
        }
        if used && field.read.as_ref().is_some_and(is_of_request) {
            let words = "an amount from the address: whoever follows a made-up link states it";
            map.cx.warn(&field.place, words);
        }
        if field.name == "order_id"
            && let Some((one, other)) = field.read.as_ref().and_then(spellings)
        {
            let words = format!(
                "an id from the address: where the shop takes `{other}` for `{one}`, they are two orders and both are paid; \
                 read it from the page, or say by `pattern` how it is spelled, like '[1-9][0-9]*'"
            );
            map.cx.warn(&field.place, words);
        }
    }
}

/// Two spellings that many shops take for one id, and that are two by what is read from the address.
fn spellings(id: &Read) -> Option<(&'static str, &'static str)> {
    let read = |text: &'static str| match &id.pattern {
        None => Some(text),
        Some(pattern) => {
            let found = pattern.captures(text)?;
            let value = found.get(1).or_else(|| found.get(0))?;
            Some(value.as_str())
        }
    };
    let differ = |pair: &(&'static str, &'static str)| {
        read(pair.0).zip(read(pair.1)).is_some_and(|(a, b)| a != b)
    };
    let pairs = [("42", "0042"), ("ab", "AB")];
    pairs.into_iter().filter(|_| is_of_request(id)).find(differ)
}

/// An id in the address is the visitor's word; only the shop's own answer makes it an order.
fn proven(map: &Map<'_>, when: &When, fields: &[Field], read: &[Read]) {
    let Some(id) = read.iter().find(|read| read.field == "order_id") else {
        return;
    };
    let certain = |read: &Read| !is_of_request(read) && !read.optional;
    if !is_of_request(id) || !when.contains.is_empty() || read.iter().any(certain) {
        return;
    }
    let place = fields.iter().find(|field| field.name == "order_id");
    let place = place.map_or(&map.place, |field| &field.place);
    let found = "an order id from the address alone, which anybody can type".to_owned();
    let expected = "also something from the shop's answer: a text in `when.contains`, \
                    or a field read from it that is not optional"
        .to_owned();
    map.cx.report(place, Problem::Wrong { found, expected });
}

fn is_of_request(read: &Read) -> bool {
    matches!(read.source, Source::Path(_) | Source::Query(_))
}
