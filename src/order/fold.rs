//! The fold: what one more sighting makes of an order that is known.
//!
//! The first sighting wins. What was missing may be completed; what is set
//! never changes, credit never changes hands, organic stays organic. What a
//! sighting contradicts is noted beside it for the operator.

use crate::name::NetworkName;
use crate::order::{Candidate, Doubt, NewPostback, Order, SALE, Standing};

/// An order with one more sighting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// The order as it now stands.
    pub order: Order,
    /// What its held postbacks become, if the sighting gave what they wait for.
    pub completed: Option<Vec<NewPostback>>,
    /// Who is told of where it stands now, beside those.
    pub told: Vec<NewPostback>,
    /// What in the sighting contradicts the order, in words.
    pub notes: Vec<String>,
}

/// Folds a candidate into the order that it is another sighting of; `owed` are those
/// who have a postback of it.
pub fn fold(existing: &Order, owed: &[NetworkName], candidate: &Candidate) -> Fold {
    let mut notes = contradictions(existing, candidate);
    match complete((existing, owed), candidate, &mut notes) {
        Some((order, postbacks)) => Fold {
            told: told(existing, &order, candidate),
            order,
            completed: Some(postbacks),
            notes,
        },
        None => Fold {
            order: existing.clone(),
            completed: None,
            told: Vec::new(),
            notes,
        },
    }
}

/// The order with the amount that was missing, and its postbacks with it.
fn complete(
    (existing, owed): (&Order, &[NetworkName]),
    candidate: &Candidate,
    notes: &mut Vec<String>,
) -> Option<(Order, Vec<NewPostback>)> {
    if existing.standing != Standing::Held(Doubt::Unreadable) || in_doubt(candidate) {
        return None;
    }
    let amount = candidate.order.amount?;
    if existing.amount.is_some_and(|first| first != amount) {
        return None;
    }
    let mut quotes = Vec::new();
    for network in owed {
        let of_it = |quote: &&NewPostback| quote.destination == *network && quote.event == SALE;
        match candidate.quotes.iter().find(of_it) {
            Some(quote) => quotes.push(quote.clone()),
            None => notes.push(format!(
                "it gives the amount {amount}, but {network} is not configured"
            )),
        }
    }
    if quotes.is_empty() && !owed.is_empty() {
        return None;
    }
    let mut order = existing.clone();
    order.amount = Some(amount);
    order.working.clone_from(&candidate.order.working);
    order.standing = Standing::of(&quotes);
    let Candidate { sighting, .. } = candidate;
    let words = quotes.iter().find_map(|quote| quote.held.as_ref());
    let held = words.map_or_else(String::new, |(_doubt, words)| format!(", {words}"));
    order.why = format!(
        "amount read at {} by {}{held}; before: {}",
        sighting.at, sighting.rule, existing.why
    );
    Some((order, quotes))
}

/// Webhooks that are told of the standing, where it has changed.
fn told(existing: &Order, order: &Order, candidate: &Candidate) -> Vec<NewPostback> {
    let (was, is) = (existing.standing.word(), order.standing.word());
    let of_it = |quote: &&NewPostback| was != is && quote.event == is;
    candidate.quotes.iter().filter(of_it).cloned().collect()
}

/// Whether what this sighting read is itself in doubt, and so completes nothing.
const fn in_doubt(candidate: &Candidate) -> bool {
    matches!(
        candidate.order.standing,
        Standing::Held(Doubt::Unreadable | Doubt::Differs | Doubt::CurrencyContradicts)
    )
}

fn contradictions(existing: &Order, candidate: &Candidate) -> Vec<String> {
    let seen = &candidate.order;
    let mut notes = Vec::new();
    if let (Some(first), Some(now)) = (existing.amount, seen.amount)
        && first != now
    {
        notes.push(format!("amount {now} here, {first} was first and stands"));
    }
    if existing.store != seen.store {
        notes.push(format!(
            "seen in store {}, first in {}",
            seen.store, existing.store
        ));
    }
    match (&existing.click, &seen.click) {
        (None, Some(click)) => {
            let network = &click.network;
            notes.push(format!(
                "a click of {network} came with it; the order was entered without one"
            ));
        }
        (Some(first), Some(click))
            if (&first.network, &first.values) != (&click.network, &click.values) =>
        {
            let (network, owed) = (&click.network, &first.network);
            notes.push(format!("another click, of {network}, came with it; the order stays owed to {owed}'s first one"));
        }
        _ => {}
    }
    notes
}
