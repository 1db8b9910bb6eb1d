//! Steering: only the edges that the manual draws happen, each with its actor; a claim ends by it; orders follow.

use std::time::Duration;

use refgate::ledger::{
    Action, BATCH, Error, Follows, Ledger, PostbackFilter, Refusal, Role, Settlement, Steer, Story,
    Which,
};
use refgate::order::{Doubt, Standing};
use refgate::postback::{Outcome, Postback, PostbackId, State, Verdict};

use crate::support::postgres;
use crate::support::sale::{LEASE, NOW, aspire, candidate, later, open, settlement, steer, usd};

/// What each action makes of each state, as docs/operating.md draws it.
const EDGES: [(Action, &[State], State); 7] = [
    (
        Action::Resend,
        &[
            State::Accepted,
            State::Duplicate,
            State::Rejected,
            State::Unclear,
            State::Dead,
            State::Held,
        ],
        State::Due,
    ),
    (Action::Hold, &[State::Due], State::Held),
    (Action::Release, &[State::Held], State::Due),
    (
        Action::Cancel,
        &[State::Due, State::Unclear, State::Dead, State::Held],
        State::Dead,
    ),
    (
        Action::Accept,
        &[State::Rejected, State::Unclear, State::Dead, State::Held],
        State::Accepted,
    ),
    (Action::Refuse, &[State::Held], State::Dead),
    (
        Action::Reject,
        &[
            State::Accepted,
            State::Duplicate,
            State::Unclear,
            State::Dead,
        ],
        State::Rejected,
    ),
];

/// Where a postback can be brought.
struct Desk(Ledger);

impl Desk {
    /// Enters order `id`, held in doubt.
    async fn held(&self, id: &str) -> PostbackId {
        let mut sale = candidate(id, Some("25.00"));
        sale.order.standing = Standing::Held(Doubt::Unproven);
        sale.postbacks[0].held = Some((Doubt::Unproven, "no checkout seen".to_owned()));
        self.0.enter(sale).await.unwrap();
        self.story(id).await.postbacks[0].postback.id
    }

    /// Enters order `id` and claims it.
    async fn claimed(&self, id: &str) -> Postback {
        self.0.enter(candidate(id, Some("25.00"))).await.unwrap();
        let claimed = self.0.claim(&aspire(), NOW, LEASE, 99).await.unwrap();
        let mut claimed = claimed.into_iter();
        claimed.find(|one| one.order.id.as_str() == id).unwrap()
    }

    /// Brings the postback of a new order `id` into `state`, with how its attempt ended, if there was one.
    async fn brought(&self, id: &str, state: State) -> PostbackId {
        if state == State::Held {
            return self.held(id).await;
        }
        let postback = self.claimed(id).await;
        if state == State::Due {
            return postback.id;
        }
        let url = "http://x/".to_owned();
        let attempt = self.0.begin(postback.id, url, NOW).await.unwrap();
        if state != State::Sending {
            let end = settlement(&postback, attempt, state);
            self.0.settle(end).await.unwrap();
        }
        postback.id
    }

    async fn story(&self, id: &str) -> Story {
        self.0.story(id.to_owned()).await.unwrap().remove(0)
    }

    async fn state(&self, id: PostbackId) -> State {
        self.0.postback(id).await.unwrap().postback.state
    }

    async fn steer(&self, steer: Steer) -> Result<State, Refusal> {
        let mut steered = self.0.steer(steer, later(5)).await.unwrap();
        assert_eq!(steered.len(), 1, "{steered:?}");
        let done = steered.remove(0).done;
        done.map(|moved| moved.postback.state)
    }
}

fn desk(dir: &tempfile::TempDir) -> Desk {
    Desk(open(dir.path(), Role::Run).unwrap())
}

#[tokio::test]
async fn every_action_starts_from_its_own_states_and_tells_its_actor() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    for (action, from, becomes) in EDGES {
        for state in State::ALL {
            let order = format!("{action:?}-{state}");
            let id = desk.brought(&order, state).await;
            let before = desk.story(&order).await;
            let all = Steer {
                from: State::ALL.to_vec(),
                ..steer(action, &[id])
            };
            let done = desk.steer(all).await;
            let after = desk.story(&order).await;
            if !from.contains(&state) {
                assert_eq!(done, Err(Refusal::State { id, state }), "{order}");
                assert_eq!(before, after, "{order}");
                continue;
            }
            assert_eq!(done, Ok(becomes), "{order}");
            let postback = &after.postbacks[0].postback;
            assert_eq!(postback.state, becomes, "{order}");
            assert_eq!(postback.due.is_some(), becomes == State::Due, "{order}");
            let changes = &after.history[before.history.len()..];
            let change = &changes[0];
            assert_eq!(change.postback, Some(id), "{order}");
            assert_eq!(change.was.as_deref(), Some(state.as_str()), "{order}");
            assert_eq!(change.became, becomes.as_str(), "{order}");
            assert_eq!(change.at, later(5), "{order}");
            assert!(
                change.cause.as_ref().unwrap().ends_with(": asked"),
                "{order}"
            );
            for change in changes {
                assert_eq!(change.actor.as_ref().unwrap().as_str(), "alice");
            }
        }
    }
}

