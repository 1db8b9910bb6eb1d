//! `rules[].first_view:`, `id_floor:`, `trust_any_view:` → what shows that whoever sees it has bought.

use super::fault::Problem;
use super::fields;
use super::reader::Map;
use super::stores::Known;
use super::value::Value;
use super::when;
use crate::name::StoreName;
use crate::observe::rule::{FirstView, Proof};
use crate::order::IdFloor;

/// What a first view may be known by.
const FIRST_VIEW: &str = "what only the first view carries: { css: … }, { json: … }, { header: … }, { regex: … } \
                          or { contains: … }";

/// Reads a rule's three keys.
pub(super) fn read(rule: &Map<'_>) -> Option<Proof> {
    let marks = [
        "css",
        "attribute",
        "json",
        "within",
        "header",
        "regex",
        "pattern",
        "contains",
    ];
    rule.know_entry("first_view", &marks);
    let first_view = match rule.get("first_view") {
        Some(value) => first_view(&value).map(Some),
        None => Some(None),
    };
    let id_floor = match rule.get("id_floor") {
        Some(value) => floor(&value).map(Some),
        None => Some(None),
    };
    let trust_any_view = rule.or("trust_any_view", false, |value| {
        let trusted = value.flag()?;
        if trusted {
            let words = "whoever opens this confirmation over an affiliate's link is credited, also an old one, one that \
                         was shared, and one of an order made by phone";
            rule.cx.warn(&value.place, words);
        }
        Some(trusted)
    });
    Some(Proof {
        first_view: first_view?,
        id_floor: id_floor?,
        trust_any_view,
    })
}

fn first_view(value: &Value<'_>) -> Option<FirstView> {
    if !value.is_map() {
        value.wrong("no map", FIRST_VIEW);
        return None;
    }
    let map = value.map();
    if !map.has("contains") {
        return fields::mark(&map).map(|read| FirstView::Read(Box::new(read)));
    }
    let texts = when::contains(&map);
    map.finish();
    texts.map(FirstView::Contains)
}

fn floor(value: &Value<'_>) -> Option<IdFloor> {
    value.parse("the last order's id before refgate, in digits like 104233")
}

/// Reports a rule by which nothing can be shown: every order with a click would be held. `stores` are
/// those that it is for.
pub(super) fn must_be_possible(rule: &Map<'_>, proof: &Proof, known: &Known, stores: &[StoreName]) {
    if proof.trust_any_view || proof.first_view.is_some() || proof.id_floor.is_some() {
        return;
    }
    let Some(store) = known.without_checkout(stores) else {
        return;
    };
    let found = format!("nothing that could show that a visitor of the store `{store}` has bought");
    let expected = "`checkout:` in that store, the paths that a shopper passes before he buys; or `first_view`, what \
                    only the first view of the page carries; or `id_floor`, the last order's id before refgate; or \
                    `trust_any_view: true`, where whoever opens the page is credited"
        .to_owned();
    rule.cx
        .report(&rule.place, Problem::Wrong { found, expected });
}
