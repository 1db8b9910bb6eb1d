//! The ledger against a plain list under any run of deeds, reopening among them.

use std::time::Duration;

use proptest::prelude::*;
use refgate::clock::Time;
use refgate::ledger::{Action, Entered, Ledger, Role, Settlement};
use refgate::order::OrderKey;
use refgate::postback::{AttemptId, PostbackId, State};

use crate::support::postgres;
use crate::support::sale::{NOW, aspire, candidate, open, settlement, steer};

/// One deed.
#[derive(Clone, Debug)]
enum Deed {
    Enter(u8, bool),
    Claim(u8),
    Begin(usize),
    Settle(usize, State, u8),
    Steer(usize, Action),
    Wait(u8),
    Reopen,
}

fn deed() -> impl Strategy<Value = Deed> {
    let ends = vec![
        State::Accepted,
        State::Due,
        State::Unclear,
        State::Rejected,
        State::Dead,
    ];
    prop_oneof![
        4 => (0..6_u8, any::<bool>()).prop_map(|(id, readable)| Deed::Enter(id, readable)),
        3 => (1..4_u8).prop_map(Deed::Claim),
        3 => any::<usize>().prop_map(Deed::Begin),
        3 => (any::<usize>(), prop::sample::select(ends), 0..90_u8)
            .prop_map(|(which, end, wait)| Deed::Settle(which, end, wait)),
        3 => (any::<usize>(), prop::sample::select(Action::ALL.to_vec()))
            .prop_map(|(which, action)| Deed::Steer(which, action)),
        2 => (1..60_u8).prop_map(Deed::Wait),
        1 => Just(Deed::Reopen),
    ]
}

/// A postback as the list has it.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    id: PostbackId,
    order: OrderKey,
    state: State,
    due: Option<Time>,
    lease: Option<Time>,
    attempts: Vec<AttemptId>,
    amount: bool,
    doubtful: bool,
}

#[derive(Debug)]
struct Model {
    now: Time,
    rows: Vec<Row>,
}

const LEASE: Duration = Duration::from_secs(30);

fn seconds(count: u8) -> Duration {
    Duration::from_secs(u64::from(count))
}

impl Model {
    async fn enter(&mut self, ledger: &Ledger, id: u8, readable: bool) {
        let mut candidate = candidate(&format!("n{id}"), readable.then_some("25.00"));
        (candidate.sighting.at, candidate.order.at) = (self.now, self.now);
        let key = candidate.order.key.clone();
        let entered = ledger.enter(candidate).await.unwrap();
        let (state, due) = match readable {
            true => (State::Due, Some(self.now)),
            false => (State::Held, None),
        };
        let Some(row) = self.rows.iter_mut().find(|row| row.order == key) else {
            assert!(matches!(entered, Entered::New(_)), "{entered:?}");
            let story = ledger.story(format!("n{id}")).await.unwrap().remove(0);
            let id = story.postbacks[0].postback.id;
            let row = Row {
                id,
                order: key,
                state,
                due,
                lease: None,
                attempts: Vec::new(),
                amount: readable,
                doubtful: !readable,
            };
            self.rows.push(row);
            return;
        };
        if row.doubtful && readable {
            assert!(matches!(entered, Entered::Completed(_)), "{entered:?}");
            (row.state, row.due) = (state, due);
            (row.amount, row.doubtful) = (true, false);
        } else {
            assert!(matches!(entered, Entered::Again(_)), "{entered:?}");
        }
    }

    async fn claim(&mut self, ledger: &Ledger, limit: u8) {
        let now = self.now;
        let claimed = ledger
            .claim(&aspire(), now, LEASE, limit.into())
            .await
            .unwrap();
        let free = |row: &&mut Row| {
            row.due.is_some_and(|due| due <= now) && row.lease.is_none_or(|lease| lease <= now)
        };
        let mut expected: Vec<_> = self.rows.iter_mut().filter(free).collect();
        expected.sort_by_key(|row| (row.due, row.id));
        expected.truncate(limit.into());
        let ids: Vec<_> = expected.iter().map(|row| row.id).collect();
        assert_eq!(
            claimed
                .iter()
                .map(|postback| postback.id)
                .collect::<Vec<_>>(),
            ids
        );
        for row in expected {
            row.lease = Some(now.plus(LEASE));
        }
    }

