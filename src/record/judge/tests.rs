//! The judgement as tables: what is read and carried → where the order stands.

use std::collections::HashMap;
use std::time::Duration;

use super::*;
use crate::click::Came;
use crate::order::{Field, FoundBy, OrderKey, Proof, Timing};
use crate::store::{Protocol, Scheme, Upstream};
use crate::visit::{Attribution, Visit, VisitId};

mod proof;

const NOW: Time = Time::from_millis(1_795_392_000_000);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn store(currency: &str) -> Store {
    Store {
        name: "us".parse().unwrap(),
        hosts: vec!["store-us.localhost".to_owned()],
        scheme: Scheme::Http,
        upstreams: Upstream {
            host: "127.0.0.1".to_owned(),
            port: 8081,
            tls: None,
            protocol: Protocol::default(),
        }
        .into(),
        currency: currency.parse().unwrap(),
        number_format: "1,234.56".parse().unwrap(),
        max_amount: "5000".parse().unwrap(),
        consent: crate::consent::Consent::NotNeeded,
        orders: "demo".parse().unwrap(),
        group: Default::default(),
        scope: Default::default(),
        traffic: std::sync::Arc::default(),
    }
}

fn settings(attribution: Attribution, mode: Mode) -> Settings {
    let rates = [("CAD".parse().unwrap(), "0.73".parse().unwrap())].into();
    let usd = Destination {
        currency: "USD".parse().unwrap(),
        rates,
        mode,
        timing: Timing::default(),
        blocked: Vec::new(),
    };
    let aspire = "aspire".parse().unwrap();
    let other = "other".parse().unwrap();
    Settings {
        hold: Duration::from_millis(500),
        spool: "spool".into(),
        window: DAY * 30,
        attribution,
        min_click_age: Duration::from_secs(10),
        checkouts: HashMap::new(),
        shoppers: HashMap::new(),
        returns: HashMap::new(),
        destinations: [(aspire, usd.clone()), (other, usd)].into(),
        webhooks: Vec::new(),
        guard: Default::default(),
    }
}

fn click(network: &str, days_ago: u32) -> Click {
    let values = [("affiliate_id".to_owned(), "123456".to_owned())].into();
    Click {
        network: network.parse().unwrap(),
        values,
        at: NOW.minus(DAY * days_ago),
        came: Came::default(),
    }
}

fn sighting(amount: Option<(&str, &str)>, clicks: Vec<Click>) -> Sighting {
    let money = |(amount, currency): (&str, &str)| Money {
        amount: amount.parse().unwrap(),
        currency: currency.parse().unwrap(),
    };
    let visit = Visit {
        id: VisitId(7),
        clicks,
        checkout: Some(NOW),
    };
    Sighting {
        at: NOW,
        store: "us".parse().unwrap(),
        rule: "thank-you".parse().unwrap(),
        request: "GET /thank-you/1001".to_owned(),
        key: OrderKey {
            namespace: "demo".parse().unwrap(),
            id: "1001".parse().unwrap(),
        },
        aliases: Vec::new(),
        fields: vec![Field {
            name: "order_id".to_owned(),
            text: "1001".to_owned(),
            origin: "css #order".to_owned(),
        }],
        amount: amount.map(money),
        working: Some("total - tax".to_owned()),
        faults: vec!["tax: nothing there".to_owned()],
        visit: (!visit.clicks.is_empty()).then_some(visit),
        found_by: FoundBy::default(),
    }
}

fn judged(amount: Option<(&str, &str)>, clicks: Vec<Click>, doubt: Option<Doubt>) -> Candidate {
    let currency = if matches!(amount, Some((_, "CAD"))) {
        "CAD"
    } else {
        "USD"
    };
    let settings = settings(Attribution::LastClick, Mode::Live);
    judge(
        sighting(amount, clicks),
        (doubt, &Evidence::default()),
        &store(currency),
        &settings,
        NOW,
    )
}

fn doubt_of(candidate: &Candidate) -> Option<Doubt> {
    match candidate.order.standing {
        Standing::Held(doubt) => Some(doubt),
        Standing::Credited | Standing::Organic => None,
    }
}

