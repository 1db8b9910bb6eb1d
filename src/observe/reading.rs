//! What one rule reads from one exchange: id, amount, doubts.
//!
//! What is not certain is a fault and a doubt; the rest is told all the same, so
//! that an order whose amount cannot be read is entered, and held.

use std::sync::Arc;

use tracing::debug;

use crate::money::{Currency, Decimal, Mark, Money};
use crate::name::RuleName;
use crate::order::{Doubt, Evidence, Field, OrderId};

use super::fault::{BodyError, Fault, short};
use super::gather::{Page, Sources};
use super::rule::{Amount, Read, Source, Then};
use super::text::Text;
use super::watch::{Candidate, Matched};

/// What one rule read.
#[derive(Debug)]
pub struct Reading {
    /// The rule.
    pub rule: RuleName,
    /// The order, if its id could be read.
    pub order_id: Option<OrderId>,
    /// Other ids of the same order (fields named `alias`).
    pub aliases: Vec<OrderId>,
    /// Every field that was read, in the order of the rule.
    pub fields: Vec<Field>,
    /// What the order is worth, in the currency that the page says; the
    /// store's if the page says none.
    pub amount: Option<Money>,
    /// How the amount came about: `total 119.00 - tax 19.00 = 100.00`.
    pub working: Option<String>,
    /// What could not be read.
    pub faults: Vec<Fault>,
    /// Why the order must be held, if it must. A page in another currency than
    /// the store's is [`Doubt::CurrencyContradicts`]: the amount is told in the
    /// page's currency (nothing if it may be several), for a person to judge.
    pub doubt: Option<Doubt>,
    /// A host that the page loads a network's own tracking from.
    pub pixel: Option<String>,
    /// What speaks for whoever saw it having bought.
    pub evidence: Evidence,
}

/// What a rule reads, unless its guards do not hold.
pub(super) fn read_rule(
    matched: &Matched,
    candidate: &Candidate,
    page: &Result<Page<'_>, Arc<BodyError>>,
) -> Option<Reading> {
    let rule = &candidate.rule;
    let page = page.as_ref().map_err(Arc::clone);
    if rule.needs_body() {
        match &page {
            Ok(page) => {
                if let Err(miss) = rule.guards_hold(page.text(), &matched.content_type) {
                    debug!(store = %matched.store().name, rule = %rule.rule.name, %miss, "a rule does not mean this page");
                    return None;
                }
            }
            // Nobody can tell whether the guards hold, so there is no order.
            Err(error) => return Some(Builder::unreadable(rule.rule.name.clone(), error)),
        }
    }
    let Then::Order { amount } = &rule.rule.then else {
        return None;
    };
    let is_first = |page: &&Page<'_>| rule.is_first_view(page.text(), &matched.content_type);
    let is_first_view = !rule.first_view.is_empty() && page.as_ref().is_ok_and(is_first);
    let sources = Sources::open(matched, candidate, page);
    let builder = Builder::new(matched, rule.rule.name.clone());
    let mut reading = builder.read(&sources, amount, !rule.rule.when.contains.is_empty());
    let proof = &rule.rule.proof;
    reading.evidence = Evidence {
        first_view: is_first_view || proof.read().is_some_and(|it| sources.is_marked(it)),
        floor: proof.id_floor.clone(),
        trusted: proof.trust_any_view,
        shopper: Vec::new(),
        suspicion: None,
    };
    Some(reading)
}

/// A number that was read, by the field's name.
#[derive(PartialEq)]
struct Number {
    field: String,
    amount: Decimal,
    mark: Option<Mark>,
}

/// A reading that comes about.
struct Builder<'e> {
    matched: &'e Matched,
    reading: Reading,
    /// What a field `currency` says.
    currency: Option<Currency>,
    numbers: Vec<Number>,
    /// Optional fields that were not there.
    absent: Vec<String>,
    /// Fields with a fault.
    failed: Vec<String>,
}

impl<'e> Builder<'e> {
    fn new(matched: &'e Matched, rule: RuleName) -> Self {
        Self {
            matched,
            reading: empty(rule),
            currency: None,
            numbers: Vec::new(),
            absent: Vec::new(),
            failed: Vec::new(),
        }
    }

