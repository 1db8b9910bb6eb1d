//! What a configuration will do, in plain words: the text of `refgate check`.
//!
//! What variables and files gave as free text is masked in all of it.

mod held;
mod rule;
mod store;
mod visitors;
mod webhooks;

use std::fmt::Display;
use std::time::Duration;

use super::units::{roughly, shown, shown_frequency, shown_size};
use super::{Finding, Loaded, Settings};
use crate::accept::tls::{Certificate, Version};
use crate::access::Format;
use crate::acme::Challenge;
use crate::capture::{Network, Parameter};
use crate::click::Values;
use crate::clock::Time;
use crate::deliver::egress::Egress;
use crate::deliver::template::Fill;
use crate::deliver::{Answer, Dedupe, Destination, Terms};
use crate::forward::options::Options;
use crate::money::{Decimal, Money};
use crate::order::Timing;
use crate::postback::{Mode, Verdict};
use crate::record;
use crate::secret::mask;

/// The report on a loaded configuration.
pub fn text(loaded: &Loaded) -> String {
    let settings = &loaded.settings;
    let mut lines = Vec::new();
    listening(settings, &mut lines);
    store::all(settings, &mut lines);
    visitors::all(settings, &mut lines);
    postbacks(settings, &mut lines);
    rules(settings, &mut lines);
    kept(settings, &mut lines);
    warnings(&loaded.warnings, &mut lines);
    let mut text = lines.join("\n");
    text.push('\n');
    mask(&text, &settings.secrets)
}

fn listening(settings: &Settings, lines: &mut Vec<String>) {
    let accept = &settings.accept;
    lines.push("Listening".to_owned());
    lines.push(format!(
        "  for shoppers on {}, with {} worker threads and up to {} connections",
        list(&accept.listen),
        accept.workers,
        accept.connections
    ));
    if accept.listen.iter().any(|listener| listener.tls) {
        tls(settings, lines);
    }
    if let Some(admin) = &settings.admin {
        let who = match admin.tokens.as_slice() {
            [] => String::new(),
            tokens => {
                let names = tokens.iter().map(|token| token.name.as_str());
                let names: Vec<&str> = names.collect();
                format!(", with the token of {}", names.join(" or "))
            }
        };
        lines.push(format!(
            "  for you alone on {}{who}: health, alarms, counters, reload",
            admin.listen
        ));
    }
    if let Some(webhook) = &settings.alarms.webhook {
        let signed = if webhook.secret.is_some() {
            "signed"
        } else {
            "unsigned"
        };
        lines.push(format!(
            "  alarms are posted to your webhook, {signed}, and again each {}",
            shown(webhook.repeat)
        ));
    }
    let trusted = &settings.forward.trusted_proxies;
    if trusted.is_empty() {
        lines.push("  X-Forwarded-* of nobody is believed".to_owned());
    } else {
        lines.push(format!("  X-Forwarded-* of {} is believed", list(trusted)));
    }
    lines.extend(options(settings));
}

/// What is off unless the operator wants it.
fn options(settings: &Settings) -> Vec<String> {
    let Options { via, request_id } = settings.forwarding;
    let mut lines = Vec::new();
    if via {
        lines.push("  requests and responses say by `Via` that they came through here".to_owned());
    }
    if request_id {
        lines.push("  every request to the shop has an `X-Request-ID`".to_owned());
    }
    if let Some(format) = settings.access_log {
        let format = match format {
            Format::Common => "in the Common Log Format",
            Format::Json => "in JSON",
        };
        lines.push(format!("  one line a request on standard output, {format}"));
    }
    if settings.watch {
        lines.push("  this file is read again when it changes".to_owned());
    }
    lines
}