#[test]
fn an_order_with_a_click_is_credited_and_told() {
    let candidate = judged(Some(("25", "USD")), vec![click("aspire", 1)], None);
    assert_eq!(candidate.order.standing, Standing::Credited);
    let [postback] = candidate.postbacks.as_slice() else {
        panic!("{candidate:?}")
    };
    assert_eq!(postback.destination.as_str(), "aspire");
    assert_eq!(postback.amount.unwrap().plain(), "25.00");
    assert_eq!(postback.held, None);
    assert!(
        candidate.order.why.contains("affiliate_id=123456"),
        "{}",
        candidate.order.why
    );
}

#[test]
fn the_last_or_the_first_click_within_the_window_is_credited() {
    let owed = |clicks: &[(&str, u32)], attribution| {
        let clicks = clicks
            .iter()
            .map(|&(network, days)| click(network, days))
            .collect();
        let settings = settings(attribution, Mode::Live);
        let sighting = sighting(Some(("25", "USD")), clicks);
        let order = judge(
            sighting,
            (None, &Evidence::default()),
            &store("USD"),
            &settings,
            NOW,
        )
        .order;
        order.click.map(|click| click.network.to_string())
    };
    let (first, last) = (Attribution::FirstClick, Attribution::LastClick);
    let both = [("aspire", 20), ("other", 1)];
    assert_eq!(owed(&both, last).as_deref(), Some("other"));
    assert_eq!(owed(&both, first).as_deref(), Some("aspire"));
    assert_eq!(
        owed(&[("aspire", 31), ("other", 30)], first).as_deref(),
        Some("other")
    );
    assert_eq!(owed(&[("aspire", 31)], last), None);
    assert_eq!(
        owed(&[("aspire", 5), ("gone", 1)], last).as_deref(),
        Some("aspire")
    );
}

#[test]
fn an_order_without_a_click_is_organic_and_nobody_is_told() {
    for clicks in [vec![], vec![click("aspire", 31)], vec![click("gone", 1)]] {
        let candidate = judged(Some(("25", "USD")), clicks, None);
        assert_eq!(candidate.order.standing, Standing::Organic, "{candidate:?}");
        assert_eq!(candidate.order.visit, None, "nobody's visit bought it");
        assert!(candidate.postbacks.is_empty());
        assert_eq!(candidate.quotes.len(), 2);
    }
}

#[test]
fn what_is_in_doubt_is_held_and_its_postback_too() {
    let table = [
        (Some(("25", "USD")), Some(Doubt::Differs), Doubt::Differs),
        (
            Some(("25", "USD")),
            Some(Doubt::CurrencyContradicts),
            Doubt::CurrencyContradicts,
        ),
        (Some(("25", "EUR")), None, Doubt::CurrencyContradicts),
        (None, Some(Doubt::Unreadable), Doubt::Unreadable),
        (None, None, Doubt::Unreadable),
        (Some(("5000.01", "USD")), None, Doubt::OverMaxAmount),
        (Some(("0", "USD")), None, Doubt::NotPositive),
        (Some(("0.004", "USD")), None, Doubt::NotPositive),
        (Some(("-3", "USD")), None, Doubt::NotPositive),
        (Some(("0.001", "CAD")), None, Doubt::NotPositive),
    ];
    for (amount, doubt, held) in table {
        let candidate = judged(amount, vec![click("aspire", 1)], doubt);
        assert_eq!(doubt_of(&candidate), Some(held), "{amount:?}");
        let [postback] = candidate.postbacks.as_slice() else {
            panic!("{candidate:?}")
        };
        assert_eq!(
            postback.held.as_ref().map(|held| held.0),
            Some(held),
            "{amount:?}"
        );
        assert!(!postback.held.as_ref().unwrap().1.is_empty());
    }
    let at_the_limit = judged(Some(("5000", "USD")), vec![click("aspire", 1)], None);
    assert_eq!(doubt_of(&at_the_limit), None);
}