    fn unreadable(rule: RuleName, error: &Arc<BodyError>) -> Reading {
        let mut reading = empty(rule);
        reading.faults.push(Fault::Body(Arc::clone(error)));
        reading.doubt = Some(Doubt::Unreadable);
        reading
    }

    /// `proven`: the response itself was shown to be a confirmation.
    fn read(mut self, sources: &Sources<'_, '_>, amount: &Amount, proven: bool) -> Reading {
        let fields = sources.fields();
        // Numbers have as many decimals as their currency: it comes first.
        for (read, texts) in &fields {
            if read.field == "currency"
                && let Ok([first, ..]) = texts.as_deref()
            {
                self.currency = first.text.parse().ok();
            }
        }
        let used = amount.fields();
        let mut proven = proven;
        let mut shown = Vec::new();
        for (read, texts) in fields {
            let first = texts.as_ref().ok().and_then(|texts| texts.first());
            let first = first.map(|text| text.text.clone());
            let result = texts.and_then(|texts| self.field(read, &texts, &used));
            match result {
                Ok(true) if is_from_response(&read.source) => {
                    proven = true;
                    shown.extend(first);
                }
                Ok(true) => {}
                Ok(false) => self.absent.push(read.field.clone()),
                Err(fault) => {
                    self.failed.push(read.field.clone());
                    self.reading.faults.push(fault);
                }
            }
        }
        // Whoever asks for an address could otherwise take the id of an order to come.
        let is_shown = |alias: &OrderId| shown.iter().any(|text| text == alias.as_str());
        self.reading.aliases.retain(is_shown);
        let is_named = |read: &Field| read.name == "order_id";
        if !proven && self.reading.fields.iter().any(is_named) {
            self.reading.order_id = None;
            self.reading.faults.push(Fault::RequestOnly);
        }
        self.work(amount);
        self.finish()
    }

    /// One field of the rule; whether it was found.
    fn field(&mut self, read: &Read, texts: &[Text], used: &[&str]) -> Result<bool, Fault> {
        let Some(first) = texts.first() else {
            return Ok(false);
        };
        match read.field.as_str() {
            name if used.contains(&name) => {
                let found = agreed(read, texts, |text| self.number(read, text))?;
                self.enter(found)?;
            }
            "order_id" => {
                let id = agreed(read, texts, |text| order_id(read, text))?;
                match &self.reading.order_id {
                    Some(other) if *other != id => {
                        return Err(differs(read, 2, other.as_str(), id.as_str()));
                    }
                    _ => self.reading.order_id = Some(id),
                }
            }
            "alias" => {
                let id = agreed(read, texts, |text| order_id(read, text))?;
                if !self.reading.aliases.contains(&id) {
                    self.reading.aliases.push(id);
                }
            }
            "currency" => {
                agreed(read, texts, |text| currency(read, text))?;
            }
            _ => {
                agreed(read, texts, |text| Ok(text.text.clone()))?;
            }
        }
        self.reading.fields.push(Field {
            name: read.field.clone(),
            text: first.text.clone(),
            origin: read.source.to_string(),
        });
        Ok(true)
    }

    fn number(&self, read: &Read, text: &Text) -> Result<Number, Fault> {
        let store = &self.matched.watch.store;
        let currency = self.currency.unwrap_or(store.currency);
        let found = text.amount(store.number_format, currency, read.minor_units);
        let found = found.map_err(|source| Fault::Amount {
            field: read.field.clone(),
            origin: read.source.to_string(),
            source,
        })?;
        Ok(Number {
            field: read.field.clone(),
            amount: found.amount,
            mark: found.mark,
        })
    }

    fn enter(&mut self, number: Number) -> Result<(), Fault> {
        let other = self
            .numbers
            .iter()
            .find(|other| other.field == number.field);
        match other {
            Some(other) if other.amount != number.amount => Err(Fault::Differs {
                field: number.field,
                origin: "the rule".to_owned(),
                count: 2,
                one: other.amount.to_string(),
                other: number.amount.to_string(),
            }),
            _ => {
                self.numbers.push(number);
                Ok(())
            }
        }
    }

