//! A request that is read: what is known of its visitor, and what becomes of that.

use tracing::{debug, warn};

use super::answer::Answer;
use super::{By, Head, Settings, consent, cookies, navigation};
use crate::consent::Choice;
use crate::event::Event;
use crate::visit::Visit;

/// One request's visit, from what its cookies tell to what the browser is told.
pub(super) struct Visiting<'a> {
    pub(super) settings: &'a Settings,
    pub(super) head: &'a Head<'a>,
    pub(super) ours: &'a cookies::Ours,
    pub(super) by: By<'a>,
    /// What the visitor has chosen.
    pub(super) choice: Choice,
    pub(super) visit: Option<Visit>,
    /// Whether the request has made a click.
    pub(super) clicked: bool,
    /// Whether the browser is to keep another visit than it has sent.
    pub(super) changed: bool,
    pub(super) answer: Answer,
}

impl<'a> Visiting<'a> {
    /// The visit that the request's cookies tell of, as far as its visitor has not withdrawn.
    pub(super) fn begin(
        settings: &'a Settings,
        head: &'a Head<'a>,
        ours: &'a cookies::Ours,
        by: By<'a>,
    ) -> Self {
        let store = by.place.store;
        let mut visiting = Self {
            settings,
            head,
            ours,
            by,
            choice: consent::choice(store, head.fields),
            visit: settings.known(store, (ours, head.fields), by.now, by.counters),
            clicked: false,
            changed: false,
            answer: Answer::default(),
        };
        visiting.withdraw();
        visiting
    }

    /// Where consent is refused or gone, the clicks that need it are none from here on, and the
    /// browser forgets them with the next page. Cookies of ours that do not open go along.
    fn withdraw(&mut self) {
        let sent = !self.ours.is_empty(self.head.fields);
        if !sent || !consent::is_withdrawn(self.choice, self.head) {
            return;
        }
        let before = self.visit.clone();
        let left = self.visit.take();
        self.visit = left.and_then(|visit| self.settings.exempt(visit));
        let opens_page = navigation::is_document(self.head.method, self.head.fields);
        if opens_page && (self.visit.is_none() || self.visit != before) {
            self.changed = true;
            self.by.counters.add(Event::ConsentWithdrawn);
            debug!(store = %self.by.place.store.name,
                "consent is refused or gone, and so are the clicks");
        }
    }

    /// The visit, and what the browser is told.
    pub(super) fn end(mut self) -> (Option<Visit>, Answer) {
        if self.changed {
            let place = (&**self.by.place.store, self.head.host);
            let sent = (self.ours, &*self.head.fields);
            let cookies = match &self.visit {
                Some(visit) => self.settings.remember(visit, place, sent, self.by.now),
                None => self.settings.forget(place, sent),
            };
            if self.visit.is_some() {
                self.gave(&cookies);
            }
            if cookies.is_empty() {
                self.by.counters.add(Event::CookieLost);
                warn!(store = %self.by.place.store.name,
                    "a visit could not be sealed: its newest click or checkout step is not kept");
            }
            self.answer.set_cookies.extend(cookies);
        }
        (self.visit, self.answer)
    }
}