#[tokio::test]
async fn refgate_itself_begins_what_is_due_and_claimed_and_ends_what_is_sending() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    for state in State::ALL {
        let id = desk.brought(&format!("begin-{state}"), state).await;
        let begun = desk.0.begin(id, "http://x/".to_owned(), NOW).await;
        assert_eq!(begun.is_ok(), state == State::Due, "{state}: {begun:?}");
    }
    for end in State::ALL {
        let postback = desk.claimed(&format!("settle-{end}")).await;
        let url = "http://x/".to_owned();
        let attempt = desk.0.begin(postback.id, url, NOW).await.unwrap();
        let settled = desk.0.settle(settlement(&postback, attempt, end)).await;
        assert_eq!(settled.is_ok(), end != State::Sending, "{end}: {settled:?}");
        assert_eq!(desk.state(postback.id).await, end);
    }
}

/// An attempt that was taken for interrupted, after which the postback came into `state`; then the network's answer.
async fn answered_late(desk: &Desk, state: State) -> State {
    let postback = desk.claimed(&format!("late-{state}")).await;
    let url = "http://x/".to_owned();
    let attempt = desk.0.begin(postback.id, url, NOW).await.unwrap();
    let end = |state, verdict, status| Settlement {
        outcome: Outcome {
            at: NOW,
            status,
            words: "success=true;".to_owned(),
            verdict,
        },
        ..settlement(&postback, attempt, state)
    };
    let unclear = end(State::Unclear, Verdict::Unclear, None);
    desk.0.settle(unclear).await.unwrap();
    let path: &[Action] = match state {
        State::Due | State::Sending => &[Action::Resend],
        State::Held => &[Action::Resend, Action::Hold],
        State::Dead => &[Action::Cancel],
        State::Accepted => &[Action::Accept],
        _ => &[],
    };
    for action in path {
        desk.steer(steer(*action, &[postback.id])).await.unwrap();
    }
    if state == State::Sending {
        desk.0.claim(&aspire(), later(9), LEASE, 9).await.unwrap();
        let url = "http://x/".to_owned();
        desk.0.begin(postback.id, url, later(9)).await.unwrap();
    }
    let late = end(State::Accepted, Verdict::Accepted, Some(200));
    desk.0.settle(late).await.unwrap();
    let told = desk.0.postback(postback.id).await.unwrap();
    assert_eq!(told.postback.doubt, None);
    let outcome = told.attempts[0].outcome.as_ref().unwrap();
    assert_eq!(outcome.verdict, Verdict::Accepted, "the answer is kept");
    told.postback.state
}

#[tokio::test]
async fn a_late_answer_stands_also_over_what_the_operator_did_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    for state in [State::Unclear, State::Due, State::Held, State::Dead] {
        assert_eq!(
            answered_late(&desk, state).await,
            State::Accepted,
            "{state}"
        );
    }
    for state in [State::Sending, State::Accepted] {
        assert_eq!(answered_late(&desk, state).await, state);
    }
}

#[tokio::test]
async fn what_was_claimed_and_then_taken_back_is_not_begun() {
    for action in [Action::Hold, Action::Cancel] {
        let dir = tempfile::tempdir().unwrap();
        let desk = desk(&dir);
        let postback = desk.claimed("1001").await;
        let id = postback.id;
        desk.steer(steer(action, &[id])).await.unwrap();
        let begun = desk.0.begin(id, "http://x/".to_owned(), NOW).await;
        let state = action.becomes();
        assert!(
            matches!(begun, Err(Error::NotPossible { state: now, .. }) if now == state),
            "{begun:?}"
        );
        // Nor after it is due again: the claim is over.
        desk.steer(steer(Action::Resend, &[id])).await.unwrap();
        let begun = desk.0.begin(id, "http://x/".to_owned(), NOW).await;
        assert!(
            matches!(
                begun,
                Err(Error::NotPossible {
                    state: State::Due,
                    ..
                })
            ),
            "{begun:?}"
        );
        let told = desk.0.postback(id).await.unwrap();
        assert_eq!((told.attempts.len(), told.postback.attempts), (0, 0));
    }
}

