//! The fold: the first sighting wins, what was missing is completed.

use refgate::order::{self, Candidate, Doubt, Fold, NewPostback, Order, Proof, Standing};
use refgate::visit::VisitId;

use crate::support::sale::{candidate, later, usd};

fn seen_later(id: &str, amount: Option<&str>) -> Candidate {
    let mut candidate = candidate(id, amount);
    candidate.sighting.at = later(60);
    candidate.order.at = later(60);
    candidate
}

/// An order whose amount could not be read, bought by its visit.
fn unreadable() -> Order {
    Order {
        proof: Some(Proof::FirstView),
        ..candidate("1001", None).order
    }
}

/// Folds into an order that its own click's network alone is owed.
fn fold(existing: &Order, candidate: &Candidate) -> Fold {
    let owed = existing.click.iter().map(|click| click.network.clone());
    order::fold((existing, &[]), &owed.collect::<Vec<_>>(), candidate)
}

#[test]
fn a_second_sighting_changes_nothing_that_is_set() {
    let first = candidate("1001", Some("25.00")).order;
    let again = fold(&first, &seen_later("1001", Some("25.00")));
    assert_eq!(again.order, first);
    assert_eq!(again.completed, None);
    assert!(again.notes.is_empty(), "{:?}", again.notes);

    let other = fold(&first, &seen_later("1001", Some("19.00")));
    assert_eq!(other.order, first);
    assert_eq!(
        other.notes,
        ["amount 19.00 USD here, 25.00 USD was first and stands"]
    );
}

#[test]
fn a_second_order_of_an_id_is_held_and_whoever_hears_of_credits_hears_that_it_is_held() {
    let first = candidate("1001", Some("25.00")).order;
    let mut seen = candidate("1001", Some("19.00"));
    seen.sighting.at = later(3600);
    seen.order.visit = Some(VisitId(8));
    seen.order.click.as_mut().unwrap().at = later(60);
    let webhook = |event: &str| NewPostback {
        destination: "books".parse().unwrap(),
        event: event.to_owned(),
        ..seen.postbacks[0].clone()
    };
    let (credited, held) = (webhook("credited"), webhook("held"));
    seen.postbacks.push(credited.clone());
    seen.quotes.extend([credited, held.clone()]);
    let fold = fold(&first, &seen);
    assert_eq!(
        (&fold.order, fold.completed, fold.credited),
        (&first, None, false)
    );
    let aside = *fold.aside.unwrap();
    assert_eq!(aside.order.standing, Standing::Held(Doubt::IdReused));
    let [sale, told] = aside.postbacks.as_slice() else {
        panic!("{:?}", aside.postbacks)
    };
    let doubt = sale.held.as_ref().map(|(doubt, _words)| *doubt);
    assert_eq!(
        (sale.event.as_str(), doubt),
        ("sale", Some(Doubt::IdReused))
    );
    assert_eq!(*told, held);
    assert_eq!(aside.sighting.key, aside.order.key);
}

#[test]
fn credit_never_changes_hands_and_organic_stays_organic() {
    let first = candidate("1001", Some("25.00")).order;
    let mut thief = seen_later("1001", Some("25.00"));
    let click = thief.order.click.as_mut().unwrap();
    click
        .values
        .insert("affiliate_id".to_owned(), "666".to_owned());
    let stolen = fold(&first, &thief);
    assert_eq!(stolen.order, first);
    assert_eq!(stolen.notes.len(), 1);

    let mut organic = first;
    organic.click = None;
    organic.standing = Standing::Organic;
    let claimed = fold(&organic, &seen_later("1001", Some("25.00")));
    assert_eq!(claimed.order, organic);
    assert_eq!(claimed.completed, None);
    assert_eq!(claimed.notes.len(), 1);
}

#[test]
fn a_missing_amount_is_completed_and_the_postback_with_it() {
    let first = unreadable();
    // The reload comes without the cookie: the quote for the order's own click serves.
    let mut reload = seen_later("1001", Some("25.00"));
    reload.order.click = None;
    reload.order.standing = Standing::Organic;
    reload.postbacks.clear();
    let fold = fold(&first, &reload);
    assert_eq!(fold.order.amount, Some(usd("25.00")));
    assert_eq!(fold.order.standing, Standing::Credited);
    assert_eq!(fold.order.click, first.click);
    assert_eq!(fold.order.at, first.at);
    let completed = fold.completed.unwrap();
    assert_eq!(completed, reload.quotes);
    assert!(fold.order.why.contains(&first.why), "{}", fold.order.why);
}

#[test]
fn what_completes_an_order_may_hold_it_for_another_reason() {
    let first = unreadable();
    let held = |doubt| {
        let mut seen = seen_later("1001", Some("25.00"));
        seen.quotes = vec![NewPostback {
            held: Some((doubt, "so".to_owned())),
            ..seen.quotes[0].clone()
        }];
        fold(&first, &seen).order.standing
    };
    assert_eq!(
        held(Doubt::OverMaxAmount),
        Standing::Held(Doubt::OverMaxAmount)
    );
    assert_eq!(held(Doubt::NoRate), Standing::Held(Doubt::NoRate));
    assert_eq!(held(Doubt::Shadow), Standing::Credited);
}

