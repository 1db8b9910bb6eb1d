//! Capture: whose visitor is this? From the request head alone, without I/O.
//!
//! Reads our parameters and our cookie out of a request, tells what the shop
//! may see of it, and what has to be said to the browser. Whatever is wrong
//! with either is "no click" or "no visit", never an error.

pub mod answer;
mod ask;
mod clicks;
mod consent;
pub mod cookies;
pub mod hand_over;
pub mod hops;
mod kept;
mod later;
pub mod navigation;
mod place;
pub mod query;
mod referer;
mod remember;
mod step;
pub mod token;
mod visiting;

pub use clicks::{Network, Parameter};
pub use place::Place;
pub use remember::CookieName;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::Method;

use crate::clock::Time;
use crate::consent::Choice;
use crate::event::Counters;
use crate::message::Fields;
use crate::name::GroupName;
use crate::seal;
use crate::store::Store;
use crate::visit::{Attribution, Visit, VisitId};
use hand_over::HandOver;
use visiting::Visiting;

/// How clicks are recognised and remembered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the cookie is called.
    pub cookie: CookieName,
    /// First seals, every one opens: for the groups without keys of their own.
    pub keys: seal::Keys,
    /// The keys of groups that have their own.
    pub group_keys: BTreeMap<GroupName, seal::Keys>,
    /// How long a click is worth something, from its own time.
    pub window: Duration,
    /// Which click wins.
    pub attribution: Attribution,
    /// What becomes of our parameters in the target.
    pub parameter: Handling,
    /// The networks, in the order of the configuration.
    pub networks: Vec<Network>,
    /// How clicks come along from store to store.
    pub hand_over: HandOver,
}

/// What becomes of a captured parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// The shop does not see it.
    Strip,
    /// The shop sees it.
    Keep,
    /// The browser is sent to the address without it.
    Redirect,
}

/// A request's head, as far as capture looks.
#[derive(Debug)]
pub struct Head<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Path and query, as sent.
    pub target: &'a str,
    /// The `Host`, as sent.
    pub host: &'a str,
    /// Its fields; our cookie is taken out, and our token out of the `Referer`.
    pub fields: &'a mut Fields,
}

/// What a request is read by, whatever it is.
#[derive(Clone, Copy)]
pub struct By<'a> {
    /// The request's store among the others.
    pub place: Place<'a>,
    /// When it came.
    pub now: Time,
    /// Gives the id of a visit that begins here, random.
    pub fresh: &'a dyn Fn() -> Option<VisitId>,
    /// Whether these are the fields of one who is no shopper; asked only where there is a click to
    /// be captured, or a store to be asked.
    pub is_excluded: &'a dyn Fn(&Fields) -> bool,
    /// The address of the one who asks, by these fields.
    pub client: &'a dyn Fn(&Fields) -> IpAddr,
    /// Whether the request is to the store's checkout; asked only of one who has a visit.
    pub is_checkout: &'a dyn Fn(&Fields) -> bool,
    /// Where what happens is counted.
    pub counters: &'a Counters,
}

impl fmt::Debug for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("By")
            .field("store", &self.place.store.name)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// What capture found, and what follows from it.
#[derive(Debug, Default)]
pub struct Captured {
    /// Whose visit it is: to be asked for by [`Settings::visit`].
    pub visitor: Visitor,
    /// The target for the shop, where it is another one.
    pub target: Option<String>,
    /// What the browser is told.
    pub answer: answer::Answer,
    /// A token that is not read here: for the page of this host that a redirect leads to.
    pub onward: Option<String>,
}

/// Whose request it is. Most requests need not know: a cookie is opened for those that do, once.
#[derive(Debug, Default)]
pub struct Visitor {
    /// What the request's cookies hold, still sealed.
    ours: cookies::Ours,
    /// Whether its target told something, so that there is nothing to ask another store.
    told: bool,
    /// The visit, with the click of this request; none: a stranger.
    visit: OnceCell<Option<Visit>>,
}