#[test]
fn a_doubt_about_what_was_read_holds_an_order_that_nobody_is_owed() {
    assert_eq!(
        doubt_of(&judged(None, vec![], None)),
        Some(Doubt::Unreadable)
    );
    assert_eq!(
        doubt_of(&judged(Some(("6000", "USD")), vec![], None)),
        None,
        "nobody's loss"
    );
}

#[test]
fn another_currency_is_converted_at_the_rate_or_held() {
    let candidate = judged(Some(("125", "CAD")), vec![click("aspire", 1)], None);
    let [postback] = candidate.postbacks.as_slice() else {
        panic!("{candidate:?}")
    };
    assert_eq!(postback.amount.unwrap().to_string(), "91.25 USD");
    assert_eq!(candidate.order.amount.unwrap().to_string(), "125.00 CAD");
    let working = candidate.order.working.unwrap();
    assert_eq!(working, "total - tax; 125.00 CAD × 0.73 = 91.25 USD");

    let candidate = judge(
        sighting(Some(("125", "EUR")), vec![click("aspire", 1)]),
        (None, &Evidence::default()),
        &store("EUR"),
        &settings(Attribution::LastClick, Mode::Live),
        NOW,
    );
    assert_eq!(doubt_of(&candidate), Some(Doubt::NoRate));
    assert_eq!(candidate.postbacks[0].amount, None);
    let largest = Decimal::MAX.to_string();
    let huge = judged(Some((&largest, "CAD")), vec![click("aspire", 1)], None);
    assert_eq!(doubt_of(&huge), Some(Doubt::OverMaxAmount));
}

#[test]
fn in_shadow_it_is_credited_and_the_postback_held() {
    let settings = settings(Attribution::LastClick, Mode::Shadow);
    let sighting = sighting(Some(("25", "USD")), vec![click("aspire", 1)]);
    let candidate = judge(
        sighting,
        (None, &Evidence::default()),
        &store("USD"),
        &settings,
        NOW,
    );
    assert_eq!(candidate.order.standing, Standing::Credited);
    assert_eq!(
        candidate.postbacks[0].held.as_ref().unwrap().0,
        Doubt::Shadow
    );
}

#[test]
fn with_all_each_network_is_owed_it_and_waits_for_its_own_reasons_only() {
    let mut settings = settings(Attribution::All, Mode::Live);
    let judged = |settings: &Settings, amount, clicks| {
        let store = store(if matches!(amount, Some((_, "CAD"))) {
            "CAD"
        } else {
            "USD"
        });
        judge(
            sighting(amount, clicks),
            (None, &Evidence::default()),
            &store,
            settings,
            NOW,
        )
    };
    let both = || vec![click("aspire", 5), click("gone", 3), click("other", 1)];
    let candidate = judged(&settings, Some(("125", "CAD")), both());
    let told: Vec<&str> = candidate
        .postbacks
        .iter()
        .map(|it| it.destination.as_str())
        .collect();
    assert_eq!(told, ["other", "aspire"]);
    let order = &candidate.order;
    assert_eq!(order.click.as_ref().unwrap().network.as_str(), "other");
    let working = order.working.as_deref();
    assert_eq!(working, Some("total - tax; 125.00 CAD × 0.73 = 91.25 USD"));

    let other = "other".parse().unwrap();
    settings.destinations.get_mut(&other).unwrap().rates.clear();
    let candidate = judged(&settings, Some(("125", "CAD")), both());
    assert_eq!(candidate.order.standing, Standing::Credited);
    assert!(
        candidate.order.why.contains("no rate from CAD"),
        "{}",
        candidate.order.why
    );
    let held = candidate.postbacks.iter().map(|it| it.held.is_some());
    assert_eq!(held.collect::<Vec<_>>(), [true, false]);
    // Nobody else is owed it.
    let alone = judged(&settings, Some(("125", "CAD")), vec![click("other", 1)]);
    assert_eq!(doubt_of(&alone), Some(Doubt::NoRate));
    // What is wrong with its worth holds it for everybody.
    let dear = judged(&settings, Some(("6000", "USD")), both());
    assert_eq!(doubt_of(&dear), Some(Doubt::OverMaxAmount));
    assert!(dear.postbacks.iter().all(|it| it.held.is_some()));
}