#[test]
fn only_what_was_unreadable_is_completed() {
    for doubt in [Doubt::Differs, Doubt::CurrencyContradicts, Doubt::Unproven] {
        let mut first = unreadable();
        first.standing = Standing::Held(doubt);
        let fold = fold(&first, &seen_later("1001", Some("25.00")));
        assert_eq!(fold.order, first, "{doubt:?}");
        assert_eq!(fold.completed, None);
    }
    let first = unreadable();
    let mut unconfigured = seen_later("1001", Some("25.00"));
    unconfigured.quotes.clear();
    let fold = fold(&first, &unconfigured);
    assert_eq!(fold.order, first, "there is nobody to tell");
    assert_eq!(fold.notes.len(), 1);
}

#[test]
fn a_sighting_in_doubt_completes_nothing_and_a_clear_one_lifts_the_hold() {
    let first = unreadable();
    for doubt in [
        Doubt::Unreadable,
        Doubt::Differs,
        Doubt::CurrencyContradicts,
    ] {
        let mut seen = seen_later("1001", Some("25.00"));
        seen.order.standing = Standing::Held(doubt);
        assert_eq!(fold(&first, &seen).order, first, "{doubt:?}");
    }
    // Its amount was read, but not all of it.
    let mut partly = first;
    partly.amount = Some(usd("25.00"));
    let same = fold(&partly, &seen_later("1001", Some("25.00")));
    assert_eq!(same.order.standing, Standing::Credited);
    let other = fold(&partly, &seen_later("1001", Some("19.00")));
    assert_eq!(other.order, partly);
}

#[test]
fn everyone_who_is_owed_an_unreadable_order_is_told_its_amount() {
    let first = unreadable();
    let owed = ["aspire", "other", "gone"].map(|name| name.parse().unwrap());
    let mut seen = seen_later("1001", Some("25.00"));
    let quote = seen.quotes[0].clone();
    seen.quotes.push(NewPostback {
        destination: "other".parse().unwrap(),
        held: Some((Doubt::NoRate, "no rate".to_owned())),
        ..quote
    });
    let fold = order::fold((&first, &[]), &owed, &seen);
    assert_eq!(fold.completed.as_ref(), Some(&seen.quotes));
    assert_eq!(
        fold.order.standing,
        Standing::Credited,
        "one of them goes out"
    );
    assert_eq!(fold.notes.len(), 1, "{:?}", fold.notes);
    let alone = order::fold((&first, &[]), &owed[1..], &seen);
    assert_eq!(alone.order.standing, Standing::Held(Doubt::NoRate));
}

#[test]
fn what_was_in_doubt_of_the_click_stays_so_when_the_amount_comes() {
    let mut first = unreadable();
    let completed = |first: &Order| {
        let fold = fold(first, &seen_later("1001", Some("25.00")));
        (fold.order.standing, fold.completed.unwrap())
    };
    first.proof = None;
    let (standing, postbacks) = completed(&first);
    assert_eq!(standing, Standing::Held(Doubt::Unproven));
    assert!(postbacks[0].held.is_some());
}

#[test]
fn who_was_at_the_checkout_is_heard_beside_one_who_was_not() {
    // Somebody saw it who is held; and then its buyer did.
    let mut first = candidate("1001", Some("25.00")).order;
    let mut buyer = seen_later("1001", Some("25.00"));
    buyer.order.visit = Some(VisitId(8));
    buyer.order.click.as_mut().unwrap().at = later(1);
    let heard = |first: &Order, buyer: &Candidate| {
        let aside = fold(first, buyer).aside;
        aside.map(|aside| (aside.order.standing, aside.order.why))
    };
    assert_eq!(heard(&first, &buyer), None, "that one has bought it");
    for doubt in [Doubt::TooYoung, Doubt::Blocked, Doubt::OverMaxAmount] {
        first.standing = Standing::Held(doubt);
        assert_eq!(heard(&first, &buyer), None, "{doubt}");
    }
    first.standing = Standing::Held(Doubt::Unproven);
    let (standing, why) = heard(&first, &buyer).unwrap();
    assert_eq!(standing, Standing::Held(Doubt::IdReused));
    assert!(why.starts_with("another visit saw it first, at "), "{why}");
    for proof in [None, Some(Proof::FirstView), Some(Proof::Trusted)] {
        let mut other = buyer.clone();
        other.order.proof = proof;
        assert_eq!(heard(&first, &other), None, "{proof:?}");
    }
    let mut same = buyer.clone();
    same.order.visit = first.visit;
    assert_eq!(heard(&first, &same), None, "he himself, from the checkout");
    buyer.order.amount = Some(usd("9.95"));
    assert_eq!(heard(&first, &buyer), None, "so soon, another amount");
    buyer.order.amount = first.amount;
    // Whose it is is not known, or he is owed nothing: it stays nobody's.
    (first.standing, first.visit, first.click) = (Standing::Organic, None, None);
    assert_eq!(heard(&first, &buyer), None, "its buyer may have no click");
}
