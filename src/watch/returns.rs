//! What sessions are for: a request at the checkout tells whose they are, a confirmation without a visit asks.

use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::Watcher;
use crate::capture::cookies;
use crate::clock::Time;
use crate::message::{Fields, RequestHead as Head};
use crate::observe::rule::is_one_of;
use crate::order::FoundBy;
use crate::record::PATIENCE;
use crate::session::{self, Mark};
use crate::store::Store;
use crate::visit::Visit;

impl Watcher {
    /// Where a request is to a checkout route of a store whose sessions are remembered, notes whose `visit` its session came
    /// with. It is written down beside the request, which waits for nothing. The clock is read only there.
    pub fn note(
        &self,
        head: &Head,
        store: &Store,
        now: impl FnOnce() -> Time,
        visit: impl FnOnce(&Fields) -> Option<Visit>,
    ) {
        let Some(checkout) = self.record.returns.get(&store.name) else {
            return;
        };
        let is_checkout = |path| is_one_of(path, &checkout.routes);
        if !head.target.path().is_some_and(is_checkout) {
            return;
        }
        store.traffic.sales.at_checkout();
        let Some(value) = cookies::only(&head.fields, &checkout.cookie) else {
            return;
        };
        let Some(visit) = visit(&head.fields) else {
            return;
        };
        let returns = self.recorder.returns();
        if let Some(writing) = returns.note((&store.name, checkout), value, visit, now()) {
            self.tracker.spawn(writing.instrument(Span::current()));
        }
    }

    /// By what the request's session is found, if its store's are remembered.
    pub(super) fn session(&self, fields: &Fields, store: &Store) -> Vec<Mark> {
        let checkout = self.record.returns.get(&store.name);
        let value = checkout.and_then(|checkout| {
            let value = cookies::only(fields, &checkout.cookie)?;
            session::is_random(value).then(|| checkout.marker.marks(value))
        });
        value.unwrap_or_default()
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
