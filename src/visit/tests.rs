//! A visit: what it takes in, and what it is credited by.

use super::*;
use crate::click::Came;

const DAY: u64 = 86_400;

fn click(network: &str, id: &str, day: i64) -> Click {
    Click {
        network: network.parse().unwrap(),
        values: [("id".to_owned(), id.to_owned())].into(),
        at: Time::from_millis(day * 86_400_000),
        came: Came::default(),
    }
}

fn visit(clicks: &[Click]) -> Visit {
    Visit {
        id: VisitId(7),
        clicks: clicks.to_vec(),
        checkout: None,
    }
}

#[test]
fn the_last_or_the_first_live_click_is_credited() {
    let visit = visit(&[click("a", "1", 0), click("b", "2", 5)]);
    let window = Duration::from_secs(30 * DAY);
    let credited = |attribution, day: i64| {
        let now = Time::from_millis(day * 86_400_000);
        let click = visit.credited(attribution, window, now)?;
        Some(click.network.as_str().to_owned())
    };
    assert_eq!(credited(Attribution::LastClick, 10).as_deref(), Some("b"));
    assert_eq!(credited(Attribution::FirstClick, 10).as_deref(), Some("a"));
    assert_eq!(credited(Attribution::FirstClick, 30).as_deref(), Some("a"));
    assert_eq!(credited(Attribution::FirstClick, 31).as_deref(), Some("b"));
    assert_eq!(credited(Attribution::LastClick, 36), None);
}

#[test]
fn a_click_from_the_future_counts_only_within_the_skew() {
    let now = Time::from_millis(86_400_000);
    let window = Duration::from_secs(30 * DAY);
    for (ahead, counts) in [
        (Duration::ZERO, true),
        (SKEW, true),
        (SKEW + Duration::from_millis(1), false),
        (Duration::MAX, false),
    ] {
        let mut visit = visit(&[click("a", "1", 0)]);
        visit.clicks[0].at = now.plus(ahead);
        let credited = visit.credited(Attribution::LastClick, window, now);
        assert_eq!(credited.is_some(), counts, "{ahead:?}");
        assert_eq!(visit.within(window, now).is_some(), counts, "{ahead:?}");
    }
}

#[test]
fn under_all_every_networks_newest_live_click_is_owed() {
    let clicks = [
        click("a", "1", 0),
        click("b", "2", 5),
        click("c", "3", 5),
        click("b", "4", 6),
    ];
    let visit = visit(&clicks);
    let owed = |attribution, day: i64| {
        let (window, now) = (
            Duration::from_secs(30 * DAY),
            Time::from_millis(day * 86_400_000),
        );
        let owed = visit.owed(attribution, window, now).into_iter();
        owed.map(|click| click.values["id"].as_str())
            .collect::<String>()
    };
    assert_eq!(owed(Attribution::All, 10), "431");
    assert_eq!(owed(Attribution::All, 31), "43", "one is too old");
    assert_eq!(owed(Attribution::All, 40), "");
    assert_eq!(owed(Attribution::LastClick, 10), "4");
    assert_eq!(owed(Attribution::FirstClick, 10), "1");
}

#[test]
fn of_clicks_of_one_millisecond_the_later_in_their_order_is_the_last() {
    let visit = visit(&[click("a", "1", 5), click("b", "2", 5)]);
    let (window, now) = (Duration::from_secs(DAY), Time::from_millis(5 * 86_400_000));
    let credited = |attribution| {
        let click = visit.credited(attribution, window, now).unwrap();
        let owed = visit.owed(attribution, window, now);
        assert_eq!(owed[0], click);
        (click.network.as_str(), owed.len())
    };
    assert_eq!(credited(Attribution::LastClick), ("b", 1));
    assert_eq!(credited(Attribution::FirstClick), ("a", 1));
    assert_eq!(credited(Attribution::All), ("b", 2));
}

#[test]
fn the_same_values_move_the_time_only_from_another_site() {
    let old = visit(&[click("a", "1", 0)]);
    let (last, first) = (Attribution::LastClick, Attribution::FirstClick);
    for (values, arrival, identifies, attribution, day) in [
        ("1", Arrival::Other, Identifies::Partner, last, 0),
        ("1", Arrival::CrossSite, Identifies::Partner, last, 9),
        ("2", Arrival::Reload, Identifies::Partner, last, 0),
        ("1", Arrival::CrossSite, Identifies::Click, last, 0),
        ("1", Arrival::CrossSite, Identifies::Partner, first, 0),
        ("2", Arrival::Other, Identifies::Partner, last, 9),
        ("2", Arrival::Other, Identifies::Click, last, 9),
        ("2", Arrival::CrossSite, Identifies::Partner, first, 0),
        (
            "2",
            Arrival::CrossSite,
            Identifies::Partner,
            Attribution::All,
            9,
        ),
    ] {
        let mut visit = old.clone();
        let changed = visit.take(click("a", values, 9), arrival, identifies, attribution);
        let expected = Time::from_millis(day * 86_400_000);
        let case = format!("{values} {arrival:?} {identifies:?} {attribution:?}");
        assert_eq!(visit.clicks[0].at, expected, "{case}");
        assert_eq!((visit.clicks.len(), changed), (1, day == 9), "{case}");
    }
}

