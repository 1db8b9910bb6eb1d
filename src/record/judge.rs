//! The judgement: what a sighting makes of an order, were it the first one.
//! Pure; it says why in words for the operator.

use std::time::Duration;

use rust_decimal::RoundingStrategy;

use super::{Destination, Settings, webhooks};
use crate::click::Click;
use crate::clock::Time;
use crate::money::{Decimal, Money};
use crate::name::NetworkName;
use crate::order::{Candidate, Doubt, FoundBy, NewPostback, Order, SALE, Sighting, Standing};
use crate::postback::Mode;
use crate::store::Store;
use crate::visit::Visit;

/// Why something is held: the doubt, and the words for it.
type Held = (Doubt, String);

/// What a sighting would make of its order, were it the first one.
///
/// `doubt` is what the rule itself was in doubt about ([`Doubt::Unreadable`], [`Doubt::Differs`],
/// [`Doubt::CurrencyContradicts`]). A doubt about what was read holds the order; one
/// about its worth only holds it where somebody is owed it; a destination in shadow only holds the postback.
pub fn judge(
    sighting: Sighting,
    doubt: Option<Doubt>,
    store: &Store,
    settings: &Settings,
    now: Time,
) -> Candidate {
    let amount = sighting.amount.map(rounded);
    let reading = reading_doubt(&sighting, doubt, amount, store);
    let worth = reading.clone().or_else(|| worth_doubt(amount, store));
    let mut quotes: Vec<Quote> = settings
        .destinations
        .iter()
        .map(|(name, destination)| quote(name, destination, amount, worth.as_ref()))
        .collect();
    quotes.sort_by(|a, b| a.postback.destination.cmp(&b.postback.destination));

    let (clicks, credit) = credit(&sighting, settings, now);
    let quote_of = |click: &Click| {
        let mut quotes = quotes.iter();
        quotes.find(|quote| quote.postback.destination == click.network)
    };
    let owed: Vec<&Quote> = clicks.iter().filter_map(quote_of).collect();
    let (standing, held) = standing(reading, &owed);
    let why = held.map_or_else(|| credit.clone(), |held| format!("{held}; {credit}"));
    let click = clicks.into_iter().next();
    let order = Order {
        key: sighting.key.clone(),
        aliases: sighting.aliases.clone(),
        at: sighting.at,
        store: sighting.store.clone(),
        rule: sighting.rule.clone(),
        amount,
        working: working(sighting.working.as_deref(), &owed),
        standing,
        why,
        visit: click
            .as_ref()
            .and(sighting.visit.as_ref())
            .map(|visit| visit.id),
        click,
    };
    let told = webhooks::quotes(&settings.webhooks, amount);
    let now_told = told.iter().filter(|it| it.event == order.standing.word());
    let owed = owed.iter().map(|quote| &quote.postback);
    let postbacks = owed.chain(now_told).cloned().collect();
    let quotes = quotes.into_iter().map(|quote| quote.postback);
    Candidate {
        postbacks,
        quotes: quotes.chain(told).collect(),
        sighting,
        order,
    }
}

/// Whose the order is, whoever decides first, and the words for it.
fn credit(sighting: &Sighting, settings: &Settings, now: Time) -> (Vec<Click>, String) {
    let Some(visit) = &sighting.visit else {
        let words = match sighting.found_by {
            FoundBy::SharedSession => {
                "no click came with it, and its session was seen with two visits"
            }
            FoundBy::Request | FoundBy::Session => "no click came with it",
        };
        return (Vec::new(), words.to_owned());
    };
    // A network that is not configured any more cannot be told, so its clicks take nobody's place.
    let told = |click: &&Click| settings.destinations.contains_key(&click.network);
    let known = Visit {
        clicks: visit.clicks.iter().filter(told).cloned().collect(),
        ..visit.clone()
    };
    let unknown = visit.clicks.len() - known.clicks.len();
    let ignored = match unknown {
        0 => String::new(),
        clicks => format!("; {clicks} of networks that are not configured"),
    };
    let owed = known.owed(settings.attribution, settings.window, now);
    if owed.is_empty() {
        let window = days(settings.window);
        return (Vec::new(), format!("no click within {window}{ignored}"));
    }
    let clicks: Vec<String> = owed.iter().map(|click| words_of(click)).collect();
    let found = match sighting.found_by {
        FoundBy::Session => ", found by the shop's session",
        FoundBy::Request | FoundBy::SharedSession => "",
    };
    let words = format!("owed to {}{found}{ignored}", clicks.join(" and to "));
    (owed.into_iter().cloned().collect(), words)
}

fn words_of(click: &Click) -> String {
    let Click { network, at, .. } = click;
    format!("{network}'s click at {at} ({})", values(click))
}

fn values(click: &Click) -> String {
    let pairs: Vec<_> = click
        .values
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(", ")
}