#[tokio::test]
async fn an_order_is_credited_when_released_and_nobodys_when_all_of_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    let mut sale = candidate("1001", Some("25.00"));
    let doubt = (Doubt::Unproven, "no checkout seen".to_owned());
    sale.order.standing = Standing::Held(Doubt::Unproven);
    sale.postbacks[0].held = Some(doubt);
    let mut other = sale.postbacks[0].clone();
    other.destination = "other".parse().unwrap();
    sale.postbacks.push(other);
    desk.0.enter(sale).await.unwrap();
    let ids: Vec<PostbackId> = desk
        .story("1001")
        .await
        .postbacks
        .iter()
        .map(|told| told.postback.id)
        .collect();

    desk.steer(steer(Action::Refuse, &ids[..1])).await.unwrap();
    let held = desk.story("1001").await.order.standing;
    assert_eq!(held, Standing::Held(Doubt::Unproven), "the other one waits");
    desk.steer(steer(Action::Refuse, &ids[1..])).await.unwrap();
    let story = desk.story("1001").await;
    assert_eq!(story.order.standing, Standing::Organic);
    let why = "refused by alice: asked; before: last click, of aspire";
    assert_eq!(story.order.why, why);
    let last = story.history.last().unwrap();
    assert_eq!(
        (last.postback, last.was.as_deref(), last.became.as_str()),
        (None, Some("held"), "organic")
    );
    // One more sighting changes nothing.
    desk.0
        .enter(candidate("1001", Some("25.00")))
        .await
        .unwrap();
    assert_eq!(desk.story("1001").await.order, story.order);

    // A second thought.
    desk.steer(steer(Action::Resend, &ids[..1])).await.unwrap();
    let order = desk.story("1001").await.order;
    assert_eq!(order.standing, Standing::Credited);
    assert!(
        order
            .why
            .starts_with("resent by alice: asked; before: refused by")
    );

    let id = desk.held("1002").await;
    desk.steer(steer(Action::Release, &[id])).await.unwrap();
    let story = desk.story("1002").await;
    assert_eq!(story.order.standing, Standing::Credited);
    let postback = &story.postbacks[0].postback;
    assert_eq!((postback.due, postback.doubt), (Some(later(5)), None));
    let claimed = desk.0.claim(&aspire(), later(5), LEASE, 9).await.unwrap();
    assert!(claimed.iter().any(|one| one.id == id), "{claimed:?}");
}

#[tokio::test]
async fn a_release_waits_for_send_after_and_a_resend_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    for (action, due) in [(Action::Release, later(3600)), (Action::Resend, later(5))] {
        let id = desk.held(&format!("{action:?}")).await;
        let waits = Steer {
            follows: Follows {
                send_after: [(aspire(), Duration::from_secs(3600))].into(),
                ..Follows::default()
            },
            ..steer(action, &[id])
        };
        desk.steer(waits).await.unwrap();
        let postback = desk.0.postback(id).await.unwrap().postback;
        assert_eq!(postback.due, Some(due), "{action:?}");
    }
}

#[tokio::test]
async fn what_may_have_been_told_stays_credited_when_it_is_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    for (state, standing) in [
        (State::Due, Standing::Organic),
        (State::Unclear, Standing::Credited),
        (State::Dead, Standing::Credited),
    ] {
        let order = format!("cancel-{state}");
        let id = desk.brought(&order, state).await;
        desk.steer(steer(Action::Cancel, &[id])).await.unwrap();
        let story = desk.story(&order).await;
        assert_eq!(story.order.standing, standing, "{state}");
        let cause = story.postbacks[0].postback.cause.as_deref();
        assert_eq!(cause, Some("cancelled: asked"));
    }
}

#[tokio::test]
async fn what_has_no_amount_is_refused_but_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    desk.0.enter(candidate("1002", None)).await.unwrap();
    let id = desk.story("1002").await.postbacks[0].postback.id;
    for action in [Action::Resend, Action::Release] {
        let refused = desk.steer(steer(action, &[id])).await;
        assert_eq!(refused, Err(Refusal::NoAmount(id)));
    }
    let none = desk.steer(steer(Action::Release, &[999])).await;
    assert_eq!(none, Err(Refusal::NoPostback(999)));
    desk.steer(steer(Action::Refuse, &[id])).await.unwrap();
    // The amount comes too late.
    desk.0
        .enter(candidate("1002", Some("25.00")))
        .await
        .unwrap();
    let story = desk.story("1002").await;
    assert_eq!(story.postbacks[0].postback.state, State::Dead);
    assert_eq!(story.order.standing, Standing::Organic);
}

