//! `networks:` → what capture, record and deliver must know of each.

use std::collections::HashMap;
use std::time::Duration;

use super::answers;
use super::consent;
use super::fault::Problem;
use super::pattern;
use super::reader::{Map, Place};
use super::stores::positive;
use super::text::{Text, telling_values};
use super::value::Value;
use crate::capture::{self, Parameter};
use crate::click::Identifies;
use crate::clock::Time;
use crate::consent::Need;
use crate::deliver::template::{OWN, Template};
use crate::deliver::{self, Dedupe, Rate};
use crate::money::{Currency, Decimal};
use crate::name::NetworkName;
use crate::order::Timing;
use crate::postback::Mode;
use crate::record;
use crate::secret::Secret;

/// Every network, for each stage its part.
#[derive(Default)]
pub(super) struct Networks {
    pub(super) captured: Vec<capture::Network>,
    pub(super) recorded: HashMap<NetworkName, record::Destination>,
    pub(super) delivered: HashMap<NetworkName, deliver::Destination>,
    /// Where each stands in the file.
    pub(super) places: Vec<(NetworkName, Place)>,
}

impl Networks {
    /// Every host that postbacks go to.
    pub(super) fn hosts(&self) -> Vec<String> {
        let destinations = self.delivered.values();
        let hosts = destinations.filter_map(|destination| destination.template.host());
        let mut hosts: Vec<String> = hosts.map(str::to_ascii_lowercase).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }
}

/// Longest parameter name, and longest value that may be allowed, in bytes. What is captured must
/// fit into a cookie (browsers keep 4,096 bytes).
const NAME_LIMIT: usize = 64;
const VALUE_LIMIT: usize = 512;
const VALUE_DEFAULT: usize = 64;

/// Reads every network.
pub(super) fn read(root: &Map<'_>) -> Networks {
    let expected = "at least one network: a name with click, postback, currency, …";
    let mut networks = Networks::default();
    let Some(section) = root.need("networks", expected) else {
        return networks;
    };
    let map = section.map();
    let entries = map.named("NAME");
    if entries.is_empty() && section.is_map() {
        map.missing("NAME", expected);
    }
    let mut taken = HashMap::new();
    for (name, value) in entries {
        let network_name: Option<NetworkName> = name.parse("a network's name");
        let network = network(&name, &value, &mut taken);
        if let (Some(name), Some((identifies, parameters, consent, record, deliver))) =
            (network_name, network)
        {
            networks.captured.push(capture::Network {
                name: name.clone(),
                identifies,
                parameters,
                consent,
            });
            networks.places.push((name.clone(), value.place));
            networks.recorded.insert(name.clone(), record);
            networks.delivered.insert(name, deliver);
        }
    }
    networks
}

type Parts = (
    Identifies,
    Vec<Parameter>,
    Need,
    record::Destination,
    deliver::Destination,
);

fn network(
    name: &Text<'_>,
    value: &Value<'_>,
    taken: &mut HashMap<String, String>,
) -> Option<Parts> {
    let map = value.map();
    let parameters = click(name, &map, taken);
    let template = postback(&map, &parameters);
    let currency = map
        .need("currency", "what the network counts in, like USD")
        .and_then(|value| value.parse_plain::<Currency>("an ISO 4217 code like USD"));
    let rates = rates(&map);
    let words = [
        ("partner", Identifies::Partner),
        ("click", Identifies::Click),
    ];
    let of_click = parameters.iter().any(|one| one.name == "transaction_id");
    let usual = if of_click {
        Identifies::Click
    } else {
        Identifies::Partner
    };
    let identifies = map.or("identifies", usual, |value| value.one_of(&words));
    let mode = mode(&map);
    let timing = timing(&map);
    let blocked = blocked(&map);
    let dedupe = dedupe(&map, Dedupe::None);
    let answers = answers::read(&map);
    let (concurrency, rate) = pressure(&map);
    let pause_after = pause_after(&map);
    let consent = consent::of_network(&map);
    map.finish();
    let (template, secrets) = template?;
    let recorded = record::Destination {
        currency: currency?,
        rates,
        mode,
        timing,
        blocked,
    };
    let delivered = deliver::Destination {
        template,
        secrets,
        webhook: None,
        answers,
        dedupe,
        concurrency,
        rate,
        mode,
        pause_after,
    };
    Some((identifies, parameters, consent?, recorded, delivered))
}

/// What a destination deduplicates by.
pub(super) fn dedupe(map: &Map<'_>, usual: Dedupe) -> Dedupe {
    let words = [
        ("none", Dedupe::None),
        ("click", Dedupe::Click),
        ("order", Dedupe::Order),
    ];
    map.or("dedupe", usual, |value| value.one_of(&words))
}

/// How many at once, and in a time.
pub(super) fn pressure(map: &Map<'_>) -> (usize, Option<Rate>) {
    let concurrency = map.or("concurrency", 8, |value| value.count(1..=256));
    let rate = map.or("rate", None, |value| value.frequency().map(Some));
    (concurrency, rate)
}

/// How many rejections in a row pause it; 0 is never.
pub(super) fn pause_after(map: &Map<'_>) -> Option<u32> {
    let count = map.or("pause_after", 5, |value| value.count(0..=1000));
    u32::try_from(count).ok().filter(|count| *count > 0)
}

fn mode(map: &Map<'_>) -> Mode {
    let words = [("live", Mode::Live), ("shadow", Mode::Shadow)];
    map.or("mode", Mode::Live, |value| value.one_of(&words))
}

/// Values of a click, as they are captured.
fn blocked(map: &Map<'_>) -> Vec<String> {
    let values = map.get("blocked").map(|value| value.one_or_many());
    let values = values.iter().flatten();
    values.filter_map(Value::words).collect()
}

