//! Who opens more confirmations than a shopper does, and whom the operator blocks.

use refgate::alarm::Alarm;
use refgate::order::{Doubt, Order, Standing};
use refgate::postback::State;

use crate::support::front::{Front, cookie, get};
use crate::support::shop::ordinary;

const TRUSTED: &str = "trusted_proxies: [127.0.0.1]\n";

fn front(piece: &str) -> Front {
    Front::with(&format!("{TRUSTED}{piece}"), ordinary())
}

/// Looks at an order's confirmation from `address`.
fn looks(front: &Front, cookie: &str, id: u32, address: &str) {
    let fields = format!("Cookie: {cookie}\r\nX-Forwarded-For: {address}\r\n");
    front.ask(get(&format!("/checkout/thank-you/{id}"), &fields));
}

fn stands(front: &Front, alarm: Alarm) -> bool {
    front
        .alarms()
        .iter()
        .any(|standing| standing.alarm == alarm)
}

/// Every order of that id, with its namespace.
fn orders(front: &Front, id: &str) -> Vec<(String, Order)> {
    let orders = front.orders().into_iter();
    let of_it = orders.filter(|order| order.key.id.as_str() == id);
    let mut named: Vec<_> = of_it
        .map(|order| (order.key.namespace.to_string(), order))
        .collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named
}

#[test]
fn whoever_tries_ids_takes_none_from_those_who_buy() {
    let front = front("guard: { ids_per_visit: 2 }\n");
    let cheat = front.click();
    for id in 1..=3 {
        looks(&front, &cheat, id, "203.0.113.7");
    }
    front.settled("1", State::Accepted);
    front.settled("2", State::Accepted);
    let [(namespace, order)] = &orders(&front, "3")[..] else {
        panic!("one order, aside")
    };
    assert_eq!(namespace, "test.aside");
    assert_eq!(
        order.standing,
        Standing::Held(Doubt::TooMany),
        "{}",
        order.why
    );
    assert!(
        order
            .why
            .contains("more than 2 order ids in an hour from one visit"),
        "{}",
        order.why
    );
    assert!(stands(&front, Alarm::IdEnumeration));
    // The honest shopper is given that id afterwards.
    looks(&front, &front.click(), 3, "203.0.113.8");
    let told = front.calls(3);
    assert!(
        told.iter()
            .any(|call| call.target.ends_with("adv_unique1=3"))
    );
    let both = orders(&front, "3");
    assert_eq!(
        (both[0].0.as_str(), &both[0].1.standing),
        ("test", &Standing::Credited)
    );
    assert_eq!(both.len(), 2);
}

#[test]
fn whoever_was_too_many_has_that_order_when_he_looks_again_and_it_is_told_once() {
    let mut front = front("guard: { ids_per_visit: 1 }\n");
    let ours = front.click();
    let theirs = cookie(&front.ask(get("/?affiliate_id=7", ""))).unwrap();
    for id in [1, 2] {
        looks(&front, &ours, id, "203.0.113.7");
    }
    front.settled("1", State::Accepted);
    // What the guard has seen is forgotten, as it is after an hour.
    front.restart();
    looks(&front, &ours, 2, "203.0.113.7");
    let [(namespace, order)] = &orders(&front, "2")[..] else {
        panic!("one order, aside")
    };
    assert_eq!(namespace, "test.aside");
    assert_eq!(order.standing, Standing::Held(Doubt::TooMany));
    let seen = front.story("2").unwrap().seen;
    assert_eq!(seen, 2, "{}", order.why);
    // It was somebody else's: he is told of, and the one aside is still to be looked at.
    looks(&front, &theirs, 2, "203.0.113.8");
    front.calls(2);
    let both = orders(&front, "2");
    let standings: Vec<_> = both.iter().map(|(_, order)| &order.standing).collect();
    let held = Standing::Held(Doubt::TooMany);
    assert_eq!(standings, [&Standing::Credited, &held]);
    // The buyer of the first one is too many by now: it is no other order.
    looks(&front, &ours, 3, "203.0.113.7");
    looks(&front, &ours, 1, "203.0.113.7");
    assert_eq!(orders(&front, "1").len(), 1);
}

#[test]
fn an_address_that_tries_ids_is_held_whatever_cookie_it_shows() {
    let front = front("guard: { ids_per_address: 2 }\n");
    for id in 1..=3 {
        looks(&front, &front.click(), id, "203.0.113.7");
    }
    let third = &orders(&front, "3")[0].1;
    assert_eq!(
        third.standing,
        Standing::Held(Doubt::TooMany),
        "{}",
        third.why
    );
    looks(&front, &front.click(), 4, "203.0.113.8");
    front.settled("4", State::Accepted);
}

#[test]
fn of_those_who_pass_the_checkout_more_may_share_an_address() {
    let front = front("guard: { ids_per_address: 1, buyers_per_address: 2 }\n");
    // Others at that address came without a link, and are too many.
    for id in 11..=13 {
        looks(&front, "none=1", id, "203.0.113.7");
    }
    for id in 1..=3 {
        let clicked = front.click();
        let step = front.ask(get("/cart", &format!("Cookie: {clicked}\r\n")));
        let cookie = cookie(&step).expect("a step");
        looks(&front, &cookie, id, "203.0.113.7");
    }
    front.settled("1", State::Accepted);
    front.settled("2", State::Accepted);
    let third = &orders(&front, "3")[0];
    assert_eq!(third.0, "test.aside");
    assert!(
        third
            .1
            .why
            .contains("more than 2 order ids in an hour from the buyers at one address"),
        "{}",
        third.1.why
    );
}

#[test]
fn a_visit_in_many_networks_is_held() {
    let front = front("guard: { networks_per_visit: 2 }\n");
    let cached = front.click();
    for (id, address) in [(1, "203.0.113.7"), (2, "192.0.2.7"), (3, "198.51.100.7")] {
        looks(&front, &cached, id, address);
    }
    front.settled("2", State::Accepted);
    let third = &orders(&front, "3")[0];
    assert_eq!(third.0, "test", "it is an order");
    assert_eq!(
        third.1.standing,
        Standing::Held(Doubt::ManyNetworks),
        "{}",
        third.1.why
    );
    assert!(stands(&front, Alarm::VisitShared));
}

#[test]
fn partners_and_addresses_that_are_blocked_are_held_at_the_order() {
    let networks = "guard: { blocked: [198.51.100.0/24] }\n\
        networks:\n  aspire:\n    click: { affiliate_id: '[0-9]{1,12}' }\n    \
        postback: http://NETWORK/aff_lsr?offer_id=1&aff_id=AFFILIATE_ID&amount=AMOUNT&adv_unique1=ORDER_ID\n    \
        currency: USD\n    blocked: ['666']\n    answers: [{ status: 200, body: success=true, means: accepted }]\n";
    let front = front(networks);
    let blocked = front.ask(get("/?affiliate_id=666", ""));
    let blocked = &cookie(&blocked).expect("it is a click all the same");
    let honest = front.click();
    looks(&front, &honest, 1, "203.0.113.7");
    looks(&front, blocked, 2, "203.0.113.7");
    looks(&front, &front.click(), 3, "198.51.100.7");
    front.settled("1", State::Accepted);
    for (id, words) in [
        ("2", "666 is blocked at aspire"),
        ("3", "198.51.100.0/24, which is blocked"),
    ] {
        let order = &orders(&front, id)[0].1;
        assert_eq!(
            order.standing,
            Standing::Held(Doubt::Blocked),
            "{}",
            order.why
        );
        assert!(order.why.contains(words), "{}", order.why);
    }
}
