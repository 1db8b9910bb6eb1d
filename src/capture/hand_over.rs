//! Hand-over: a visitor's clicks come along to a store that his cookie does not reach.
//!
//! They come in the token of a link or a redirect; or, where the operator allows it, the store that
//! he comes to asks another one, by sending him there and back (`ask.rs`).

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info};

use super::ask::ANSWERED;
use super::hops::Hops;
use super::query::Found;
use super::token::{Message, Way};
use super::visiting::Visiting;
use super::{By, Settings};
use crate::click::Click;
use crate::clock::Time;
use crate::event::Event;
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

impl Settings {
    /// The token that carries a visitor's clicks to `host` of the store `to`; none if it has none.
    pub fn token(&self, (to, host): (&Store, &str), clicks: &[Click], now: Time) -> Option<String> {
        let way = Way {
            group: &to.group,
            host,
        };
        let clicks = clicks.to_vec();
        way.seal(self.keys_of(to), Message::Carry { clicks }, now)
    }
}

impl Visiting<'_> {
    /// Reads the token among the parameters that a document was asked for with, if there is one.
    pub(super) fn arrive(&mut self, parameters: &[Found<'_>]) {
        let name = &self.settings.hand_over.parameter;
        let mut tokens = parameters.iter().filter(|found| found.name == name);
        let (Some(first), second) = (tokens.next(), tokens.next()) else {
            return;
        };
        let token = first.value.as_deref().filter(|_| second.is_none());
        if let Err(words) = token
            .ok_or("it is repeated or no text")
            .and_then(|token| self.read(token))
        {
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
        if (self.by.is_excluded)(self.head.fields) {
            return Err("the one who asks is excluded");
        }
        match message {
            Message::Carry { clicks } => {
                let of_a_page_of_ours = place.sibling_before(here, self.head.fields).is_some();
                self.adopt(clicks, !of_a_page_of_ours);
            }
            Message::Ask { back, from, nonce } => {
                let answer = |clicks| {
                    let nonce = nonce.clone();
                    way(&from).seal(keys, Message::Answer { clicks, nonce }, now)
                };
                let known = self.visit.as_ref().map(|visit| visit.clicks.clone());
                let token = answer(known.unwrap_or_default()).or_else(|| answer(Vec::new()));
                let token = token.ok_or("no answer can be made")?;
                let back = with_parameter(&back, &hand_over.parameter, &token);
                self.answer.redirect = Some(back);
            }
            Message::Answer { clicks, nonce } => {
                let marker = self.settings.cookie.asked(place.store);
                let mut markers = self.ours.all(self.head.fields, marker);
                if !markers.any(|marker| marker == nonce.as_bytes()) {
                    return Err("this browser has not asked");
                }
                hand_over.hops.returned(now);
                let answered = self.settings.marker(place.store, ANSWERED);
                self.answer.set_cookies.push(answered);
                self.adopt(clicks, false);
            }
        }
        Ok(())
    }

    /// Takes clicks of another store into the visit, or begins one with them.
    fn adopt(&mut self, clicks: Vec<Click>, somebody_elses: bool) {
        let By { place, now, .. } = self.by;
        let Settings {
            networks,
            window,
            attribution,
            ..
        } = self.settings;
        for click in clicks {
            let known = networks.iter().any(|one| one.name == click.network);
            if !known || !is_live(&click, *window, now) || !self.may_keep(&click) {
                continue;
            }
            let told = (click.network.clone(), click.values.clone(), click.at);
            let taken = match &mut self.visit {
                Some(visit) => visit.adopt(click, *attribution, somebody_elses),
                None => {
                    self.visit = (self.by.fresh)().map(|id| Visit::new(id, click));
                    self.visit.is_some()
                }
            };
            if taken {
                self.changed = true;
                self.by.counters.add(Event::ClickHandedOver);
                info!(store = %place.store.name, network = %told.0, click = ?told.1, at = %told.2,
                    "a click came along from another store");
            }
        }
    }
}
