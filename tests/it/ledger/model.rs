//! The ledger against a plain list under any run of deeds, reopening among them.
//!
//! On PostgreSQL every deed is done by one of two replicas in turn, where the run says so.

use proptest::prelude::*;
use refgate::ledger::{Action, Ledger, Role};
use refgate::postback::State;

use crate::support::sale::open;
use list::{List, Reopened};

mod list;

/// One deed.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// An order is confirmed to a visit: its amount readable or not, called by the other of its ids or not, and claiming
    /// its id or not.
    Enter((u8, u8), (bool, bool, bool)),
    Claim(u8),
    Begin(usize),
    Settle(usize, State, u8),
    /// A network's answer to any attempt that was ever begun.
    Answer(usize, usize, State),
    /// Attempts whose sender is gone are ended in doubt, to be repeated or not.
    Recover(bool),
    Steer(usize, Action),
    Pause,
    Go,
    /// An id is known from elsewhere.
    Learn(u8, bool),
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
    let answers = vec![State::Accepted, State::Duplicate, State::Rejected];
    prop_oneof![
        6 => ((0..6_u8, 0..3_u8), any::<[bool; 2]>(), prop::bool::weighted(0.7))
            .prop_map(|(whose, [readable, other], claims)| Deed::Enter(whose, (readable, other, claims))),
        4 => (1..4_u8).prop_map(Deed::Claim),
        5 => any::<usize>().prop_map(Deed::Begin),
        3 => (any::<usize>(), prop::sample::select(ends), 0..90_u8)
            .prop_map(|(which, end, wait)| Deed::Settle(which, end, wait)),
        3 => (any::<usize>(), any::<usize>(), prop::sample::select(answers))
            .prop_map(|(which, attempt, answer)| Deed::Answer(which, attempt, answer)),
        2 => any::<bool>().prop_map(Deed::Recover),
        3 => (any::<usize>(), prop::sample::select(Action::ALL.to_vec()))
            .prop_map(|(which, action)| Deed::Steer(which, action)),
        1 => Just(Deed::Pause),
        1 => Just(Deed::Go),
        1 => (0..6_u8, any::<bool>()).prop_map(|(number, other)| Deed::Learn(number, other)),
        3 => (1..60_u8).prop_map(Deed::Wait),
        1 => Just(Deed::Reopen),
    ]
}

impl List {
    async fn does(&mut self, ledger: &Ledger, deed: Deed) {
        match deed {
            Deed::Enter(whose, how) => self.enter(ledger, whose, how).await,
            Deed::Claim(limit) => self.claim(ledger, limit).await,
            Deed::Begin(which) => self.begin(ledger, which).await,
            Deed::Settle(which, end, wait) => self.settle(ledger, which, (end, wait)).await,
            Deed::Answer(which, attempt, answer) => {
                self.answer(ledger, (which, attempt), answer).await;
            }
            Deed::Recover(again) => self.recover(ledger, again).await,
            Deed::Steer(which, action) => self.steer(ledger, which, action).await,
            Deed::Pause => self.pause(ledger).await,
            Deed::Go => self.go(ledger).await,
            Deed::Learn(number, other) => self.learn(ledger, number, other).await,
            Deed::Wait(span) => self.wait(span),
            Deed::Reopen => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_ledger_is_a_list(deeds in prop::collection::vec(deed(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut ledgers = Reopened::new(|| open(dir.path(), Role::Run).unwrap());
        let mut list = List::default();
        runtime.block_on(async {
            for deed in deeds {
                if matches!(deed, Deed::Reopen) {
                    ledgers.reopen();
                    list.reopened();
                }
                list.does(ledgers.next(), deed).await;
                list.compare(ledgers.next()).await;
            }
        });
    }
}
