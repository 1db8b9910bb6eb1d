//! Asking: a visitor nobody knows here is sent to a sibling store and back, which tells of him.
//!
//! It is one redirect there and one back, for a person who opens a page, at most once in a while
//! for each browser: the marker cookie says that he was asked about. While he is away it holds
//! what the answer must repeat, afterwards nothing; nobody is known by it.

use tracing::debug;

use super::answer::Answer;
use super::hand_over::with_parameter;
use super::hops::Verdict;
use super::place::Place;
use super::remember::secure;
use super::token::{Message, Way};
use super::{By, Head, Settings, Visitor, navigation};
use crate::alarm::Alarm;
use crate::event::Event;
use crate::store::{Store, hosts};

/// What the marker holds when the answer has come.
pub(super) const ANSWERED: &str = "1";

impl Settings {
    /// What the browser is told, where a sibling store is to be asked about a visitor; `nonce` is
    /// random. Nobody is asked about one whose request carries a parameter or a token of ours.
    pub fn ask(
        &self,
        head: &Head<'_>,
        visitor: &Visitor,
        by: By<'_>,
        nonce: impl FnOnce() -> Option<u128>,
    ) -> Option<Answer> {
        let (place, now) = (by.place, by.now);
        let store = place.store;
        let wanted = store.scope.siblings && !self.hand_over.ask.is_empty();
        if !wanted || !navigation::is_navigation(head.method, head.fields) {
            return None;
        }
        if visitor.told || visitor.ours.have(head.fields, self.cookie.asked(store)) {
            return None;
        }
        // He has been asked about with the page before, and keeps no cookies.
        if navigation::is_from_here(head.fields)
            && visitor.ours.is_empty(head.fields)
            && !head.fields.contains("cookie")
        {
            return None;
        }
        let visit = self.visit((visitor, head.fields), store, now, by.counters);
        if visit.is_some() || !self.may_keep_any(store, head.fields) {
            return None;
        }
        if (by.is_excluded)(head.fields) {
            return None;
        }
        let here = hosts::name(head.host);
        let (asked, host) = self.asked(head, place, here)?;
        let nonce = format!("{:032x}", nonce()?);
        let question = Message::Ask {
            back: format!("{}://{}{}", store.scheme, head.host, head.target),
            from: here.to_ascii_lowercase(),
            nonce: nonce.clone(),
        };
        let way = Way {
            group: &store.group,
            host,
        };
        let token = way.seal(self.keys_of(store), question, now)?;
        let client = (by.client)(head.fields);
        match self.hand_over.hops.ask(client, now) {
            Verdict::Ask => {}
            Verdict::Rest => return None,
            Verdict::Fails { asked, returned } => {
                by.counters.add(Event::HopsFail);
                fails(by, (asked, returned));
                return None;
            }
        }
        by.counters.add(Event::StoreAsked);
        debug!(store = %store.name, asked = %asked.name, "another store is asked about a visitor");
        let port = head
            .host
            .get(here.len()..)
            .filter(|_| asked.scheme == store.scheme);
        let address = format!("{}://{host}{}/", asked.scheme, port.unwrap_or_default());
        let location = with_parameter(&address, &self.hand_over.parameter, &token);
        Some(Answer {
            personal: true,
            set_cookies: vec![self.marker(store, &nonce)],
            redirect: Some(location),
        })
    }

    /// `Set-Cookie` that says that the visitor was asked about.
    pub(super) fn marker(&self, store: &Store, value: &str) -> String {
        let (name, again) = (self.cookie.asked(store), self.hand_over.again.as_secs());
        let secure = secure(store.scheme);
        format!("{name}={value}; Path=/; Max-Age={again}; HttpOnly; SameSite=Lax{secure}")
    }

    /// The store that the visitor comes from, if it says so; or the first that the operator names.
    fn asked<'p>(
        &self,
        head: &Head<'_>,
        place: Place<'p>,
        here: &str,
    ) -> Option<(&'p Store, &'p str)> {
        if let Some(from) = place.sibling_before(here, head.fields) {
            return Some(from);
        }
        self.hand_over.ask.iter().find_map(|name| {
            let store = place.stores.named(name)?;
            let mut hosts = store.hosts.iter().map(String::as_str);
            let host = hosts.find(|host| place.sibling(here, host).is_some())?;
            Some((&**store, host))
        })
    }
}

/// Tells the operator.
fn fails(by: By<'_>, (asked, returned): (u32, u32)) {
    let words = format!(
        "visitors that are sent to another store do not come back from there, or without the \
         cookie ({returned} of {asked} did): for an hour nobody is sent any more"
    );
    let store = by.place.store.name.as_str();
    let alarms = by.counters.alarms();
    alarms.raise(Alarm::HopsFail, store, &words, by.now);
}