#[tokio::test]
async fn only_what_was_asked_for_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    let id = desk.brought("1001", State::Accepted).await;
    let usual = desk.steer(steer(Action::Resend, &[id])).await;
    let state = State::Accepted;
    assert_eq!(usual, Err(Refusal::State { id, state }));
    let insisted = Steer {
        from: vec![state],
        ..steer(Action::Resend, &[id])
    };
    assert_eq!(desk.steer(insisted).await, Ok(State::Due));
    let postback = desk.0.postback(id).await.unwrap().postback;
    assert_eq!((postback.attempts, postback.spent), (1, 1));
}

/// Three orders that differ in everything that a filter asks for.
async fn three(desk: &Desk) {
    let mut sales = Vec::new();
    for (number, partner) in [(1, "7"), (2, "77"), (3, "\"7")] {
        let mut sale = candidate(&format!("n{number}"), Some("25.00"));
        sale.sighting.at = later(number * 10);
        sale.order.at = sale.sighting.at;
        let click = sale.order.click.as_mut().unwrap();
        click.values = [
            ("affiliate_id".to_owned(), partner.to_owned()),
            ("z".to_owned(), "9".to_owned()),
        ]
        .into();
        sale.order.aliases = vec![format!("token-{number}").parse().unwrap()];
        sales.push(sale);
    }
    sales[1].order.store = "ca".parse().unwrap();
    sales[1].postbacks[0].destination = "other".parse().unwrap();
    sales[1].order.click.as_mut().unwrap().network = "other".parse().unwrap();
    sales[2].order.standing = Standing::Held(Doubt::OverMaxAmount);
    sales[2].postbacks[0].held = Some((Doubt::OverMaxAmount, "too much".to_owned()));
    for sale in sales {
        desk.0.enter(sale).await.unwrap();
    }
}

#[tokio::test]
async fn a_filter_means_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    three(&desk).await;
    let none = PostbackFilter::default;
    let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
    #[rustfmt::skip]
    let cases = [
        (none(), vec!["n3", "n2", "n1"]),
        (PostbackFilter::in_state(State::Held), vec!["n3"]),
        (PostbackFilter { states: vec![State::Held, State::Due], ..none() }, vec!["n3", "n2", "n1"]),
        (PostbackFilter { destination: Some(aspire()), ..none() }, vec!["n3", "n1"]),
        (PostbackFilter { store: Some("ca".parse().unwrap()), ..none() }, vec!["n2"]),
        (PostbackFilter { since: Some(later(20)), ..none() }, vec!["n3", "n2"]),
        (PostbackFilter { until: Some(later(20)), ..none() }, vec!["n1"]),
        (PostbackFilter { doubt: Some(Doubt::OverMaxAmount), ..none() }, vec!["n3"]),
        (PostbackFilter { doubt: Some(Doubt::Unproven), ..none() }, vec![]),
        (PostbackFilter { value: pair("affiliate_id", "7"), ..none() }, vec!["n1"]),
        (PostbackFilter { value: pair("affiliate_id", "\"7"), ..none() }, vec!["n3"]),
        (PostbackFilter { value: pair("affiliate", "7"), ..none() }, vec![]),
        (PostbackFilter { value: pair("z", "9"), since: Some(later(15)), ..none() }, vec!["n3", "n2"]),
        (PostbackFilter { order: Some("token-2".parse().unwrap()), ..none() }, vec!["n2"]),
        (PostbackFilter { held_before: Some(later(30)), ..none() }, vec!["n3"]),
        (PostbackFilter { held_before: Some(later(29)), ..none() }, vec![]),
    ];
    for (filter, expected) in cases {
        let found = desk.0.postbacks(filter.clone(), 9).await.unwrap();
        let found: Vec<_> = found.iter().map(|one| one.order.id.as_str()).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn when_it_was_held_counts_and_not_when_it_came_in() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    let id = desk.claimed("1001").await.id;
    let hold = steer(Action::Hold, &[id]);
    desk.0.steer(hold, later(500)).await.unwrap();
    let since = async |at| {
        let filter = PostbackFilter {
            held_before: Some(at),
            doubt: Some(Doubt::Operator),
            ..PostbackFilter::default()
        };
        desk.0.postbacks(filter, 9).await.unwrap().len()
    };
    assert_eq!(since(later(499)).await, 0);
    assert_eq!(since(later(500)).await, 1);
}

