//! `webhooks:` → the operator's own destinations.

use super::networks::{Networks, dedupe, pause_after, pressure};
use super::reader::Map;
use super::text::Text;
use super::value::Value;
use crate::deliver::template::Template;
use crate::deliver::{self, Dedupe, Key};
use crate::ledger::Webhook;
use crate::name::NetworkName;
use crate::order::STANDINGS;
use crate::postback::Mode;
use crate::secret::Secret;

const SECRET: &str =
    "whsec_ and base64 of 24 to 64 random bytes, as `echo whsec_$(openssl rand -base64 32)` makes";

/// The keys of one.
const KEYS: [&str; 9] = [
    "url",
    "url_file",
    "secret",
    "secret_file",
    "on",
    "dedupe",
    "concurrency",
    "rate",
    "pause_after",
];

/// Reads every webhook, and puts it among those that are told.
pub(super) fn read(root: &Map<'_>, networks: &mut Networks) -> Vec<Webhook> {
    let mut webhooks = Vec::new();
    let section = root.section("webhooks");
    section.know_entry("NAME", &KEYS);
    for (name, value) in section.named("NAME") {
        let parsed: Option<NetworkName> = name.parse("a webhook's name");
        let webhook = webhook(&value);
        let (Some(parsed), Some((on, destination))) = (parsed, webhook) else {
            continue;
        };
        if networks.places.iter().any(|(taken, _)| *taken == parsed) {
            name.wrong(None, "another name: a network has this one");
            continue;
        }
        networks.delivered.insert(parsed.clone(), destination);
        webhooks.push(Webhook { name: parsed, on });
    }
    webhooks
}

fn webhook(value: &Value<'_>) -> Option<(Vec<&'static str>, deliver::Destination)> {
    let map = value.map();
    let url = url(&map);
    let key = secret(&map);
    let on = map.or("on", vec![STANDINGS[0]], on);
    let dedupe = dedupe(&map, Dedupe::Order);
    let (concurrency, rate) = pressure(&map);
    let pause_after = pause_after(&map);
    map.finish();
    let (template, secrets) = url?;
    let destination = deliver::Destination {
        template,
        secrets,
        webhook: Some(key?),
        answers: Vec::new(),
        dedupe,
        concurrency,
        rate,
        mode: Mode::Live,
        pause_after,
    };
    Some((on, destination))
}

fn on(value: &Value<'_>) -> Option<Vec<&'static str>> {
    let words = STANDINGS.map(|word| (word, word));
    let items = value.one_or_many();
    let on: Vec<_> = items
        .iter()
        .filter_map(|item| item.one_of(&words))
        .collect();
    (on.len() == items.len()).then_some(on)
}

/// Nothing is filled in but what is known of every order.
fn url(map: &Map<'_>) -> Option<(Template, Vec<Secret>)> {
    const EXPECTED: &str = "where it is posted to, like https://crm.example/orders";
    if !map.has("url") && !map.has("url_file") {
        map.missing("url", EXPECTED);
    }
    let text: Text<'_> = map.text_or_file("url")?.delicate();
    let template: Template = text.parse(EXPECTED)?;
    let template = text.make(|_| template.bind(&[]), "a URL without a network's words")?;
    Some((template, text.secrets()))
}

fn secret(map: &Map<'_>) -> Option<Key> {
    if !map.has("secret") && !map.has("secret_file") {
        map.missing("secret", SECRET);
    }
    let text = map.text_or_file("secret")?.delicate();
    if text.is_literal() {
        let words = "the secret stands in the file: write it as ${VARIABLE}, or in a file of its own (secret_file)";
        map.cx.warn(&text.place, words);
    }
    map.cx.keep_secret(Secret::new(text.as_str()));
    text.parse(SECRET)
}
