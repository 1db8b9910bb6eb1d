//! What sessions are for: a request at the checkout tells whose they are, a confirmation without a visit asks.

use std::net::IpAddr;

use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::Watcher;
use crate::capture::{cookies, navigation};
use crate::clock::Time;
use crate::message::{Fields, RequestHead as Head};
use crate::observe::rule::is_one_of;
use crate::observe::{Decision, RequestHead};
use crate::order::FoundBy;
use crate::record::PATIENCE;
use crate::session::{self, Mark};
use crate::store::Store;
use crate::visit::Visit;

impl Watcher {
    /// Whether a request is to the checkout of `store`. What a rule means is none of its steps: whoever opens an old
    /// confirmation would prove by it that he bought.
    pub fn is_checkout(&self, asked: &RequestHead<'_>, store: &Store) -> bool {
        let Some(routes) = self.record.checkouts.get(&store.name) else {
            return false;
        };
        is_one_of(asked.path, routes) && matches!(self.rules.request(asked), Decision::Unwatched)
    }

    /// Whether any store's sessions are remembered: if not, there is nothing to [`note`](Self::note).
    pub fn notes(&self) -> bool {
        !self.record.returns.is_empty()
    }

    /// Where a request is to the checkout of a store whose sessions are remembered, notes whose `visit` its session came
    /// with; or that it came with none, where a cookie of ours would have come too. It is written down beside the request,
    /// which waits for nothing. The clock is read only there.
    pub fn note(
        &self,
        asked: &RequestHead<'_>,
        store: &Store,
        now: impl FnOnce() -> Time,
        visit: impl FnOnce(&Fields) -> Option<Visit>,
    ) {
        let Some(sessions) = self.record.returns.get(&store.name) else {
            return;
        };
        let is_step = navigation::is_step(asked.method, asked.fields);
        if !is_step || !self.is_checkout(asked, store) {
            return;
        }
        let Some(value) = cookies::only(asked.fields, &sessions.cookie) else {
            return;
        };
        let (returns, of) = (self.recorder.returns(), (&store.name, sessions));
        let Some(visit) = visit(asked.fields) else {
            if brings_cookies(asked.fields, store)
                && let Some(looking) = returns.note_stranger(of, value, now())
            {
                self.tracker.spawn(looking.instrument(Span::current()));
            }
            return;
        };
        if let Some(writing) = returns.note(of, value, visit, now()) {
            self.tracker.spawn(writing.instrument(Span::current()));
        }
    }

    /// Whether a browser without a visit has none for sure: a page or script of this very origin asks, and a cookie of
    /// ours would have come as the shop's did. Nobody else's visit is his then, whatever session he has.
    pub(super) fn is_surely_stranger(&self, head: &Head, store: &Store) -> bool {
        let has_session = || {
            let sessions = self.record.returns.get(&store.name);
            sessions.is_some_and(|it| cookies::only(&head.fields, &it.cookie).is_some())
        };
        brings_cookies(&head.fields, store)
            && (navigation::is_navigation(&head.method, &head.fields) || has_session())
    }

    /// By what the request's session is found, if its store's are remembered.
    pub(super) fn session(&self, fields: &Fields, store: &Store) -> Vec<Mark> {
        let sessions = self.record.returns.get(&store.name);
        let value = sessions.and_then(|sessions| {
            let value = cookies::only(fields, &sessions.cookie)?;
            session::is_random(value).then(|| sessions.marker.marks(value))
        });
        value.unwrap_or_default()
    }

    /// Who looks, as keyed hashes: of the shop's session, if its store's are remembered, and of the
    /// address with the program's name.
    pub(super) fn shopper(&self, fields: &Fields, store: &Store, address: IpAddr) -> Vec<Mark> {
        let mut marks = self.session(fields, store);
        if let Some(marker) = self.record.shoppers.get(&store.name) {
            let program = fields.get("user-agent").unwrap_or_default();
            marks.extend(marker.shopper(address, program));
        }
        marks
    }

    /// Whose a confirmation is: the request's own visit, or what its session was seen with. The page has been held `since` then.
    pub(super) async fn whose(
        &self,
        visit: Option<Visit>,
        session: Vec<Mark>,
        (since, now): (Instant, Time),
    ) -> (Option<Visit>, FoundBy) {
        if visit.is_some() {
            return (visit, FoundBy::Request);
        }
        // The order itself must still be entered before the page goes out.
        let deadline = (since + self.record.hold / 2).max(Instant::now() + PATIENCE);
        self.recorder.returns().find(session, now, deadline).await
    }
}

/// Whether a page of this very origin asks, where the shop's cookies have no wider scope than ours can have.
fn brings_cookies(fields: &Fields, store: &Store) -> bool {
    !store.scope.split && navigation::is_from_here(fields)
}