impl Visitor {
    fn sealed(ours: cookies::Ours) -> Self {
        Self {
            ours,
            ..Self::default()
        }
    }

    fn known(ours: cookies::Ours, told: bool, visit: Option<Visit>) -> Self {
        let visit = visit.into();
        Self { ours, told, visit }
    }

    /// Whether nobody can be known by it, which is seen without opening anything: there is no
    /// cookie of ours in `fields`.
    pub fn is_stranger(&self, fields: &Fields) -> bool {
        match self.visit.get() {
            Some(visit) => visit.is_none(),
            None => self.ours.is_empty(fields),
        }
    }
}

impl Settings {
    /// Reads `head` as a request to a store.
    pub fn capture(&self, head: &mut Head<'_>, by: By<'_>) -> Captured {
        let ours = cookies::take(head.fields, &self.cookie);
        self.came_back(head, &ours, by.place.store);
        let before = self.hide_token(head.fields, by.place);
        let store = by.place.store;
        let apart = query::take_apart(head.target, |name, value| {
            self.parameter_named(name, value, store)
        });
        if apart.ours.is_empty() {
            return self.without_parameter(head, (ours, &before), by);
        }
        let onward = self.onward(head, &apart.ours, by);
        let mut visiting = Visiting::begin(self, head, &ours, by);
        visiting.answer.personal = true;
        if navigation::is_document(head.method, head.fields) {
            visiting.arrive(&apart.ours);
            let clicks = visiting.clicks(&apart.ours);
            visiting.take(clicks);
            if let (Handling::Redirect, Some(rest)) = (self.parameter, &apart.rest) {
                let location = || format!("{}://{}{rest}", store.scheme, head.host);
                visiting.answer.redirect.get_or_insert_with(location);
            }
        }
        visiting.step();
        let target = match self.parameter {
            Handling::Strip | Handling::Redirect => apart.rest,
            Handling::Keep => self.without_token(head.target, store),
        };
        let (visit, answer) = visiting.end();
        Captured {
            visitor: Visitor::known(ours, true, visit),
            target,
            answer,
            onward,
        }
    }

    /// The visit of a captured request to `store`, whose `fields` capture has seen. Clicks whose
    /// visitor has refused are none.
    pub fn visit<'v>(
        &self,
        (visitor, fields): (&'v Visitor, &Fields),
        store: &Store,
        now: Time,
        counters: &Counters,
    ) -> Option<&'v Visit> {
        let open = || {
            let visit = self.known(store, (&visitor.ours, fields), now, counters)?;
            match consent::choice(store, fields) {
                Choice::Refused => self.exempt(visit),
                Choice::Given | Choice::Unknown => Some(visit),
            }
        };
        visitor.visit.get_or_init(open).as_ref()
    }

    /// Whether the visitor of a request to `store` has refused to be remembered.
    pub fn is_refused(&self, store: &Store, fields: &Fields) -> bool {
        consent::choice(store, fields) == Choice::Refused
    }

    /// Our own copy of a parameter's name, if it is one of ours.
    fn parameter_named(&self, name: &str, value: &str, store: &Store) -> Option<&str> {
        let token = self.token_named(name, value, store);
        token.or_else(|| self.captured_named(name))
    }

    /// The same, of what networks' links carry.
    fn captured_named(&self, name: &str) -> Option<&str> {
        let parameters = self.networks.iter().flat_map(|network| &network.parameters);
        parameters
            .map(|parameter| parameter.name.as_str())
            .find(|known| *known == name)
    }

    /// The same, of what sibling stores' links carry. A value that is no token by its look is the
    /// shop's own.
    fn token_named(&self, name: &str, value: &str, store: &Store) -> Option<&str> {
        let own = &self.hand_over.parameter;
        (store.scope.siblings && name == own && token::may_be(value)).then_some(own)
    }

    /// The target without a token, which is never the shop's business; none if there is none.
    fn without_token(&self, target: &str, store: &Store) -> Option<String> {
        query::take_apart(target, |name, value| self.token_named(name, value, store)).rest
    }
}
