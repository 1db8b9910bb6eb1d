//! Aside: an order that claims no id, beside the one that goes by it.
//!
//! A shop may count anew, and so one id may be two orders. The first one stays whose it is; the later one stands aside, in a
//! namespace of its own, held until the operator has looked. There a visit is asked for as well: what one
//! shopper bought is not lost behind what stands there already of another.

use super::{Candidate, Doubt, NewPostback, OPEN, Order, SALE, Standing};
use crate::name::Namespace;

/// The candidate as an order of its own, where the one that goes by its id is another one; nothing if it is not, or if there
/// is no place left.
pub(super) fn aside(existing: &Order, candidate: &Candidate) -> Option<Candidate> {
    let namespace = existing.key.namespace.aside()?;
    if existing.key.namespace.is_aside() {
        return is_others(existing, candidate).then(|| moved(candidate, namespace));
    }
    is_reused(existing, candidate).then(|| held(moved(candidate, namespace), existing))
}

/// Whether another order may have the id: another visit, to whose click it would be owed, sees another amount, when
/// the opening is over.
fn is_reused(existing: &Order, candidate: &Candidate) -> bool {
    let Candidate {
        sighting,
        order: seen,
        ..
    } = candidate;
    let differs = existing
        .amount
        .zip(seen.amount)
        .is_some_and(|(first, now)| first != now);
    differs && is_others(existing, candidate) && sighting.at.since(existing.at) > OPEN
}

/// Whether it would be owed to another visit than the one that is known.
fn is_others(existing: &Order, candidate: &Candidate) -> bool {
    let visit = candidate.order.visit;
    visit.is_some() && visit != existing.visit
}

fn moved(candidate: &Candidate, namespace: Namespace) -> Candidate {
    let mut moved = candidate.clone();
    moved.sighting.key.namespace = namespace.clone();
    moved.order.key.namespace = namespace;
    moved
}

/// Held as of an id that is in use. Whatever else is in doubt is told behind it: it is what the operator must know first.
fn held(mut candidate: Candidate, existing: &Order) -> Candidate {
    let first = existing
        .amount
        .map_or_else(String::new, |amount| format!(" over {amount}"));
    let words = format!(
        "its id is in use: another order{first} goes by it since {}",
        existing.at
    );
    let order = &mut candidate.order;
    order.standing = Standing::Held(Doubt::IdReused);
    order.why = format!("{words}; {}", order.why);
    order.open_until = None;
    let sales = candidate
        .postbacks
        .into_iter()
        .filter(|it| it.event == SALE);
    let sales = sales.map(|sale| NewPostback {
        held: Some((Doubt::IdReused, words.clone())),
        ..sale
    });
    let told = candidate.quotes.iter();
    let told = told.filter(|quote| quote.event == order.standing.word());
    candidate.postbacks = sales.chain(told.cloned()).collect();
    candidate
}