fn tls(settings: &Settings, lines: &mut Vec<String>) {
    let tls = &settings.accept.tls;
    let least = match tls.minimum {
        Version::Tls12 => "1.2",
        Version::Tls13 => "1.3",
    };
    lines.push(format!("  TLS {least} or newer is spoken, with"));
    for files in &tls.certificates {
        let path = files.certificate.display();
        // It could be read a moment ago.
        lines.push(match Certificate::read(files) {
            Ok(certificate) => format!(
                "      {path} for {}, valid until {}",
                list(&certificate.names),
                certificate.valid_until
            ),
            Err(error) => format!("      {path}: {error}"),
        });
    }
    let Some(acme) = &settings.acme else {
        return;
    };
    let challenge = match acme.challenge {
        Challenge::Http01 => "http-01",
        Challenge::TlsAlpn01 => "tls-alpn-01",
    };
    lines.push(format!(
        "      certificates for {} from {}, by {challenge}, kept in {}",
        list(&acme.hosts),
        acme.directory,
        acme.cache.display()
    ));
    let terms = "      to run it is to agree to that authority's terms of service";
    lines.push(terms.to_owned());
}

fn postbacks(settings: &Settings, lines: &mut Vec<String>) {
    lines.push("\nPostbacks".to_owned());
    for network in &settings.capture.networks {
        let deliver = settings.deliver.destinations.get(&network.name);
        let record = settings.record.destinations.get(&network.name);
        let (Some(deliver), Some(record)) = (deliver, record) else {
            continue;
        };
        let shadow = match deliver.mode {
            Mode::Live => "",
            Mode::Shadow => " (in shadow: held, not sent)",
        };
        lines.push(format!(
            "  {}, in {}{shadow}, for example:",
            network.name, record.currency
        ));
        lines.push(format!(
            "      GET {}",
            example(settings, network, deliver, record)
        ));
        let mut rates: Vec<String> = record
            .rates
            .iter()
            .map(|(other, rate)| format!("1 {other} = {rate} {}", record.currency))
            .collect();
        rates.sort();
        if !rates.is_empty() {
            lines.push(format!("      {}", rates.join(", ")));
        }
        lines.extend(deliver.answers.iter().map(answer));
        lines.push("      any other answer: unclear".to_owned());
        lines.push(bounds(deliver));
        lines.push(pauses(deliver));
        lines.extend(timing(record.timing));
        lines.push(match deliver.dedupe {
            Dedupe::Order => {
                "      an unclear one is sent again: the network counts an order once".to_owned()
            }
            Dedupe::Click | Dedupe::None => {
                "      an unclear one waits for you: sent again, it could be paid twice".to_owned()
            }
        });
    }
    webhooks::webhooks(settings, lines);
    sending(settings, lines);
    lines.extend(held::sentences(settings));
}

fn timing(timing: Timing) -> impl Iterator<Item = String> {
    let since = timing.live_since.map(|since| {
        format!("      orders before {since} are held, as from the time in shadow (live_since)")
    });
    let after = (!timing.send_after.is_zero()).then(|| {
        let after = shown(timing.send_after);
        format!("      each waits until {after} after its order")
    });
    since.into_iter().chain(after)
}

/// What holds for every network.
fn sending(settings: &Settings, lines: &mut Vec<String>) {
    let Egress { proxy, from } = &settings.deliver.egress;
    let through = proxy
        .as_ref()
        .map(|proxy| format!("through the proxy {proxy}"));
    let from = from.map(|address| format!("from the address {address}"));
    let way: Vec<String> = through.into_iter().chain(from).collect();
    if !way.is_empty() {
        lines.push(format!("  they leave {}", way.join(", ")));
    }
    let Terms {
        after,
        first,
        longest,
    } = settings.deliver.rest;
    lines.push(format!(
        "  after {after} failures in a row a network is left alone for {} or so, then longer, up to {}; no attempt is spent on it",
        shown(first.min(longest)),
        shown(longest)
    ));
    let waits: Vec<String> = settings
        .deliver
        .schedule
        .iter()
        .map(|wait| shown(*wait))
        .collect();
    let total: Duration = settings.deliver.schedule.iter().sum();
    lines.push(match waits.as_slice() {
        [] => "  what was surely not processed is given up at once".to_owned(),
        waits => format!(
            "  what was surely not processed is sent again after {}; then given up, {} after the first",
            waits.join(", "),
            roughly(total)
        ),
    });
}

