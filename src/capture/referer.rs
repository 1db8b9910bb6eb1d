//! The token in the `Referer`: on the page after the landing, and with all that the landing loads.
//!
//! The shop does not see it there either. It is read once more: a click that could not be taken with
//! the landing, because consent for it came after, is taken with the next page (`later.rs`).

use memchr::memmem;

use super::hand_over::one;
use super::place::Place;
use super::token::{Message, Way};
use super::visiting::Visiting;
use super::{Head, Settings, navigation, query, token};
use crate::event::Event;
use crate::message::{Edit, Fields, Replaced};
use crate::store::hosts;

/// The `Referer` that had a token in it, as it came.
#[derive(Debug, Default)]
pub(super) struct Before(Replaced);

impl Before {
    /// Whether there was one in these fields.
    pub(super) fn had_token(&self, fields: &Fields) -> bool {
        fields.replaced(&self.0).next().is_some()
    }
}

impl Settings {
    /// Takes the token out of the `Referer`, where that is a page of the store's group.
    pub(super) fn hide_token(&self, fields: &mut Fields, place: Place<'_>) -> Before {
        if !place.store.scope.siblings {
            return Before::default();
        }
        let hidden = |referer: &[u8]| {
            memmem::find(referer, self.hand_over.parameter.as_bytes())?;
            let referer = std::str::from_utf8(referer).ok()?;
            let store = place.stores.find(host(referer)?)?;
            let is_ours = store.group == place.store.group;
            is_ours
                .then(|| self.without_token(referer, place.store))
                .flatten()
        };
        Before(fields.edit("referer", |referer| {
            hidden(referer).map_or(Edit::Keep, |rest| Edit::Replace(rest.into_bytes()))
        }))
    }

    /// The token of the page before, if that was one of this very host.
    pub(super) fn token_before(&self, head: &Head<'_>, before: &Before) -> Option<String> {
        let referer = head.fields.replaced(&before.0).next()?;
        navigation::page_before(head.fields, head.host)?;
        let referer = std::str::from_utf8(referer).ok()?;
        let own = self.hand_over.parameter.as_str();
        let apart = query::take_apart(referer, |name, value| {
            (name == own && token::may_be(value)).then_some(own)
        });
        one(&apart.ours, own)?.ok().map(str::to_owned)
    }
}

impl Visiting<'_> {
    /// Takes the clicks of the page before that may be taken now. Whose page that had the link is
    /// not known any more.
    pub(super) fn arrive_late(&mut self, token: &str) {
        let way = Way {
            group: &self.by.place.store.group,
            host: hosts::name(self.head.host),
        };
        let keys = self.settings.keys_of(self.by.place.store);
        let lifetime = self.settings.hand_over.lifetime;
        let message = way.open(keys, token, lifetime, self.by.now);
        if let Some(Message::Carry { clicks, by }) = message
            && !(self.by.is_excluded)(self.head.fields)
            && self.adopt(clicks, &self.leg(by, true), true)
        {
            self.by.counters.add(Event::ClickLate);
        }
    }
}

/// The host of an address, without its port.
fn host(address: &str) -> Option<&str> {
    let (_scheme, rest) = address.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.get(..end).map(hosts::name)
}
