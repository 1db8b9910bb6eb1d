//! Who is asked, after whatever has happened.

use proptest::prelude::*;

use super::super::Protocol;
use super::*;

fn upstreams(count: u16, balance: Balance) -> Upstreams {
    let upstream = |port| Upstream {
        host: "127.0.0.1".to_owned(),
        port,
        tls: None,
        protocol: Protocol::default(),
    };
    let plan = Plan {
        balance,
        ..Plan::default()
    };
    Upstreams::new((0..count).map(upstream), plan)
}

/// The port of who is asked, after those.
fn next(upstreams: &Upstreams, tried: &mut Tried, now: Instant) -> Option<u16> {
    let member = upstreams.next(tried, || now);
    member.map(|member| member.upstream.port)
}

/// The ports of who is asked by so many requests, one after the other.
fn asked(upstreams: &Upstreams, requests: usize, now: Instant) -> Vec<u16> {
    let asks = (0..requests).filter_map(|_| next(upstreams, &mut Tried::default(), now));
    asks.collect()
}

/// Fails until it rests; how long.
fn send_to_rest(upstreams: &Upstreams, number: usize, now: Instant) -> Duration {
    let mut rests = (0..3).filter_map(|_| upstreams.members()[number].failed(now));
    rests.next().unwrap()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn each_is_asked_in_turn() {
    let (upstreams, now) = (upstreams(3, Balance::RoundRobin), Instant::now());
    assert_eq!(asked(&upstreams, 7, now), [0, 1, 2, 0, 1, 2, 0]);
    send_to_rest(&upstreams, 1, now);
    let mut asked = asked(&upstreams, 6, now);
    asked.sort_unstable();
    assert_eq!(asked, [0, 0, 0, 2, 2, 2]);
}

#[test]
fn the_least_busy_is_asked() {
    let (upstreams, now) = (upstreams(3, Balance::LeastBusy), Instant::now());
    let occupy = |number: usize| upstreams.occupy(&upstreams.members()[number]).unwrap();
    let busy = [occupy(0), occupy(0), occupy(1)];
    assert_eq!(asked(&upstreams, 3, now), [2, 2, 2]);
    let more = [occupy(2), occupy(2)];
    assert_eq!(asked(&upstreams, 3, now), [1, 1, 1]);
    drop((busy, more));
    let mut asked = asked(&upstreams, 3, now);
    asked.sort_unstable();
    assert_eq!(asked, [0, 1, 2], "equally busy ones are asked in turn");
}

#[test]
fn one_alone_is_asked_whatever_happened_but_only_once() {
    let (upstreams, now) = (upstreams(1, Balance::LeastBusy), Instant::now());
    for _ in 0..10 {
        upstreams.members()[0].failed(now);
    }
    let mut tried = Tried::default();
    assert_eq!(next(&upstreams, &mut tried, now), Some(0));
    assert_eq!(next(&upstreams, &mut tried, now), None);
    assert!(upstreams.occupy(&upstreams.members()[0]).is_none());
    upstreams.members()[0].set_up(false);
    assert_eq!(next(&upstreams, &mut Tried::default(), now), None);
}

#[test]
fn a_request_tries_each_once() {
    let (upstreams, now) = (upstreams(64, Balance::RoundRobin), Instant::now());
    let mut tried = Tried::default();
    let mut asked: Vec<u16> = std::iter::from_fn(|| next(&upstreams, &mut tried, now)).collect();
    asked.sort_unstable();
    assert_eq!(asked, (0..64).collect::<Vec<_>>());
}

#[test]
fn one_that_failed_thrice_rests_ever_longer_and_is_tried_by_one_request() {
    let (upstreams, start) = (upstreams(2, Balance::RoundRobin), Instant::now());
    let member = &upstreams.members()[0];
    assert_eq!(member.failed(start), None);
    assert_eq!(member.failed(start), None);
    assert!(
        asked(&upstreams, 2, start).contains(&0),
        "two are not three"
    );
    let mut now = start;
    for rest in [5, 10, 20, 40, 80, 160, 300, 300] {
        assert_eq!(member.failed(now), Some(seconds(rest)));
        assert_eq!(member.failed(now), None, "begun before it rested");
        assert_eq!(member.state(now), State::Resting);
        assert_eq!(upstreams.patience(now), seconds(rest.min(30)));
        now += seconds(rest) - Duration::from_millis(1);
        assert_eq!(asked(&upstreams, 2, now), [1, 1]);
        now += Duration::from_millis(1);
        assert_eq!(member.state(now), State::Up);
        let mut asked = asked(&upstreams, 4, now);
        asked.sort_unstable();
        assert_eq!(asked, [0, 1, 1, 1], "one request tries it");
    }
    member.connected();
    assert_eq!(upstreams.patience(now), A_WHILE);
    assert_eq!(member.failed(now), None, "begins anew");
}

#[test]
fn a_trial_of_which_nothing_is_heard_is_made_again() {
    let (upstreams, start) = (upstreams(2, Balance::RoundRobin), Instant::now());
    send_to_rest(&upstreams, 0, start);
    let now = start + seconds(5);
    assert!(asked(&upstreams, 2, now).contains(&0));
    assert_eq!(asked(&upstreams, 2, now + seconds(9)), [1, 1]);
    assert!(asked(&upstreams, 2, now + seconds(10)).contains(&0));
}

#[test]
fn where_all_rest_the_one_whose_time_ends_first_is_asked() {
    let (upstreams, now) = (upstreams(3, Balance::RoundRobin), Instant::now());
    for (number, delay) in [(0, 2), (1, 1), (2, 3)] {
        send_to_rest(&upstreams, number, now + seconds(delay));
    }
    let now = now + seconds(4);
    assert_eq!(asked(&upstreams, 3, now), [1, 1, 1]);
    // But it is the only one: the others are known to fail.
    let mut tried = Tried::default();
    assert_eq!(next(&upstreams, &mut tried, now), Some(1));
    assert_eq!(next(&upstreams, &mut tried, now), None);
    upstreams.members()[1].connected();
    assert_eq!(asked(&upstreams, 3, now), [1, 1, 1]);
}

#[test]
fn one_that_is_down_is_never_asked() {
    let (upstreams, now) = (upstreams(2, Balance::RoundRobin), Instant::now());
    upstreams.members()[0].set_up(false);
    assert_eq!(upstreams.members()[0].state(now), State::Down);
    send_to_rest(&upstreams, 1, now);
    assert_eq!(asked(&upstreams, 2, now), [1, 1]);
    upstreams.members()[1].set_up(false);
    assert_eq!(asked(&upstreams, 2, now), [0; 0]);
    upstreams.members()[1].set_up(true);
    assert_eq!(
        upstreams.members()[1].state(now),
        State::Up,
        "its rest is over too"
    );
    assert_eq!(asked(&upstreams, 2, now), [1, 1]);
}

#[test]
fn what_is_known_stays_known() {
    let (before, now) = (upstreams(2, Balance::RoundRobin), Instant::now());
    send_to_rest(&before, 1, now);
    before.members()[0].set_up(false);
    let states = |plan: Plan| -> Vec<State> {
        let ports = before.members().iter().map(|one| one.upstream.port);
        let upstream = |port| Upstream {
            host: "127.0.0.1".to_owned(),
            port,
            tls: None,
            protocol: Protocol::default(),
        };
        let after = Upstreams::new(ports.chain([9]).map(upstream), plan).after(&before);
        after.members().iter().map(|one| one.state(now)).collect()
    };
    let health = Health {
        path: "/".to_owned(),
        every: seconds(5),
        timeout: seconds(2),
        status: 200,
        falls: 3,
        rises: 2,
    };
    let checked = Plan {
        health: Some(health),
        ..Plan::default()
    };
    assert_eq!(states(checked), [State::Down, State::Resting, State::Up]);
    let unchecked = states(Plan::default());
    assert_eq!(unchecked, [State::Up, State::Resting, State::Up]);
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Ask,
    Connect(usize),
    Fail(usize),
    SetUp(usize, bool),
    Wait(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        Just(Deed::Ask),
        (0..4_usize).prop_map(Deed::Connect),
        (0..4_usize).prop_map(Deed::Fail),
        (0..4_usize, any::<bool>()).prop_map(|(number, up)| Deed::SetUp(number, up)),
        (0..400_u64).prop_map(Deed::Wait),
    ]
}

proptest! {
    #[test]
    fn somebody_is_asked_unless_all_are_down(deeds in prop::collection::vec(deed(), 1..60)) {
        let (upstreams, mut now) = (upstreams(4, Balance::RoundRobin), Instant::now());
        for deed in deeds {
            match deed {
                Deed::Connect(number) => upstreams.members()[number].connected(),
                Deed::Fail(number) => drop(upstreams.members()[number].failed(now)),
                Deed::SetUp(number, up) => upstreams.members()[number].set_up(up),
                Deed::Wait(time) => now += seconds(time),
                Deed::Ask => {
                    let states: Vec<_> = upstreams.members().iter().map(|one| one.state(now)).collect();
                    let mut tried = Tried::default();
                    let asked = upstreams.next(&mut tried, || now).map(|one| one.upstream.port);
                    let some_up = states.contains(&State::Up);
                    let all_down = states.iter().all(|state| *state == State::Down);
                    prop_assert_eq!(asked.is_none(), all_down);
                    if let Some(asked) = asked {
                        let state = states[usize::from(asked)];
                        prop_assert!(state == State::Up || (!some_up && state == State::Resting));
                    }
                }
            }
        }
    }
}