fn days(span: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match span.as_secs() {
        seconds if seconds >= DAY && seconds.is_multiple_of(DAY) => {
            format!("{} days", seconds / DAY)
        }
        seconds => format!("{seconds} seconds"),
    }
}

/// Where the order stands. What one of several who are owed it must wait for holds that postback only.
fn standing(reading: Option<Held>, owed: &[&Quote]) -> (Standing, Option<String>) {
    if let Some((doubt, words)) = reading {
        return (Standing::Held(doubt), Some(words));
    }
    let postbacks = owed.iter().map(|quote| &quote.postback);
    let held = postbacks.clone().filter_map(|it| it.held.as_ref());
    let words = joined(held.map(|(_doubt, words)| words.as_str()));
    (Standing::of(postbacks), words)
}

fn reading_doubt(
    sighting: &Sighting,
    doubt: Option<Doubt>,
    amount: Option<Money>,
    store: &Store,
) -> Option<Held> {
    let faults = sighting.faults.join("; ");
    if let Some(doubt) = doubt {
        let words = match doubt {
            Doubt::Unreadable => "it could not be read whole",
            Doubt::Differs => "two differing values were read for one field",
            Doubt::CurrencyContradicts => "its currency contradicts the store's",
            _ => "the rule is in doubt",
        };
        let more = if faults.is_empty() {
            String::new()
        } else {
            format!(": {faults}")
        };
        return Some((doubt, format!("{words}{more}")));
    }
    let Some(amount) = amount else {
        return Some((Doubt::Unreadable, format!("no amount was read: {faults}")));
    };
    if amount.currency != store.currency {
        let words = format!(
            "{amount} was read, but store {} has {}",
            store.name, store.currency
        );
        return Some((Doubt::CurrencyContradicts, words));
    }
    None
}

fn worth_doubt(amount: Option<Money>, store: &Store) -> Option<Held> {
    let amount = amount?;
    if amount.amount <= Decimal::ZERO {
        return Some((
            Doubt::NotPositive,
            format!("{amount} is nothing to pay for"),
        ));
    }
    if amount.amount > store.max_amount {
        let limit = Money {
            amount: store.max_amount,
            currency: store.currency,
        };
        let words = format!(
            "{amount} is above {limit}, the max_amount of store {}",
            store.name
        );
        return Some((Doubt::OverMaxAmount, words));
    }
    None
}

/// What a destination would be told, and how its amount came about.
struct Quote {
    postback: NewPostback,
    working: Option<String>,
}

fn quote(
    name: &NetworkName,
    destination: &Destination,
    amount: Option<Money>,
    worth: Option<&Held>,
) -> Quote {
    let converted = amount.map(|amount| convert(amount, destination));
    let told = converted.as_ref().and_then(|told| told.as_ref().ok());
    let no_rate = match &converted {
        Some(Err(words)) => Some((Doubt::NoRate, format!("{words} for {name}"))),
        _ => None,
    };
    let nothing = told
        .filter(|(money, _)| money.amount <= Decimal::ZERO)
        .map(|(money, _)| (Doubt::NotPositive, format!("{money} is nothing to pay for")));
    let shadow = (destination.mode == Mode::Shadow)
        .then(|| (Doubt::Shadow, format!("{name} is in shadow (mode: shadow)")));
    Quote {
        postback: NewPostback {
            destination: name.clone(),
            event: SALE.to_owned(),
            sequence: 0,
            amount: told.map(|(money, _)| *money),
            held: worth.cloned().or(no_rate).or(nothing).or(shadow),
            timing: destination.timing,
        },
        working: told.and_then(|(_, working)| working.clone()),
    }
}

/// An amount in the destination's currency, with its working where it was converted.
fn convert(amount: Money, destination: &Destination) -> Result<(Money, Option<String>), String> {
    let (from, to) = (amount.currency, destination.currency);
    if from == to {
        return Ok((amount, None));
    }
    let Some(rate) = destination.rates.get(&from) else {
        return Err(format!("no rate from {from} to {to} is configured"));
    };
    let product = amount.amount.checked_mul(*rate);
    let product = product.ok_or_else(|| format!("{amount} × {rate} is too large a number"))?;
    let told = rounded(Money {
        amount: product,
        currency: to,
    });
    Ok((told, Some(format!("{amount} × {rate} = {told}"))))
}

/// As it will be told: with the currency's decimals.
fn rounded(money: Money) -> Money {
    let decimals = money.currency.exponent();
    let strategy = RoundingStrategy::MidpointAwayFromZero;
    Money {
        amount: money.amount.round_dp_with_strategy(decimals, strategy),
        ..money
    }
}

fn working(read: Option<&str>, owed: &[&Quote]) -> Option<String> {
    let converted = owed.iter().filter_map(|quote| quote.working.as_deref());
    joined(read.into_iter().chain(converted))
}

/// Each of the words once; none if there are none.
fn joined<'a>(words: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in words {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests;
