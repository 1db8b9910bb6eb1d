//! The plain list: what the ledger should hold, and what each verb should say.

use std::collections::HashSet;
use std::time::Duration;

use refgate::clock::Time;
use refgate::ledger::{Action, Entered, Learned, Ledger, Pause, Settlement};
use refgate::name::Namespace;
use refgate::order::{Candidate, Doubt, OrderId, Standing};
use refgate::postback::{AttemptId, Outcome, PostbackId, State, Verdict};
use refgate::visit::VisitId;

use crate::support::postgres;
use crate::support::sale::{NOW, aspire, candidate, settlement, steer};

const LEASE: Duration = Duration::from_secs(30);

fn seconds(count: u8) -> Duration {
    Duration::from_secs(u64::from(count))
}

/// An order's own id, and the other one that its page may call it by.
fn ids(number: u8, other: bool) -> [OrderId; 2] {
    let mut ids = [format!("n{number}"), format!("t{number}")].map(|id| id.parse().unwrap());
    if other {
        ids.reverse();
    }
    ids
}

/// As another visit sees it.
fn seen_by(visit: u8, mut seen: Candidate) -> Candidate {
    let click = seen.order.click.as_mut().unwrap();
    click
        .values
        .insert("affiliate_id".to_owned(), visit.to_string());
    let id = VisitId(visit.into());
    seen.order.visit = Some(id);
    let theirs = seen.sighting.visit.as_mut().unwrap();
    (theirs.id, theirs.clicks) = (id, vec![click.clone()]);
    seen
}

/// As one who looks at too many.
fn aside(mut seen: Candidate) -> Candidate {
    let place: Namespace = namespace(1).parse().unwrap();
    seen.sighting.key.namespace = place.clone();
    seen.order.key.namespace = place;
    seen.order.proof = None;
    if seen.order.standing == Standing::Credited {
        seen.order.standing = Standing::Held(Doubt::TooMany);
        seen.postbacks[0].held = Some((Doubt::TooMany, "too many".to_owned()));
    }
    seen
}

fn namespace(place: usize) -> String {
    match place {
        0 => "demo".to_owned(),
        1 => "demo.aside".to_owned(),
        further => format!("demo.aside{further}"),
    }
}

/// The ledgers of one process after another, or of two replicas at once.
pub(super) struct Reopened<F> {
    open: F,
    ledgers: Vec<Ledger>,
    turn: usize,
}

impl<F: FnMut() -> Ledger> Reopened<F> {
    pub(super) fn new(open: F) -> Self {
        let mut this = Self {
            open,
            ledgers: Vec::new(),
            turn: 0,
        };
        this.reopen();
        this
    }

    /// Lets go of what there is, as a crash does, and opens it anew.
    pub(super) fn reopen(&mut self) {
        self.ledgers.clear();
        let count = if postgres::is_meant() { 2 } else { 1 };
        self.ledgers = (0..count).map(|_| (self.open)()).collect();
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self) -> &Ledger {
        self.turn = (self.turn + 1) % self.ledgers.len();
        &self.ledgers[self.turn]
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Open,
    /// Its sender was taken for gone.
    Interrupted,
    Told,
}

/// A postback as the list has it.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    id: PostbackId,
    number: u8,
    /// Whose it is.
    visit: u8,
    /// 0: it goes by its number; further ones stand aside.
    place: usize,
    state: State,
    due: Option<Time>,
    lease: Option<Time>,
    attempts: Vec<(AttemptId, How)>,
    amount: bool,
    /// Held until a page gives the amount.
    doubtful: bool,
}

#[derive(Debug)]
pub(super) struct List {
    now: Time,
    rows: Vec<Row>,
    /// Numbers and which of their ids are known from elsewhere.
    known: HashSet<(u8, bool)>,
    paused: bool,
}

impl Default for List {
    fn default() -> Self {
        Self {
            now: NOW,
            rows: Vec::new(),
            known: HashSet::new(),
            paused: false,
        }
    }
}

