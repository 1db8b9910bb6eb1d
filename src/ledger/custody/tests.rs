//! What is told from what.

use super::*;
use crate::ledger::witness::Begun;

const T: i64 = 1_795_392_000_000;

fn facts() -> Facts {
    Facts {
        ledger: "a".to_owned(),
        accepted: T,
        runs: 5,
        changes: 70,
        attempt: Some(Begun {
            id: 9,
            postback: 4,
            at: Time::from_millis(T + 500),
        }),
        order: None,
    }
}

fn seen() -> Seen {
    Seen {
        at: Time::from_millis(T + 1000),
        facts: facts(),
    }
}

fn now(change: impl FnOnce(&mut Now)) -> Now {
    let mut now = Now {
        facts: facts(),
        created: T,
        ..Now::default()
    };
    change(&mut now);
    now
}

#[test]
fn a_ledger_that_went_on_is_the_same() {
    let same = now(|now| {
        now.facts.runs += 1;
        now.facts.changes += 9;
    });
    assert_eq!(differs(&seen(), &same), None);
}

#[test]
fn another_or_an_older_one_is_told() {
    let changes: [fn(&mut Now); 6] = [
        |now| now.facts.ledger = "b".to_owned(),
        |now| now.facts.runs -= 1,
        |now| now.facts.changes -= 1,
        |now| now.attempt_gone = true,
        |now| now.order_gone = true,
        // The witness knows of an acceptance, the ledger does not.
        |now| now.facts.accepted -= 1,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert!(differs(&seen(), &now(change)).is_some(), "{number}");
    }
}

#[test]
fn who_accepts_it_accepts_it_against_what_was_seen_before() {
    let other = |now: &mut Now| {
        now.facts.ledger = "b".to_owned();
        now.attempt_gone = true;
    };
    let accepted = |at: i64, created: i64| {
        now(|now| {
            other(now);
            (now.facts.accepted, now.created) = (at, created);
        })
    };
    assert_eq!(differs(&seen(), &accepted(T + 1001, T)), None);
    // It was accepted before the witness last saw the other one.
    assert!(differs(&seen(), &accepted(T + 999, T)).is_some());
    // It is only new.
    assert!(differs(&seen(), &accepted(T + 2000, T + 2000)).is_some());
    // That acceptance was seen, and what is missing now went missing after it.
    let mut later = seen();
    later.facts.accepted = T + 1001;
    let older = now(|now| {
        (now.facts.accepted, now.created) = (T + 1001, T);
        now.attempt_gone = true;
    });
    assert!(differs(&later, &older).is_some());
}

fn whose(name: Option<&str>, hosts: &[&str]) -> Whose {
    Whose {
        name: name.map(|name| name.parse().unwrap()),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
    }
}

fn recorded(name: Option<&str>, hosts: &[&str]) -> Recorded {
    Recorded {
        name: name.map(str::to_owned),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
    }
}

#[test]
fn a_ledger_is_its_names_or_its_hosts() {
    let ours = |own: Whose, theirs: Recorded| own.is_foreign(&theirs).is_none();
    let shop = ["shop.example", "www.shop.example"];
    let staging = ["staging.example"];
    assert!(ours(whose(None, &shop), recorded(None, &[])), "a new one");
    assert!(ours(whose(None, &shop), recorded(None, &shop[..1])));
    assert!(!ours(whose(None, &staging), recorded(None, &shop)));
    assert!(ours(whose(Some("shop"), &shop), recorded(None, &shop)));
    assert!(!ours(
        whose(Some("staging"), &staging),
        recorded(None, &shop)
    ));
    assert!(ours(
        whose(Some("shop"), &staging),
        recorded(Some("shop"), &shop)
    ));
    assert!(!ours(
        whose(Some("staging"), &shop),
        recorded(Some("shop"), &shop)
    ));
    let nameless = whose(None, &shop).is_foreign(&recorded(Some("shop"), &shop));
    assert!(nameless.unwrap().contains("`name: shop`"));
}
