//! Hand-over: a visitor's clicks come along to a store that his cookie does not reach.
//!
//! They come in the token of a link or a redirect; or, where the operator allows it, the store that
//! he comes to asks another one, by sending him there and back (`ask.rs`).

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tracing::{debug, info};

use super::ask::ANSWERED;
use super::hops::Hops;
use super::query::Found;
use super::token::{Message, Way};
use super::visiting::Visiting;
use super::{By, Head, Settings, Visitor, consent, navigation};
use crate::click::{self, Click, Leg};
use crate::clock::Time;
use crate::consent::Choice;
use crate::event::{Counters, Event};
use crate::message::Fields;
use crate::name::StoreName;
use crate::store::{Store, hosts};
use crate::visit::{Visit, is_live};

/// How clicks are handed over.
#[derive(Clone, Debug)]
pub struct HandOver {
    /// The query parameter that carries a token.
    pub parameter: String,
    /// How long a token may be on its way, from the page or redirect that it stands in.
    pub lifetime: Duration,
    /// Whether redirects to other stores carry one.
    pub redirects: bool,
    /// Whether links and forms in pages do.
    pub links: bool,
    /// Which stores are asked about a visitor nobody knows; none: nobody is asked.
    pub ask: Vec<StoreName>,
    /// How long nobody is asked again about the same visitor.
    pub again: Duration,
    /// How asking has gone.
    pub hops: Arc<Hops>,
}

/// `address` with a parameter more at the end of its query; it has no fragment.
pub(super) fn with_parameter(address: &str, name: &str, value: &str) -> String {
    let mark = if address.contains('?') { '&' } else { '?' };
    format!("{address}{mark}{name}={value}")
}

/// The value of the parameter `name`, if it is among these.
pub(super) fn one<'f>(found: &'f [Found<'_>], name: &str) -> Option<Result<&'f str, &'static str>> {
    let mut of_it = found.iter().filter(|found| found.name == name);
    let (first, second) = (of_it.next()?, of_it.next());
    let value = first.value.as_deref().filter(|_| second.is_none());
    Some(value.ok_or("it is repeated or no text"))
}

impl Settings {
    /// The clicks of a captured request's visitor that may go along to other stores; none if there
    /// are none. What is remembered of one who has not said yes stays here.
    pub fn to_go_along(
        &self,
        known: (&Visitor, &Fields),
        store: &Store,
        now: Time,
        counters: &Counters,
    ) -> Option<Vec<Click>> {
        let choice = consent::choice(store, known.1);
        let visit = self.visit(known, store, now, counters)?;
        let clicks = visit.clicks.iter();
        let free = clicks.filter(|click| choice == Choice::Given || !self.needs_consent(click));
        let free: Vec<_> = free.cloned().collect();
        (!free.is_empty()).then_some(free)
    }

