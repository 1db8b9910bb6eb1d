//! The judgement: what a sighting makes of an order, were it the first one.
//! Pure; it says why in words for the operator.

use rust_decimal::RoundingStrategy;

use super::{Destination, Settings, webhooks};
use crate::click::Click;
use crate::clock::Time;
use crate::money::{Decimal, Money};
use crate::name::NetworkName;
use crate::order::{
    Candidate, Doubt, Evidence, FoundBy, NewPostback, OPEN, Order, SALE, Sighting, Standing,
};
use crate::postback::Mode;
use crate::store::Store;

mod credit;

use credit::Credit;

/// Why something is held: the doubt, and the words for it.
type Held = (Doubt, String);

/// What a sighting would make of its order, were it the first one.
///
/// `doubt` is what the rule itself was in doubt about ([`Doubt::Unreadable`], [`Doubt::Differs`],
/// [`Doubt::CurrencyContradicts`]), `evidence` what speaks for the visit having bought. A doubt about what was read holds
/// the order; one about its worth or about the click only holds it where somebody is owed it; a destination in shadow only
/// holds the postback.
pub fn judge(
    sighting: Sighting,
    (doubt, evidence): (Option<Doubt>, &Evidence),
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

    let credit = Credit::of(&sighting, evidence, settings, now);
    let quote_of = |click: &Click| {
        let mut quotes = quotes.iter();
        quotes.find(|quote| quote.postback.destination == click.network)
    };
    let owed: Vec<&Quote> = credit.clicks.iter().filter_map(quote_of).collect();
    let working = working(sighting.working.as_deref(), &owed);
    let postbacks = owed.iter().map(|quote| quote.postback.clone());
    let postbacks: Vec<_> = postbacks
        .map(|it| held_too(it, credit.doubt.as_ref()))
        .collect();
    let (standing, held) = standing(reading, &postbacks);
    let why = match held {
        Some(held) => format!("{held}; {}", credit.words),
        None => credit.words,
    };
    let click = credit.clicks.into_iter().next();
    let order = Order {
        key: sighting.key.clone(),
        aliases: sighting.aliases.clone(),
        at: sighting.at,
        store: sighting.store.clone(),
        rule: sighting.rule.clone(),
        amount,
        working,
        standing,
        why,
        visit: click
            .as_ref()
            .and(sighting.visit.as_ref())
            .map(|visit| visit.id),
        click,
        proof: credit.proof,
        open_until: None,
    };
    let order = Order {
        open_until: open_until(&sighting, &order.standing, evidence),
        ..order
    };
    let told = webhooks::quotes(&settings.webhooks, amount);
    let now_told = told.iter().filter(|it| it.event == order.standing.word());
    let postbacks = postbacks.into_iter().chain(now_told.cloned()).collect();
    let quotes = quotes.into_iter().map(|quote| quote.postback);
    Candidate {
        postbacks,
        quotes: quotes.chain(told).collect(),
        shopper: evidence.shopper.clone(),
        sighting,
        order,
    }
}

/// Until when an order that came without a click may be the same shopper's, who has one.
fn open_until(sighting: &Sighting, standing: &Standing, evidence: &Evidence) -> Option<Time> {
    let is_open = *standing == Standing::Organic
        && sighting.visit.is_none()
        && sighting.found_by != FoundBy::SharedSession
        && !evidence.shopper.is_empty();
    is_open.then(|| sighting.at.plus(OPEN))
}

/// The postback, which waits also for this. A shadow is a lesser reason.
fn held_too(mut postback: NewPostback, doubt: Option<&Held>) -> NewPostback {
    let Some((doubt, words)) = doubt else {
        return postback;
    };
    postback.held = match postback.held {
        None | Some((Doubt::Shadow, _)) => Some((*doubt, words.clone())),
        Some((first, before)) => Some((first, format!("{before}; {words}"))),
    };
    postback
}

/// Where the order stands. What one of several who are owed it must wait for holds that postback only.
fn standing(reading: Option<Held>, postbacks: &[NewPostback]) -> (Standing, Option<String>) {
    let held = postbacks.iter().filter_map(|it| it.held.as_ref());
    let words = held.map(|(_doubt, words)| words.as_str());
    match reading {
        Some((doubt, read)) => {
            let words = joined(words).unwrap_or(read);
            (Standing::Held(doubt), Some(words))
        }
        None => (Standing::of(postbacks), joined(words)),
    }
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
            Doubt::Differs => "what was read contradicts itself",
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