#[tokio::test]
async fn many_are_steered_by_a_filter_in_several_commits() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    let count = BATCH * 2 + 5;
    let sent = desk.brought("sent", State::Accepted).await;
    for number in 0..count {
        let sale = candidate(&format!("n{number}"), Some("25.00"));
        desk.0.enter(sale).await.unwrap();
    }
    let before = desk.0.commits();
    let hold = Steer {
        which: Which::All(PostbackFilter {
            destination: Some(aspire()),
            ..PostbackFilter::default()
        }),
        ..steer(Action::Hold, &[])
    };
    let steered = desk.0.steer(hold.clone(), NOW).await.unwrap();
    assert_eq!(steered.len(), count, "what is not due is not meant");
    for one in &steered {
        let moved = one.done.as_ref().unwrap();
        assert_eq!((moved.was, moved.postback.state), (State::Due, State::Held));
        assert_eq!(moved.postback.amount, Some(usd("25.00")));
        assert_eq!(moved.postback.doubt, Some(Doubt::Operator));
    }
    // The last one is counted after it is answered.
    assert!(desk.0.commits() - before >= 2);
    assert_eq!(desk.state(sent).await, State::Accepted);
    let held = desk
        .0
        .postbacks(PostbackFilter::in_state(State::Held), count + 9)
        .await
        .unwrap();
    assert_eq!(held.len(), count);
    let again = desk.0.steer(hold, NOW).await.unwrap();
    assert_eq!(again, [], "there is nothing left to hold");
}

#[tokio::test]
async fn who_steers_is_told_what_was_done_before_the_ledger_failed() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    for number in 0..=BATCH {
        desk.0
            .enter(candidate(&format!("n{number}"), Some("25.00")))
            .await
            .unwrap();
    }
    // The last of them, which is in a commit of its own.
    match postgres::of(dir.path()) {
        Some(url) => postgres::run(
            &url,
            &format!("UPDATE refgate.postbacks SET cause = 'last' WHERE id > {BATCH};
            ALTER TABLE refgate.postbacks ADD CHECK (cause <> 'held: asked' OR id <= {BATCH}) NOT VALID"),
        ),
        None => rusqlite::Connection::open(dir.path().join("refgate.db"))
            .unwrap()
            .execute_batch(&format!("CREATE TRIGGER fails BEFORE UPDATE ON postbacks WHEN OLD.id > {BATCH}
                BEGIN SELECT RAISE(ABORT, 'no'); END"))
            .unwrap(),
    }
    let hold = Steer {
        which: Which::All(PostbackFilter::default()),
        ..steer(Action::Hold, &[])
    };
    let stopped = desk.0.steer(hold, NOW).await.unwrap_err();
    assert_eq!((stopped.steered.len(), stopped.left), (BATCH, 1));
    assert!(stopped.steered.iter().all(|one| one.done.is_ok()));
    assert!(
        matches!(stopped.source, Error::Database(_)),
        "{:?}",
        stopped.source
    );
    let held = PostbackFilter::in_state(State::Held);
    assert_eq!(desk.0.postbacks(held, 999).await.unwrap().len(), BATCH);
}

#[tokio::test]
async fn what_somebody_decided_is_told_from_what_a_network_said() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(&dir);
    let theirs = desk.brought("theirs", State::Rejected).await;
    let ours = desk.brought("ours", State::Accepted).await;
    desk.steer(steer(Action::Reject, &[ours])).await.unwrap();
    let again = desk.brought("again", State::Accepted).await;
    desk.steer(steer(Action::Reject, &[again])).await.unwrap();
    desk.steer(steer(Action::Resend, &[again])).await.unwrap();
    let claimed = desk.0.claim(&aspire(), later(9), LEASE, 9).await.unwrap();
    let url = "http://x/".to_owned();
    let attempt = desk.0.begin(again, url, later(9)).await.unwrap();
    let end = settlement(&claimed[0], attempt, State::Rejected);
    desk.0.settle(end).await.unwrap();
    for (decided, expected) in [
        (Some(true), vec![ours]),
        (Some(false), vec![theirs, again]),
        (None, vec![theirs, ours, again]),
    ] {
        let filter = PostbackFilter {
            decided,
            ..PostbackFilter::in_state(State::Rejected)
        };
        let found = desk.0.postbacks(filter, 9).await.unwrap();
        let mut found: Vec<_> = found.iter().map(|one| one.id).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{decided:?}");
    }
}
