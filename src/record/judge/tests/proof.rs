//! What proves that a visit bought, and which clicks wait.

use super::*;

fn proven_by(visit: Option<Time>, evidence: &Evidence, id: &str) -> Order {
    let mut sighting = sighting(Some(("25", "USD")), vec![click("aspire", 1)]);
    sighting.visit.as_mut().unwrap().checkout = visit;
    sighting.key.id = id.parse().unwrap();
    let settings = settings(Attribution::LastClick, Mode::Live);
    judge(sighting, (None, evidence), &store("USD"), &settings, NOW).order
}

#[test]
fn what_proves_that_a_visit_bought_and_what_does_not() {
    let evidence = |first_view, floor: Option<&str>, trusted| Evidence {
        first_view,
        floor: floor.map(|floor| floor.parse().unwrap()),
        trusted,
        shopper: Vec::new(),
        suspicion: None,
    };
    let hours = |hours: u32| Some(NOW.minus(Duration::from_secs(3600) * hours));
    let step = |hours_ago| hours(hours_ago).map(Proof::Checkout);
    let nothing = || evidence(false, None, false);
    let table = [
        (hours(0), nothing(), step(0)),
        (hours(23), nothing(), step(23)),
        // The click was a day ago.
        (hours(25), nothing(), None),
        (None, nothing(), None),
        (None, evidence(true, None, false), Some(Proof::FirstView)),
        (
            None,
            evidence(false, Some("1000"), false),
            Some(Proof::AboveFloor),
        ),
        (None, evidence(false, None, true), Some(Proof::Trusted)),
        (hours(1), evidence(true, Some("1000"), true), step(1)),
    ];
    for (at, evidence, proof) in table {
        let order = proven_by(at, &evidence, "1001");
        let expected = match proof {
            Some(_) => Standing::Credited,
            None => Standing::Held(Doubt::Unproven),
        };
        assert_eq!(order.standing, expected, "{at:?} {evidence:?}");
        assert_eq!(order.proof, proof);
        assert!(order.click.is_some(), "whose it would be stays known");
        let words = proof.map_or_else(|| "no checkout seen".to_owned(), |it| it.to_string());
        assert!(order.why.contains(&words), "{}", order.why);
    }
    for id in ["1000", "7"] {
        let old = proven_by(hours(1), &evidence(true, Some("1000"), true), id);
        assert_eq!((old.standing, old.click), (Standing::Organic, None));
        assert!(
            old.why.contains("older than the installation"),
            "{}",
            old.why
        );
    }
    let other = proven_by(None, &evidence(false, Some("1000"), false), "R1001");
    assert_eq!(other.standing, Standing::Held(Doubt::Unproven));
}

#[test]
fn a_click_too_young_is_held_whatever_proves_it() {
    let judged = |seconds: u64| {
        let mut young = click("aspire", 0);
        young.at = NOW.minus(Duration::from_secs(seconds));
        judged(Some(("25", "USD")), vec![young], None)
    };
    for (seconds, doubt) in [(0, true), (9, true), (10, false), (11, false)] {
        let candidate = judged(seconds);
        let expected = doubt.then_some(Doubt::TooYoung);
        assert_eq!(doubt_of(&candidate), expected, "{seconds}");
        assert_eq!(candidate.order.proof.is_none(), doubt);
    }
}

#[test]
fn a_doubt_about_the_click_adds_to_others_and_is_more_than_a_shadow() {
    let of = |amount: &str, mode| {
        let mut sighting = sighting(Some((amount, "USD")), vec![click("aspire", 1)]);
        sighting.visit.as_mut().unwrap().checkout = None;
        let settings = settings(Attribution::LastClick, mode);
        judge(
            sighting,
            (None, &Evidence::default()),
            &store("USD"),
            &settings,
            NOW,
        )
    };
    assert_eq!(doubt_of(&of("25", Mode::Shadow)), Some(Doubt::Unproven));
    let dear = of("6000", Mode::Live);
    assert_eq!(doubt_of(&dear), Some(Doubt::OverMaxAmount));
    let words = &dear.postbacks[0].held.as_ref().unwrap().1;
    assert!(
        words.contains("max_amount") && words.contains("no checkout seen"),
        "{words}"
    );
}