    /// The currency of the amount: what the page says, as far as it agrees with itself.
    fn settle_currency(&mut self) -> Option<Currency> {
        let store = self.matched.watch.store.currency;
        let marks = self
            .numbers
            .iter()
            .filter_map(|number| number.mark.as_ref());
        let meant = self.currency.or_else(|| {
            let mut marks = marks.clone();
            if marks.clone().all(|mark| mark.allows(store)) {
                return Some(store);
            }
            match marks.find(|mark| !mark.allows(store))?.currencies() {
                [only] => Some(*only),
                _ => None,
            }
        });
        let expected = meant.unwrap_or(store);
        let mut agrees = meant.is_some();
        for number in &self.numbers {
            if let Some(mark) = &number.mark
                && !mark.allows(expected)
            {
                agrees = false;
                self.reading.faults.push(Fault::Mark {
                    field: number.field.clone(),
                    mark: mark.clone(),
                    currency: expected,
                });
            }
        }
        if expected != store {
            self.reading.faults.push(Fault::Contradicts {
                found: expected,
                store,
            });
        }
        meant.filter(|_| agrees)
    }

    fn work(&mut self, amount: &Amount) {
        // A field with a fault has no value, and is not taken for zero.
        let value = |name: &str| {
            let is_it = |other: &String| other == name;
            let read = self.numbers.iter().find(|number| number.field == name);
            match read {
                _ if self.failed.iter().any(is_it) => None,
                Some(number) => Some(number.amount),
                None => self.absent.iter().any(is_it).then_some(Decimal::ZERO),
            }
        };
        let values: Vec<_> = amount
            .fields()
            .into_iter()
            .map(|name| (name.to_owned(), value(name)))
            .collect();
        let Some(currency) = self.settle_currency() else {
            return;
        };
        let value = |name: &str| {
            let (_, value) = values.iter().find(|(other, _)| other == name)?;
            *value
        };
        match amount.work(currency, &value) {
            Ok(worked) => {
                self.reading.amount = Some(worked.amount);
                self.reading.working = Some(worked.working);
                let backwards = amount.backwards(&value);
                let fault = backwards.map(|(field, value)| Fault::Backwards { field, value });
                self.reading.faults.extend(fault);
            }
            Err(error) => self.reading.faults.push(Fault::Work(error)),
        }
    }

    fn finish(mut self) -> Reading {
        let doubts: Vec<Doubt> = self.reading.faults.iter().map(Fault::doubt).collect();
        self.reading.doubt = [
            Doubt::Differs,
            Doubt::CurrencyContradicts,
            Doubt::Unreadable,
        ]
        .into_iter()
        .find(|doubt| doubts.contains(doubt));
        self.reading
    }
}

fn empty(rule: RuleName) -> Reading {
    Reading {
        rule,
        order_id: None,
        aliases: Vec::new(),
        fields: Vec::new(),
        amount: None,
        working: None,
        faults: Vec::new(),
        doubt: None,
        pixel: None,
        evidence: Evidence::default(),
    }
}

const fn is_from_response(source: &Source) -> bool {
    !matches!(source, Source::Path(_) | Source::Query(_))
}

/// What all texts say, if they say the same.
fn agreed<T: PartialEq>(
    read: &Read,
    texts: &[Text],
    parse: impl Fn(&Text) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let Some((first, others)) = texts.split_first() else {
        return Err(differs(read, 0, "", ""));
    };
    for other in others.iter().filter(|other| other.text != first.text) {
        let same = matches!((parse(first), parse(other)), (Ok(one), Ok(two)) if one == two);
        if !same {
            return Err(differs(read, texts.len(), &first.text, &other.text));
        }
    }
    parse(first)
}

fn differs(read: &Read, count: usize, one: &str, other: &str) -> Fault {
    Fault::Differs {
        field: read.field.clone(),
        origin: read.source.to_string(),
        count,
        one: short(one),
        other: short(other),
    }
}

fn order_id(read: &Read, text: &Text) -> Result<OrderId, Fault> {
    text.text.parse().map_err(|source| Fault::Id {
        field: read.field.clone(),
        origin: read.source.to_string(),
        source,
    })
}

fn currency(read: &Read, text: &Text) -> Result<Currency, Fault> {
    text.text.parse().map_err(|source| Fault::Currency {
        field: read.field.clone(),
        origin: read.source.to_string(),
        found: short(&text.text),
        source,
    })
}
