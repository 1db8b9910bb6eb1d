//! Aside: an order that claims no id, beside the one that goes by it.
//!
//! A shop may count anew, and so one id may be two orders; and somebody may open the page of an order before its buyer
//! does. The first one stays whose it is; the later one stands aside, in a namespace of its own, held until the operator
//! has looked. There a visit is asked for as well: what one
//! shopper bought is not lost behind what stands there already of another. Whoever has an order aside has that one: a
//! later look of his claims the id no more, or the operator who releases it would have it paid twice.

use super::{Candidate, Doubt, NewPostback, OPEN, Order, Proof, SALE, Standing};
use crate::name::Namespace;

impl Candidate {
    /// The same where its id is claimed; nothing if it stands there.
    pub fn claiming(&self) -> Option<Self> {
        let namespace = &self.order.key.namespace;
        namespace
            .is_aside()
            .then(|| moved(self, namespace.claimed()))
    }
}

impl Order {
    /// Whether `other` is the same buyer's: of this visit, or of one with the very same click, as those of two hosts
    /// between which it was handed over.
    pub fn is_same_buyers(&self, other: &Self) -> bool {
        let clicks = self.click.as_ref().zip(other.click.as_ref());
        let is_click = clicks.is_some_and(|(one, other)| one.is(other));
        is_click || (self.visit.is_some() && self.visit == other.visit)
    }
}

/// What a sighting of a known id is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// One more of the order that goes by it.
    This,
    /// An order of its own, aside.
    Aside(Box<Candidate>),
    /// An order of its own, for which there is no place left.
    NoPlace,
}

/// What the candidate is beside the order that goes by its id.
pub(super) fn whose(existing: &Order, candidate: &Candidate) -> Whose {
    let namespace = &existing.key.namespace;
    if !is_others(existing, candidate) {
        return Whose::This;
    }
    let seen = match why(existing, candidate) {
        _ if namespace.is_aside() => candidate.clone(),
        Some(words) => held(candidate.clone(), &words),
        None => return Whose::This,
    };
    let place = namespace.aside();
    place.map_or(Whose::NoPlace, |place| {
        Whose::Aside(moved(&seen, place).into())
    })
}

/// Why another buyer's sighting is no more look at the order that goes by the id; none if it is one.
fn why(existing: &Order, candidate: &Candidate) -> Option<String> {
    let Order { at, amount, .. } = existing;
    if is_reused(existing, candidate) {
        let first = amount.map_or_else(String::new, |amount| format!(" over {amount}"));
        return Some(format!(
            "its id is in use: another order{first} goes by it since {at}"
        ));
    }
    let is_contested = is_contested(existing, candidate);
    is_contested
        .then(|| format!("another visit saw it first, at {at}, and nothing shows that it bought"))
}

/// Whether another order may have the id: to another buyer another amount is shown, when the opening is over.
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
    differs && sighting.at.since(existing.at) > OPEN
}

/// Whether the order may be this buyer's although somebody else saw it first: he was at the checkout, and that one is held
/// because nothing shows that he was. Where the first one came without a click nothing is held beside it: its buyer may
/// have none, and whoever he shows the page, or he himself when he comes back over a link, looks like a buyer then.
fn is_contested(existing: &Order, candidate: &Candidate) -> bool {
    let seen = &candidate.order;
    let was_there = matches!(seen.proof, Some(Proof::Checkout(_)));
    let is_unproven = existing.standing == Standing::Held(Doubt::Unproven);
    was_there && is_unproven && existing.amount.is_some() && existing.amount == seen.amount
}

/// Whether it would be owed to another buyer than the one that is known.
fn is_others(existing: &Order, candidate: &Candidate) -> bool {
    candidate.order.visit.is_some() && !candidate.order.is_same_buyers(existing)
}

fn moved(candidate: &Candidate, namespace: Namespace) -> Candidate {
    let mut moved = candidate.clone();
    moved.sighting.key.namespace = namespace.clone();
    moved.order.key.namespace = namespace;
    moved
}

/// Held, as another order goes by its id. Whatever else is in doubt is told behind it: it is what the operator must know
/// first.
fn held(mut candidate: Candidate, words: &str) -> Candidate {
    let order = &mut candidate.order;
    order.standing = Standing::Held(Doubt::IdReused);
    order.why = format!("{words}; {}", order.why);
    order.open_until = None;
    let sales = candidate
        .postbacks
        .into_iter()
        .filter(|it| it.event == SALE);
    let sales = sales.map(|sale| NewPostback {
        held: Some((Doubt::IdReused, words.to_owned())),
        ..sale
    });
    let told = candidate.quotes.iter();
    let told = told.filter(|quote| quote.event == order.standing.word());
    candidate.postbacks = sales.chain(told.cloned()).collect();
    candidate
}
