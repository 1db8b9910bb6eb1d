//! The fold: what one more sighting makes of an order that is known.
//!
//! The first sighting wins. What was missing may be completed; what is set never changes, and credit
//! never changes hands. An order that came without a click is open for half an hour for the visit of
//! the same shopper, and organic for good then. What a sighting contradicts is noted beside it for
//! the operator.

use super::aside::{Whose, whose};
use crate::name::NetworkName;
use crate::order::{Candidate, Doubt, NewPostback, Order, SALE, Standing};
use crate::session::Mark;

/// An order with one more sighting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// The order as it now stands.
    pub order: Order,
    /// What its held postbacks become, if the sighting gave what they wait for.
    pub completed: Option<Vec<NewPostback>>,
    /// Whether it is credited now: the candidate's own sales are new postbacks.
    pub credited: bool,
    /// Who is told of where it stands now, beside those.
    pub told: Vec<NewPostback>,
    /// The sighting as one of an order of its own, if it is of another one.
    pub aside: Option<Box<Candidate>>,
    /// Whether it is of another one that has no place any more.
    pub no_place: bool,
    /// What in the sighting contradicts the order, in words.
    pub notes: Vec<String>,
}

/// Folds a candidate into the order that it is another sighting of, and which `shopper` looked at
/// first; `owed` are those who have a postback of it.
pub fn fold(
    (existing, shopper): (&Order, &[Mark]),
    owed: &[NetworkName],
    candidate: &Candidate,
) -> Fold {
    let mut notes = contradictions(existing, candidate);
    let credit = credit((existing, shopper), candidate);
    let whose = match &credit {
        Some(_) => Whose::This,
        None => whose(existing, candidate),
    };
    let completed = match &whose {
        Whose::This => complete((existing, owed), candidate, &mut notes),
        Whose::Aside(_) | Whose::NoPlace => None,
    };
    let credited = completed.is_none() && credit.is_some();
    let (order, completed) = match completed {
        Some((order, postbacks)) => (order, Some(postbacks)),
        None => (credit.unwrap_or_else(|| existing.clone()), None),
    };
    if let Whose::Aside(aside) = &whose {
        let namespace = &aside.order.key.namespace;
        notes.push(format!(
            "it is another visit's, which stands in {namespace}"
        ));
    } else if whose == Whose::NoPlace {
        notes.push("it is another visit's, for which there is no place".to_owned());
    } else if let (false, None, Some(click)) = (credited, &existing.click, &candidate.order.click) {
        let network = &click.network;
        notes.push(format!(
            "a click of {network} came with it; the order was entered without one"
        ));
    }
    Fold {
        told: told(existing, &order, candidate),
        order,
        completed,
        credited,
        no_place: whose == Whose::NoPlace,
        aside: match whose {
            Whose::Aside(aside) => Some(aside),
            Whose::This | Whose::NoPlace => None,
        },
        notes,
    }
}

/// The order credited after all: it came without a click, and this is the same shopper's visit, whose
/// click and checkout step came before the order.
fn credit((existing, shopper): (&Order, &[Mark]), candidate: &Candidate) -> Option<Order> {
    let Candidate {
        sighting,
        order: seen,
        ..
    } = candidate;
    let is_open = existing.standing == Standing::Organic && sighting.at <= existing.open_until?;
    let is_same = candidate.shopper.iter().any(|mark| shopper.contains(mark));
    if !is_open || !is_same || in_doubt(candidate) || existing.amount != seen.amount {
        return None;
    }
    let click = seen.click.as_ref()?;
    let step = sighting.visit.as_ref()?.step_after(click, sighting.at)?;
    if step > existing.at {
        return None;
    }
    Some(Order {
        working: seen.working.clone(),
        standing: seen.standing.clone(),
        why: format!(
            "seen without a click at {}, and at {} by the same shopper: {}",
            existing.at, sighting.at, seen.why
        ),
        click: seen.click.clone(),
        visit: seen.visit,
        proof: seen.proof,
        open_until: None,
        ..existing.clone()
    })
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
    // What did not prove the credit before does not prove it now.
    let unproven = existing.click.is_some() && existing.proof.is_none();
    let mut quotes = Vec::new();
    for network in owed {
        let of_it = |quote: &&NewPostback| quote.destination == *network && quote.event == SALE;
        match candidate.quotes.iter().find(of_it) {
            Some(quote) if unproven => quotes.push(still_unproven(quote.clone())),
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

/// The quote, held as its click was before.
fn still_unproven(quote: NewPostback) -> NewPostback {
    let words = "the order's click is in doubt".to_owned();
    let held = match quote.held {
        None | Some((Doubt::Shadow, _)) => (Doubt::Unproven, words),
        Some((first, before)) => (first, format!("{before}; {words}")),
    };
    NewPostback {
        held: Some(held),
        ..quote
    }
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
    if let (Some(first), Some(click)) = (&existing.click, &seen.click)
        && (&first.network, &first.values) != (&click.network, &click.values)
    {
        let (network, owed) = (&click.network, &first.network);
        notes.push(format!(
            "another click, of {network}, came with it; the order stays owed to {owed}'s first one"
        ));
    }
    notes
}