    /// The token of a form that is sent by POST. Browsers send no cookie of ours with one from another
    /// site, so what is known here already cannot be seen: the next page reads it.
    pub(super) fn onward(
        &self,
        head: &Head<'_>,
        found: &[Found<'_>],
        by: By<'_>,
    ) -> Option<String> {
        if *head.method != Method::POST || !navigation::is_page(head.fields) {
            return None;
        }
        let store = by.place.store;
        let way = Way {
            group: &store.group,
            host: hosts::name(head.host),
        };
        let token = one(found, &self.hand_over.parameter)?.ok()?;
        let (keys, lifetime) = (self.keys_of(store), self.hand_over.lifetime);
        let message = way.open(keys, token, lifetime, by.now)?;
        matches!(message, Message::Carry { .. }).then(|| token.to_owned())
    }

    /// The token that carries a visitor's clicks to `host` of the store `to`, in a link or a redirect; none if it has none.
    pub fn token(
        &self,
        (to, host): (&Store, &str),
        clicks: &[Click],
        by: click::By,
        now: Time,
    ) -> Option<String> {
        let way = Way {
            group: &to.group,
            host,
        };
        way.carry(self.keys_of(to), clicks, by, now)
    }
}

impl Visiting<'_> {
    /// Reads the token among the parameters that a document was asked for with, if there is one.
    pub(super) fn arrive(&mut self, parameters: &[Found<'_>]) {
        let Some(token) = one(parameters, &self.settings.hand_over.parameter) else {
            return;
        };
        if let Err(words) = token.and_then(|token| self.read(token)) {
            self.by.counters.add(Event::TokenRefused);
            debug!(store = %self.by.place.store.name,
                "a token of another store is not taken: {words}");
        }
    }

    fn read(&mut self, token: &str) -> Result<(), &'static str> {
        let By { place, now, .. } = self.by;
        let here = hosts::name(self.head.host);
        let way = |host| Way {
            group: &place.store.group,
            host,
        };
        let keys = self.settings.keys_of(place.store);
        let hand_over = &self.settings.hand_over;
        let message = way(here)
            .open(keys, token, hand_over.lifetime, now)
            .ok_or("it is not whole, not for this host, or too old")?;
        let is_excluded = (self.by.is_excluded)(self.head.fields);
        match message {
            Message::Carry { .. } | Message::Answer { .. } if is_excluded => {
                return Err("the one who asks is excluded");
            }
            Message::Carry { clicks, by } => {
                let of_a_page_of_ours = place.sibling_before(here, self.head.fields).is_some();
                self.adopt(clicks, &self.leg(by, false), !of_a_page_of_ours);
            }
            Message::Ask { back, from, nonce } => {
                // Whoever he is, he is sent back: what he asked for is there.
                let known = self.visit.iter().filter(|_| !is_excluded);
                let known = known.flat_map(|visit| &visit.clicks);
                let known = known.filter(|click| self.may_keep(click)).cloned();
                let known: Vec<_> = known.collect();
                let token = way(&from).answer(keys, &known, &nonce, now);
                let token = token.ok_or("no answer can be made")?;
                let back = with_parameter(&back, &hand_over.parameter, &token);
                self.answer.redirect = Some(back);
            }
            Message::Answer { clicks, nonce } => {
                let marker = self.settings.cookie.asked(place.store);
                let mut markers = self.ours.all(self.head.fields, marker).peekable();
                // Of several tabs that asked at once one has the marker: all have come back.
                if markers.peek().is_some() {
                    let client = (self.by.client)(self.head.fields);
                    hand_over.hops.returned(client, now);
                }
                if !markers.any(|marker| marker == nonce.as_bytes()) {
                    return Err("this browser has not asked");
                }
                let answered = self.settings.marker(place.store, ANSWERED);
                self.answer.set_cookies.push(answered);
                self.adopt(clicks, &self.leg(click::By::Ask, false), false);
            }
        }
        Ok(())
    }

    /// The leg by which another store's clicks come here.
    pub(super) fn leg(&self, by: click::By, late: bool) -> Leg {
        let store = self.by.place.store.name.clone();
        Leg { by, store, late }
    }

    /// Takes clicks of another store into the visit, or begins one with them; whether it took any. This `leg` brought them.
    pub(super) fn adopt(&mut self, clicks: Vec<Click>, leg: &Leg, somebody_elses: bool) -> bool {
        let mut any = false;
        let By { place, now, .. } = self.by;
        let Settings {
            networks,
            window,
            attribution,
            ..
        } = self.settings;
        for mut click in clicks {
            let known = networks.iter().any(|one| one.name == click.network);
            if !known || !is_live(&click, *window, now) || !self.may_keep(&click) {
                continue;
            }
            let told = (click.network.clone(), click.values.clone(), click.at);
            click.came.on(leg.clone());
            let taken = match &mut self.visit {
                Some(visit) => visit.adopt(click, *attribution, somebody_elses, now),
                None => {
                    self.visit = (self.by.fresh)().map(|id| Visit::new(id, click));
                    self.visit.is_some()
                }
            };
            if taken {
                any = true;
                self.changed = true;
                self.by.counters.add(Event::ClickHandedOver);
                info!(store = %place.store.name, network = %told.0, click = ?told.1, at = %told.2,
                    "a click came along from another store");
            }
        }
        any
    }
}