    async fn begin(&mut self, ledger: &Ledger, which: usize) {
        let count = self.rows.len().max(1);
        let Some(row) = self.rows.get_mut(which % count) else {
            return;
        };
        let begun = ledger.begin(row.id, "http://x/".to_owned(), self.now).await;
        assert_eq!(
            begun.is_ok(),
            row.state == State::Due && row.lease.is_some(),
            "{row:?}"
        );
        if let Ok(attempt) = begun {
            (row.state, row.due) = (State::Sending, None);
            row.attempts.push(attempt);
        }
    }

    async fn settle(&mut self, ledger: &Ledger, which: usize, state: State, wait: u8) {
        let count = self.rows.len().max(1);
        let Some(row) = self.rows.get_mut(which % count) else {
            return;
        };
        let Some(&attempt) = row.attempts.last() else {
            return;
        };
        let postback = ledger.postback(row.id).await.unwrap().postback;
        let due = (state == State::Due).then(|| self.now.plus(seconds(wait)));
        let end = Settlement {
            due,
            ..settlement(&postback, attempt, state)
        };
        let settled = ledger.settle(end).await;
        assert_eq!(settled.is_ok(), row.state == State::Sending, "{row:?}");
        if settled.is_ok() {
            (row.state, row.due, row.lease) = (state, due, None);
        }
    }

    async fn steer(&mut self, ledger: &Ledger, which: usize, action: Action) {
        let count = self.rows.len().max(1);
        let Some(row) = self.rows.get_mut(which % count) else {
            return;
        };
        let steered = ledger.steer(steer(action, &[row.id]), self.now).await;
        let steered = steered.unwrap().remove(0);
        let becomes = action.becomes();
        let may = action.usual().contains(&row.state) && (row.amount || becomes != State::Due);
        assert_eq!(steered.done.is_ok(), may, "{row:?}");
        if may {
            (row.state, row.lease, row.doubtful) = (becomes, None, false);
            row.due = (becomes == State::Due).then_some(self.now);
        }
    }

    /// Everything that can be asked is as the list has it.
    async fn compare(&self, ledger: &Ledger) {
        for row in &self.rows {
            let told = ledger.postback(row.id).await.unwrap();
            let attempts: Vec<_> = told.attempts.iter().map(|attempt| attempt.id).collect();
            assert_eq!(
                (told.postback.state, told.postback.due),
                (row.state, row.due),
                "{row:?}"
            );
            assert_eq!(attempts, row.attempts);
            let open = told
                .attempts
                .iter()
                .filter(|attempt| attempt.outcome.is_none())
                .count();
            assert_eq!(open, usize::from(row.state == State::Sending), "{row:?}");
        }
        let next = self
            .rows
            .iter()
            .filter_map(|row| row.due.max(row.due.and(row.lease)))
            .min();
        let next: Vec<_> = next.map(|at| (aspire(), at)).into_iter().collect();
        assert_eq!(ledger.waiting().await.unwrap(), next);
        let gone = |row: &&Row| {
            row.state == State::Sending && row.lease.is_none_or(|lease| lease <= self.now)
        };
        let mut expected: Vec<_> = self.rows.iter().filter(gone).map(|row| row.id).collect();
        expected.sort_unstable();
        let interrupted = ledger.interrupted(self.now).await.unwrap();
        let mut ids: Vec<_> = interrupted
            .iter()
            .map(|(postback, _)| postback.id)
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_ledger_is_a_list(deeds in prop::collection::vec(deed(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = open(dir.path(), Role::Run).unwrap();
        let mut model = Model { now: NOW, rows: Vec::new() };
        runtime.block_on(async {
            for deed in deeds {
                match deed {
                    Deed::Enter(id, readable) => model.enter(&ledger, id, readable).await,
                    Deed::Claim(limit) => model.claim(&ledger, limit).await,
                    Deed::Begin(which) => model.begin(&ledger, which).await,
                    Deed::Settle(which, end, wait) => model.settle(&ledger, which, end, wait).await,
                    Deed::Steer(which, action) => model.steer(&ledger, which, action).await,
                    Deed::Wait(span) => model.now = model.now.plus(seconds(span)),
                    Deed::Reopen => {
                        drop(ledger);
                        ledger = open(dir.path(), Role::Run).unwrap();
                        // On PostgreSQL another replica may have the lease, so it ends by time alone.
                        for row in model.rows.iter_mut().filter(|_| !postgres::is_meant()) {
                            row.lease = row.lease.map(|_| Time::from_millis(0));
                        }
                    }
                }
                model.compare(&ledger).await;
            }
        });
    }
}