fn bounds(deliver: &Destination) -> String {
    let rate = deliver.rate.map(shown_frequency);
    let rate = rate.map_or(String::new(), |rate| format!(", {rate}"));
    format!("      at most {} at once{rate}", deliver.concurrency)
}

fn pauses(deliver: &Destination) -> String {
    deliver.pause_after.map_or_else(
        || "      no run of rejections pauses it".to_owned(),
        |count| {
            format!(
                "      {count} rejections in a row with the same words pause it, until `refgate go`"
            )
        },
    )
}

/// The URL as it would be sent for a sale of 78.36.
fn example(
    settings: &Settings,
    network: &Network,
    deliver: &Destination,
    record: &record::Destination,
) -> String {
    let value = |parameter: &Parameter| {
        let fits = |value: &&str| parameter.pattern.is_match(value);
        let samples = [
            "123456",
            "102656693ac3ca6e0cdafbfe89ab99",
            "a1b2c3d4",
            "abc",
        ];
        let value = samples.into_iter().find(fits).unwrap_or("example");
        (parameter.name.clone(), value.to_owned())
    };
    let values: Values = network.parameters.iter().map(value).collect();
    let Ok(order_id) = "100005".parse() else {
        return String::new();
    };
    let stores = settings.stores.all();
    let url = deliver.template.render(&Fill {
        values: &values,
        amount: Some(Money {
            amount: Decimal::new(7836, 2),
            currency: record.currency,
        }),
        order_id: &order_id,
        store: stores.first().map(|store| &store.name),
        time: EXAMPLE_TIME,
        click_time: Some(EXAMPLE_TIME),
    });
    match url {
        Ok(url) => mask(&url, &deliver.secrets),
        Err(error) => format!("(no example: {error})"),
    }
}

const EXAMPLE_TIME: Time = Time::from_millis(1_795_392_000_000);

fn answer(answer: &Answer) -> String {
    let status = answer.status.map(|status| format!("status {status}"));
    let body = answer
        .body
        .as_ref()
        .map(|body| format!("a body matching {body}"));
    let conditions: Vec<String> = status.into_iter().chain(body).collect();
    let means = match answer.means {
        Verdict::Accepted => "accepted",
        Verdict::Duplicate => "duplicate",
        Verdict::Rejected => "rejected, for good",
        Verdict::NotProcessed => "not processed, sent again",
        Verdict::Unclear => "unclear",
    };
    match conditions.as_slice() {
        [] => format!("      any answer: {means}"),
        conditions => format!("      {}: {means}", conditions.join(" and ")),
    }
}

fn rules(settings: &Settings, lines: &mut Vec<String>) {
    lines.push("\nRules".to_owned());
    if settings.observe.rules.is_empty() {
        lines.push("  none: no order is seen".to_owned());
    }
    lines.extend(settings.observe.rules.iter().map(rule::sentence));
    lines.push(format!(
        "  pages up to {} ({} when unpacked) are read, each within {}",
        shown_size(settings.observe.body_limit),
        shown_size(settings.observe.decoded_limit),
        shown(settings.observe.read_timeout)
    ));
}

fn kept(settings: &Settings, lines: &mut Vec<String>) {
    lines.push("\nKept".to_owned());
    let (ledger, spool) = (&settings.ledger, &settings.record.spool);
    let name = settings.name.as_ref();
    let name = name.map_or_else(String::new, |name| format!(", which is `{name}`'s"));
    lines.push(format!("  orders and postbacks in {ledger}{name}"));
    lines.push(match settings.keep {
        Some(keep) => format!(
            "  what is settled is removed {} after its last change; of its ids keyed hashes stay, so that it is no new order",
            shown(keep)
        ),
        None => "  for ever".to_owned(),
    });
    lines.push(format!(
        "  a confirmation waits up to {} for that; where it cannot, the order goes to {}",
        shown(settings.record.hold),
        spool.display()
    ));
}

fn warnings(warnings: &[Finding], lines: &mut Vec<String>) {
    if warnings.is_empty() {
        return;
    }
    lines.push("\nWarnings".to_owned());
    lines.extend(warnings.iter().map(|warning| format!("  {warning}")));
}

fn list<T: Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}