fn timing(map: &Map<'_>) -> Timing {
    let expected = "a time with its offset, like 2026-12-01T09:00:00Z";
    let live_since = map.or("live_since", None, |value| {
        value.parse_plain::<Time>(expected).map(Some)
    });
    let send_after = map.or("send_after", Duration::ZERO, Value::duration);
    Timing {
        live_since,
        send_after,
    }
}

/// The parameters of `click`; `taken` says which network has which.
fn click(network: &Text<'_>, map: &Map<'_>, taken: &mut HashMap<String, String>) -> Vec<Parameter> {
    let expected = "the parameter of the affiliate link, like affiliate_id: '[0-9]{1,12}'";
    let Some(section) = map.need("click", expected) else {
        return Vec::new();
    };
    let click = section.map();
    let entries = click.named("PARAM");
    let mut parameters = Vec::new();
    for (name, value) in &entries {
        let parameter = parameter(name, value);
        let owner = taken.insert(name.as_str().to_owned(), network.as_str().to_owned());
        if let Some(owner) = owner {
            let found = format!("the parameter of the network `{owner}`");
            let expected =
                "one of its own, so that a link tells whose it is (the network's offer URL is free to name it)"
                    .to_owned();
            map.cx
                .report(&name.place, Problem::Wrong { found, expected });
        }
        parameters.extend(parameter);
    }
    let all_read = parameters.len() == entries.len();
    if section.is_map() && all_read && !parameters.iter().any(|parameter| parameter.required) {
        click.missing(
            "PARAM",
            "at least one parameter that is required: it makes the click",
        );
    }
    parameters
}

fn parameter(name: &Text<'_>, value: &Value<'_>) -> Option<Parameter> {
    let fits = (1..=NAME_LIMIT).contains(&name.as_str().len());
    if !fits || name.as_str().contains(char::is_control) {
        name.wrong(
            None,
            "the parameter's name as in the link, of 1 to 64 bytes",
        );
    } else if OWN.contains(&name.as_str()) {
        name.wrong(
            None,
            "another name: this one stands for the order's own value in a postback URL",
        );
    }
    let (pattern, max_length, required) = if value.is_map() {
        let map = value.map();
        let expected = "what a value must match, like '[0-9]{1,12}'";
        let pattern = map.need("pattern", expected);
        let pattern = pattern.and_then(|value| pattern::whole(&value));
        let max_length = map.or("max_length", VALUE_DEFAULT, |value| {
            value.count(1..=VALUE_LIMIT)
        });
        let required = map.or("required", true, Value::flag);
        map.finish();
        (pattern?, max_length, required)
    } else {
        (pattern::whole(value)?, VALUE_DEFAULT, true)
    };
    Some(Parameter {
        name: name.as_str().to_owned(),
        pattern,
        max_length,
        required,
    })
}

/// The postback URL with what must not be seen of it.
fn postback(map: &Map<'_>, parameters: &[Parameter]) -> Option<(Template, Vec<Secret>)> {
    const EXPECTED: &str = "the URL from the network's instructions, like \
         https://NETWORK.go2cloud.org/aff_lsr?offer_id=1&aff_id=AFFILIATE_ID&amount=AMOUNT&adv_unique1=ORDER_ID";
    if !map.has("postback") && !map.has("postback_file") {
        map.missing("postback", EXPECTED);
    }
    let text = map.text_or_file("postback")?.delicate();
    let template: Template = text.parse(EXPECTED)?;
    warn_of_slips(map, &text, &template);
    let secrets = text.secrets();
    text.free();
    // Where the parameters are at fault, every word of the URL would be too.
    if parameters.is_empty() {
        return None;
    }
    let captured: Vec<&str> = parameters.iter().map(|one| one.name.as_str()).collect();
    let expected = format!(
        "words that are captured ({}) or known of the order ({})",
        captured.join(", "),
        OWN.join(", ")
    );
    let template = text.make(|_| template.bind(&captured), &expected)?;
    let optional = parameters.iter().filter(|one| !one.required);
    let optional: Vec<&str> = optional.map(|one| one.name.as_str()).collect();
    Some((template.allowing(&optional), secrets))
}

/// What networks accept without a word, and then count as nothing (domain.md §1, §2).
fn warn_of_slips(map: &Map<'_>, text: &Text<'_>, template: &Template) {
    let words = template.words();
    let has = |word: &str| words.contains(&word);
    let warn = |words: &str| map.cx.warn(&text.place, words);
    if !has("amount") && !has("amount_minor") {
        warn("the URL has no AMOUNT: a network that pays a share of the sale will count 0.00");
    }
    if !has("order_id") {
        warn("the URL has no ORDER_ID: nobody can tell later which order a commission is for");
    }
    let url = text.as_str();
    let host = url.split(['/', '?']).nth(2).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let tune = host.ends_with("go2cloud.org") || host.ends_with("aspr.app");
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let has_key = |key: &str| query.split('&').any(|pair| pair.starts_with(key));
    if tune && has_key("affiliate_id=") && !has_key("aff_id=") {
        warn("the URL says affiliate_id=, but this network's parameter is aff_id=");
    }
    if text.is_literal() && telling_values(url).next().is_some() {
        warn(
            "the URL seems to hold a secret: write it as ${VARIABLE}, or the URL in a file (postback_file)",
        );
    }
}

fn rates(map: &Map<'_>) -> HashMap<Currency, Decimal> {
    let rates = map.section("rates").named("CURRENCY").into_iter();
    rates
        .filter_map(|(name, value)| {
            let rate = positive(&value);
            let currency = name.parse("an ISO 4217 code like CAD");
            Some((currency?, rate?))
        })
        .collect()
}
