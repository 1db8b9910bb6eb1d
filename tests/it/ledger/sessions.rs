//! Sessions: one visit each, until their time is over.

use std::time::Duration;

use proptest::prelude::*;
use refgate::clock::Time;
use refgate::ledger::{Known, Ledger, Role, Session, Written};
use refgate::name::GroupName;
use refgate::seal::Keys;
use refgate::session::{Mark, Marker};
use refgate::visit::{Visit, VisitId};

use crate::support::sale::{NOW, click, later, open};

/// The marks of a session by the keys that these digits stand for.
pub(super) fn marks(keys: &[&str], session: u8) -> Vec<Mark> {
    let texts: Vec<String> = keys.iter().map(|pair| pair.repeat(64)).collect();
    let keys = Keys::parse(texts.iter().map(String::as_str)).unwrap();
    Marker::new(&keys, &GroupName::default(), &"main".parse().unwrap()).marks(&[session])
}

pub(super) fn visit(id: u128, clicked: Time) -> Visit {
    let mut click = click();
    click.at = clicked;
    // Two visits have different clicks, but where one store hands them over to another.
    click
        .values
        .insert("affiliate_id".to_owned(), id.to_string());
    Visit::new(VisitId(id), click)
}

pub(super) fn session(marks: Vec<Mark>, visit: Visit, at: Time) -> Session {
    let until = at.plus(MEMORY);
    Session {
        marks,
        visit,
        at,
        until,
    }
}

const MEMORY: Duration = Duration::from_secs(100);

async fn remember(ledger: &Ledger, session: Session) -> Written {
    let written = ledger.remember(vec![session]).await.unwrap();
    assert_eq!(written.len(), 1);
    written[0]
}

#[tokio::test]
async fn visits_with_the_very_same_clicks_are_one_shoppers() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let (one, here) = (marks(&["11"], 1), visit(7, NOW));
    // On another host, where the clicks were handed over.
    let there = Visit {
        id: VisitId(8),
        ..here.clone()
    };
    for visit in [&here, &there] {
        let written = remember(&ledger, session(one.clone(), visit.clone(), NOW)).await;
        assert_eq!(written, Written::Remembered);
    }
    let known = ledger.session(one, NOW).await.unwrap();
    assert_eq!(known, Known::Visit(there));
}

#[tokio::test]
async fn a_session_has_its_visit_until_its_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let (one, mine) = (marks(&["11"], 1), visit(7, NOW));
    assert_eq!(
        ledger.session(one.clone(), NOW).await.unwrap(),
        Known::Nothing
    );
    let written = remember(&ledger, session(one.clone(), mine.clone(), NOW)).await;
    assert_eq!(written, Written::Remembered);
    let known = async |now| ledger.session(one.clone(), now).await.unwrap();
    assert_eq!(known(later(99)).await, Known::Visit(mine.clone()));
    assert_eq!(known(later(100)).await, Known::Nothing);
    assert_eq!(
        ledger.session(marks(&["11"], 2), NOW).await.unwrap(),
        Known::Nothing
    );
    assert_eq!(
        ledger.session(Vec::new(), NOW).await.unwrap(),
        Known::Nothing
    );
    // Another visit afterwards is its first.
    let other = visit(8, NOW);
    let written = remember(&ledger, session(one.clone(), other.clone(), later(100))).await;
    assert_eq!(written, Written::Remembered);
    assert_eq!(known(later(101)).await, Known::Visit(other));
    assert_eq!(ledger.forget(later(199)).await.unwrap(), 0);
    assert_eq!(ledger.forget(later(200)).await.unwrap(), 1);
}

#[tokio::test]
async fn the_visit_is_the_one_with_the_newest_click() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let one = marks(&["11"], 1);
    for (clicked, newest) in [(10, 10), (30, 30), (20, 30)] {
        remember(&ledger, session(one.clone(), visit(7, later(clicked)), NOW)).await;
        let known = ledger.session(one.clone(), NOW).await.unwrap();
        assert_eq!(known, Known::Visit(visit(7, later(newest))));
    }
}

#[tokio::test]
async fn a_shared_session_is_of_no_use_by_whichever_key() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let (old, both) = (marks(&["11"], 1), marks(&["22", "11"], 1));
    remember(&ledger, session(old.clone(), visit(7, NOW), NOW)).await;
    let known = async |marks: &Vec<Mark>, now| ledger.session(marks.clone(), now).await.unwrap();
    assert_eq!(known(&both, NOW).await, Known::Visit(visit(7, NOW)));
    let written = remember(&ledger, session(both.clone(), visit(8, NOW), later(50))).await;
    assert_eq!(written, Written::Shared);
    for marks in [&old, &both, &marks(&["22"], 1)] {
        assert_eq!(known(marks, later(51)).await, Known::Shared);
    }
    // As long as somebody comes with it.
    let written = remember(&ledger, session(both.clone(), visit(7, NOW), later(120))).await;
    assert_eq!(written, Written::SharedBefore);
    assert_eq!(known(&both, later(200)).await, Known::Shared);
    assert_eq!(known(&both, later(220)).await, Known::Nothing);
}

#[tokio::test]
async fn what_is_over_is_swept_by_the_way_and_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path(), Role::Run).unwrap();
    let many: Vec<Session> = (0..200)
        .map(|number| session(marks(&["11"], number), visit(7, NOW), NOW))
        .collect();
    ledger.remember(many).await.unwrap();
    let fresh = session(marks(&["11"], 200), visit(7, NOW), later(100));
    remember(&ledger, fresh).await;
    assert_eq!(ledger.forget(later(100)).await.unwrap(), 200 - 64);
    assert_eq!(ledger.forget(later(200)).await.unwrap(), 1);
}

/// A session comes with a visit, or is asked for, or time goes by.
#[derive(Clone, Debug)]
enum Deed {
    Come(u8, u128),
    Ask(u8),
    Wait(u8),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => (0..3_u8, 0..2_u128).prop_map(|(session, visit)| Deed::Come(session, visit)),
        3 => (0..3_u8).prop_map(Deed::Ask),
        1 => (1..80_u8).prop_map(Deed::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nobody_is_found_by_a_session_that_another_had(deeds in prop::collection::vec(deed(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path(), Role::Run).unwrap();
        // Who came with each session, and until when it is remembered.
        let mut list = [(); 3].map(|()| (Vec::<u128>::new(), NOW));
        let mut now = NOW;
        runtime.block_on(async {
            for deed in deeds {
                match deed {
                    Deed::Come(number, id) => {
                        let (came, until) = &mut list[usize::from(number)];
                        if *until <= now {
                            came.clear();
                        }
                        came.push(id);
                        came.sort_unstable();
                        came.dedup();
                        *until = now.plus(MEMORY);
                        remember(&ledger, session(marks(&["11"], number), visit(id, NOW), now)).await;
                    }
                    Deed::Ask(number) => {
                        let (came, until) = &list[usize::from(number)];
                        let expected = match came.as_slice() {
                            _ if *until <= now => Known::Nothing,
                            [one] => Known::Visit(visit(*one, NOW)),
                            _ => Known::Shared,
                        };
                        let known = ledger.session(marks(&["11"], number), now).await.unwrap();
                        assert_eq!(known, expected);
                    }
                    Deed::Wait(seconds) => now = now.plus(Duration::from_secs(seconds.into())),
                }
            }
        });
    }
}