impl List {
    pub(super) fn wait(&mut self, span: u8) {
        self.now = self.now.plus(seconds(span));
    }

    /// A start on SQLite ends every lease. On PostgreSQL another replica may have it, so it ends by time alone.
    pub(super) fn reopened(&mut self) {
        for row in self.rows.iter_mut().filter(|_| !postgres::is_meant()) {
            row.lease = row.lease.map(|_| Time::from_millis(0));
        }
    }

    pub(super) async fn enter(
        &mut self,
        ledger: &Ledger,
        (number, visit): (u8, u8),
        (readable, other, claims): (bool, bool, bool),
    ) {
        let [id, alias] = ids(number, other);
        let candidate = seen_by(visit, candidate(id.as_str(), readable.then_some("25.00")));
        let mut candidate = if claims { candidate } else { aside(candidate) };
        candidate.order.aliases = vec![alias];
        (candidate.sighting.at, candidate.order.at) = (self.now, self.now);
        let entered = ledger.enter(candidate).await.unwrap();
        let (state, due) = match readable && claims {
            true => (State::Due, Some(self.now)),
            false => (State::Held, None),
        };
        let known = [true, false].map(|other| self.known.contains(&(number, other)));
        let Some(which) = self.stands(number, visit) else {
            if known.contains(&true) {
                assert!(matches!(entered, Entered::Known(..)), "{entered:?}");
                return;
            }
            assert!(matches!(entered, Entered::New(_)), "{entered:?}");
            let of_it = self.rows.iter().filter(|row| row.number == number);
            let taken = of_it.filter(|row| row.place > 0).count();
            let place = if claims { 0 } else { taken + 1 };
            let key = &entered.order().key;
            assert_eq!(key.namespace.to_string(), namespace(place));
            let stories = ledger.story(id.to_string()).await.unwrap();
            let story = stories.iter().find(|story| story.order.key == *key);
            let row = Row {
                id: story.unwrap().postbacks[0].postback.id,
                number,
                visit,
                place,
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
        let row = &mut self.rows[which];
        let key = &entered.order().key;
        assert_eq!(key.namespace.to_string(), namespace(row.place));
        // What did not prove the credit before does not prove it now.
        let (state, due) = match row.place {
            0 => (State::Due, Some(self.now)),
            _ => (State::Held, None),
        };
        if row.doubtful && readable {
            assert!(matches!(entered, Entered::Completed(_)), "{entered:?}");
            (row.state, row.due) = (state, due);
            (row.amount, row.doubtful) = (true, false);
        } else {
            assert!(matches!(entered, Entered::Again(_)), "{entered:?}");
        }
    }

    /// Which order one more sighting of a number is: his own, wherever it stands, or the one that goes by it.
    fn stands(&self, number: u8, visit: u8) -> Option<usize> {
        let of_it = || {
            self.rows
                .iter()
                .enumerate()
                .filter(|(_, row)| row.number == number)
        };
        let own = of_it().find(|(_, row)| row.visit == visit);
        let claimed = of_it().find(|(_, row)| row.place == 0);
        own.or(claimed).map(|(which, _)| which)
    }

    pub(super) async fn claim(&mut self, ledger: &Ledger, limit: u8) {
        let (now, paused) = (self.now, self.paused);
        let claimed = ledger.claim(&aspire(), now, LEASE, limit.into()).await;
        let free = |row: &&mut Row| {
            let due = row.due.is_some_and(|due| due <= now);
            due && row.lease.is_none_or(|lease| lease <= now) && !paused
        };
        let mut expected: Vec<_> = self.rows.iter_mut().filter(free).collect();
        expected.sort_by_key(|row| (row.due, row.id));
        expected.truncate(limit.into());
        let ids: Vec<_> = expected.iter().map(|row| row.id).collect();
        let claimed: Vec<_> = claimed.unwrap().iter().map(|one| one.id).collect();
        assert_eq!(claimed, ids);
        for row in expected {
            row.lease = Some(now.plus(LEASE));
        }
    }

    fn row(&mut self, which: usize) -> Option<&mut Row> {
        let count = self.rows.len().max(1);
        self.rows.get_mut(which % count)
    }

    pub(super) async fn begin(&mut self, ledger: &Ledger, which: usize) {
        let (now, paused) = (self.now, self.paused);
        let Some(row) = self.row(which) else { return };
        let begun = ledger.begin(row.id, "http://x/".to_owned(), now).await;
        let may = row.state == State::Due && row.lease.is_some() && !paused;
        assert_eq!(begun.is_ok(), may, "{row:?}");
        if let Ok(attempt) = begun {
            (row.state, row.due) = (State::Sending, None);
            row.attempts.push((attempt, How::Open));
        }
    }

    /// The last attempt ends as its sender says.
    pub(super) async fn settle(
        &mut self,
        ledger: &Ledger,
        which: usize,
        (state, wait): (State, u8),
    ) {
        let now = self.now;
        let Some(row) = self.row(which) else { return };
        let Some((attempt, How::Open)) = row.attempts.last_mut() else {
            return;
        };
        let postback = ledger.postback(row.id).await.unwrap().postback;
        let due = (state == State::Due).then(|| now.plus(seconds(wait)));
        let end = Settlement {
            due,
            ..settlement(&postback, *attempt, state)
        };
        ledger.settle(end).await.unwrap();
        (row.state, row.due, row.lease) = (state, due, None);
        row.attempts.last_mut().unwrap().1 = How::Told;
    }

    /// An answer comes, in time, late, or for the second time.
    pub(super) async fn answer(
        &mut self,
        ledger: &Ledger,
        (which, attempt): (usize, usize),
        state: State,
    ) {
        let Some(row) = self.row(which) else { return };
        let count = row.attempts.len().max(1);
        let Some((attempt, how)) = row.attempts.get_mut(attempt % count) else {
            return;
        };
        let postback = ledger.postback(row.id).await.unwrap().postback;
        let end = settlement(&postback, *attempt, state);
        let verdict = match state {
            State::Accepted => Verdict::Accepted,
            State::Duplicate => Verdict::Duplicate,
            _ => Verdict::Rejected,
        };
        let outcome = Outcome {
            verdict,
            ..end.outcome
        };
        let settled = ledger.settle(Settlement { outcome, ..end }).await;
        assert_eq!(settled.is_ok(), *how != How::Told, "{row:?}");
        let moves = match how {
            How::Open => true,
            How::Interrupted => !matches!(
                row.state,
                State::Sending | State::Accepted | State::Duplicate | State::Rejected
            ),
            How::Told => false,
        };
        *how = How::Told;
        if moves {
            (row.state, row.due, row.lease) = (state, None, None);
            row.doubtful = false;
        }
    }

    pub(super) async fn recover(&mut self, ledger: &Ledger, again: bool) {
        let now = self.now;
        for (postback, attempt) in ledger.interrupted(now).await.unwrap() {
            let state = if again { State::Due } else { State::Unclear };
            let end = settlement(&postback, attempt, state);
            let outcome = Outcome {
                status: None,
                verdict: Verdict::Unclear,
                ..end.outcome
            };
            let due = again.then_some(now);
            let end = Settlement {
                outcome,
                due,
                ..end
            };
            ledger.settle(end).await.unwrap();
            let row = self.rows.iter_mut().find(|row| row.id == postback.id);
            let row = row.unwrap();
            assert_eq!(row.attempts.last(), Some(&(attempt, How::Open)));
            row.attempts.last_mut().unwrap().1 = How::Interrupted;
            (row.state, row.due, row.lease) = (state, due, None);
        }
    }

    pub(super) async fn steer(&mut self, ledger: &Ledger, which: usize, action: Action) {
        let now = self.now;
        let Some(id) = self.row(which).map(|row| row.id) else {
            return;
        };
        let rivals = self.is_told_by_a_rival(id);
        let row = self.row(which).unwrap();
        let steered = ledger.steer(steer(action, &[row.id]), now).await;
        let steered = steered.unwrap().remove(0);
        let becomes = action.becomes();
        let pays = becomes != State::Due || (row.amount && !rivals);
        let may = action.usual().contains(&row.state) && pays;
        assert_eq!(steered.done.is_ok(), may, "{row:?}");
        if may {
            (row.state, row.lease, row.doubtful) = (becomes, None, false);
            row.due = (becomes == State::Due).then_some(now);
        }
    }

    /// Whether another order of its number tells of the same sale: their amounts are the same.
    fn is_told_by_a_rival(&self, id: PostbackId) -> bool {
        let own = self.rows.iter().find(|row| row.id == id).unwrap();
        let is_told = |row: &Row| !matches!(row.state, State::Held | State::Dead | State::Rejected);
        let is_it = |row: &&Row| row.id != id && row.number == own.number && is_told(row);
        self.rows
            .iter()
            .any(|row| is_it(&row) && row.amount && own.amount)
    }

    pub(super) async fn pause(&mut self, ledger: &Ledger) {
        let pause = Pause {
            destination: aspire(),
            at: self.now,
            actor: "alice".parse().unwrap(),
            reason: "asked".to_owned(),
        };
        let stood = ledger.pause(pause).await.unwrap();
        assert_eq!(stood.is_some(), self.paused);
        if !self.paused {
            let due = self.rows.iter_mut().filter(|row| row.state == State::Due);
            due.for_each(|row| row.lease = None);
        }
        self.paused = true;
    }

    pub(super) async fn go(&mut self, ledger: &Ledger) {
        let lifted = ledger.go(aspire(), "alice".parse().unwrap(), self.now);
        assert_eq!(lifted.await.unwrap().is_some(), self.paused);
        self.paused = false;
    }

    pub(super) async fn learn(&mut self, ledger: &Ledger, number: u8, other: bool) {
        let [id, _alias] = ids(number, other);
        let namespace = "demo".parse().unwrap();
        let learned = ledger.learn(namespace, vec![id], self.now).await.unwrap();
        let mut expected = Learned::default();
        let is_it = |row: &Row| row.number == number && row.place == 0;
        if self.rows.iter().any(is_it) {
            expected.orders = 1;
        } else if self.known.insert((number, other)) {
            expected.new = 1;
        } else {
            expected.known = 1;
        }
        assert_eq!(learned, expected);
    }

    /// Everything that can be asked is as the list has it.
    pub(super) async fn compare(&self, ledger: &Ledger) {
        for row in &self.rows {
            let told = ledger.postback(row.id).await.unwrap();
            let postback = &told.postback;
            let waits = (postback.state, postback.due, postback.amount.is_some());
            assert_eq!(waits, (row.state, row.due, row.amount), "{row:?}");
            let doubtful = postback.doubt == Some(Doubt::Unreadable);
            assert_eq!(doubtful, row.doubtful, "{row:?}");
            let attempts: Vec<_> = told.attempts.iter().map(|attempt| attempt.id).collect();
            let expected: Vec<_> = row.attempts.iter().map(|(id, _how)| *id).collect();
            assert_eq!(attempts, expected);
            let open = |attempt: &&refgate::postback::Attempt| attempt.outcome.is_none();
            let open = told.attempts.iter().filter(open).count();
            assert_eq!(open, usize::from(row.state == State::Sending), "{row:?}");
        }
        let due = self.rows.iter().filter(|_| !self.paused);
        let next = due.filter_map(|row| row.due.max(row.due.and(row.lease)));
        let next: Vec<_> = next.min().map(|at| (aspire(), at)).into_iter().collect();
        assert_eq!(ledger.waiting().await.unwrap(), next);
        let gone = |row: &&Row| {
            row.state == State::Sending && row.lease.is_none_or(|lease| lease <= self.now)
        };
        let mut expected: Vec<_> = self.rows.iter().filter(gone).map(|row| row.id).collect();
        expected.sort_unstable();
        let interrupted = ledger.interrupted(self.now).await.unwrap();
        let mut ids: Vec<_> = interrupted.iter().map(|(one, _attempt)| one.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, expected);
    }
}