#[test]
fn another_stores_click_keeps_its_time_and_wins_by_it() {
    let (last, first) = (Attribution::LastClick, Attribution::FirstClick);
    let (known, newer) = (click("a", "1", 5), click("a", "2", 6));
    let (older, other) = (click("a", "2", 4), click("b", "2", 4));
    for (adopted, attribution, somebody_elses, expected) in [
        (&newer, last, false, vec![&newer]),
        (&newer, last, true, vec![&newer]),
        (&older, last, false, vec![&known]),
        (&known, last, false, vec![&known]),
        (&other, last, true, vec![&other, &known]),
        (&newer, first, false, vec![&known]),
        (&older, first, false, vec![&older]),
        (&other, first, false, vec![&other, &known]),
        (&older, first, true, vec![&known]),
        (&other, first, true, vec![&known]),
    ] {
        let mut visit = visit(std::slice::from_ref(&known));
        let before = visit.clone();
        let changed = visit.adopt(
            adopted.clone(),
            attribution,
            somebody_elses,
            click("a", "1", 7).at,
        );
        let clicks: Vec<_> = visit.clicks.iter().collect();
        assert_eq!(
            clicks, expected,
            "{adopted:?} {attribution:?} {somebody_elses}"
        );
        assert_eq!(changed, visit != before);
    }
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

#[test]
fn shortly_after_a_checkout_step_nothing_takes_a_clicks_place() {
    let now = click("a", "2", 9).at;
    for (before, taken) in [
        (minutes(0), false),
        (minutes(29), false),
        (minutes(30), true),
        (minutes(600), true),
    ] {
        for (network, id) in [("a", "2"), ("a", "1"), ("b", "2")] {
            let mut visit = visit(&[click("a", "1", 0)]);
            visit.checkout = Some(now.minus(before));
            let (last, cross) = (Attribution::LastClick, Arrival::CrossSite);
            let new = click(network, id, 9);
            let mut other = visit.clone();
            let took = visit.take(new.clone(), cross, Identifies::Partner, last);
            assert_eq!(took, taken, "{network} {id} {before:?}");
            let adopted = other.adopt(new, last, false, now);
            assert_eq!(adopted, taken, "{network} {id} {before:?}");
        }
    }
    let mut free = visit(&[click("a", "1", 0)]);
    // A clock that was put back guards nobody for ever.
    free.checkout = Some(now.plus(SKEW + minutes(1)));
    let new = click("a", "2", 9);
    let arrival = Arrival::CrossSite;
    assert!(free.take(new, arrival, Identifies::Partner, Attribution::LastClick));
}

#[test]
fn a_step_is_noted_once_in_a_while_and_after_every_click() {
    let now = click("a", "1", 9).at;
    let of = |clicks: &[Click], step: Option<Duration>| {
        let mut visit = visit(clicks);
        visit.checkout = step.map(|before| now.minus(before));
        let noted = visit.step(now);
        assert_eq!(
            noted,
            visit.checkout == Some(now) && step != Some(minutes(0))
        );
        noted
    };
    let old = [click("a", "1", 0)];
    assert!(of(&old, None));
    assert!(!of(&old, Some(minutes(0))));
    assert!(!of(&old, Some(minutes(4))));
    assert!(of(&old, Some(minutes(5))));
    let mut newer = click("b", "1", 9);
    newer.at = now.minus(minutes(1));
    let two = [old[0].clone(), newer];
    assert!(of(&two, Some(minutes(2))), "the step was before the click");
    assert!(of(&[click("a", "1", 9)], None), "in the same millisecond");
}

#[test]
fn a_step_proves_what_came_before_it_for_a_day() {
    let clicked = click("a", "1", 9);
    let hour = |hours: u64| clicked.at.plus(minutes(60 * hours));
    for (step, now, proves) in [
        (Some(hour(1)), hour(1), true),
        (Some(hour(1)), hour(25), true),
        (Some(hour(1)), hour(26), false),
        (Some(hour(0)), hour(1), true),
        (Some(clicked.at.minus(minutes(1))), hour(1), false),
        (Some(hour(2)), hour(1), false),
        (None, hour(1), false),
    ] {
        let mut visit = visit(std::slice::from_ref(&clicked));
        visit.checkout = step;
        let proof = visit.step_after(&clicked, now);
        assert_eq!(proof, step.filter(|_| proves), "{step:?} {now}");
    }
}

#[test]
fn clicks_older_than_the_window_are_forgotten() {
    let window = Duration::from_secs(5 * DAY);
    let now = Time::from_millis(8 * 86_400_000);
    let left = visit(&[click("a", "1", 0), click("b", "2", 5)]).within(window, now);
    assert_eq!(left.unwrap().clicks, [click("b", "2", 5)]);
    assert_eq!(visit(&[click("a", "1", 0)]).within(window, now), None);
}

#[test]
fn how_a_click_came_makes_no_other_visit_of_it() {
    let here = visit(&[click("a", "1", 0), click("b", "2", 5)]);
    let mut there = here.clone();
    there.id = VisitId(8);
    there.clicks[1].came = Came::landed("us".parse().unwrap(), false);
    assert!(here.credits_as(&there) && there.credits_as(&here));
    let other = there.clicks.pop().unwrap();
    assert!(!here.credits_as(&there), "one of them is missing");
    there.clicks.push(Click {
        at: other.at.plus(minutes(1)),
        ..other
    });
    assert!(!here.credits_as(&there), "a newer one");
}
