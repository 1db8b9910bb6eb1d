//! Capture: whose visitor is this? From the request head alone, without I/O.
//!
//! Reads our parameters and our cookie out of a request, tells what the shop
//! may see of it, and what has to be said to the browser. Whatever is wrong
//! with either is "no click" or "no visit", never an error.

pub mod answer;
pub mod cookies;
pub mod navigation;
pub mod query;
mod remember;

pub use remember::CookieName;

use std::time::Duration;

use http::Method;
use regex::Regex;
use tracing::{debug, info};

use crate::click::{Click, Identifies, Values};
use crate::clock::Time;
use crate::event::{Counters, Event};
use crate::message::Fields;
use crate::name::NetworkName;
use crate::seal;
use crate::store::Store;
use crate::visit::{Arrival, Attribution, Visit, VisitId};

/// How clicks are recognised and remembered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the cookie is called.
    pub cookie: CookieName,
    /// First seals, every one opens.
    pub keys: seal::Keys,
    /// How long a click is worth something, from its own time.
    pub window: Duration,
    /// Which click wins.
    pub attribution: Attribution,
    /// What becomes of our parameters in the target.
    pub parameter: Handling,
    /// The networks, in the order of the configuration.
    pub networks: Vec<Network>,
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

/// How one network's clicks are recognised.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its name.
    pub name: NetworkName,
    /// What the values identify.
    pub identifies: Identifies,
    /// All that a link may carry; those that are required make the click.
    pub parameters: Vec<Parameter>,
}

/// One query parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The exact decoded name.
    pub name: String,
    /// What a value must match, whole.
    pub pattern: Regex,
    /// Longest value in bytes.
    pub max_length: usize,
    /// Whether there is a click without it.
    pub required: bool,
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
    /// Its fields; our cookie is taken out.
    pub fields: &'a mut Fields,
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
}

/// Whose request it is. Most requests need not know: a cookie is opened for those that do.
#[derive(Debug)]
pub enum Visitor {
    /// What the request's cookies hold, still sealed.
    Sealed(cookies::Ours),
    /// The visit, with the click of this request; none: a stranger.
    Known(Option<Visit>),
}

impl Visitor {
    /// Whether nothing that came with the request can tell of a visit: known without opening anything.
    pub const fn is_stranger(&self) -> bool {
        match self {
            Self::Sealed(ours) => ours.are_none(),
            Self::Known(visit) => visit.is_none(),
        }
    }
}

impl Default for Visitor {
    fn default() -> Self {
        Self::Known(None)
    }
}

impl Settings {
    /// Reads `head` as a request to `store` at `now`; `fresh` gives the id of a
    /// visit that begins here, random.
    pub fn capture(
        &self,
        head: &mut Head<'_>,
        store: &Store,
        (now, fresh): (Time, &dyn Fn() -> Option<VisitId>),
        counters: &Counters,
    ) -> Captured {
        let ours = cookies::take(head.fields, &self.cookie);
        let apart = query::take_apart(head.target, |name| self.parameter_named(name));
        let mut captured = Captured::default();
        if apart.ours.is_empty() {
            captured.visitor = Visitor::Sealed(ours);
            return captured;
        }
        captured.answer.personal = true;
        let clicks = self.clicks(&apart.ours, now, counters);
        let mut visit = self.known(store.scheme, (&ours, head.fields), now, counters);
        if navigation::is_document(head.method, head.fields) {
            let arrival = navigation::arrival(head.fields, head.host);
            for (click, identifies) in clicks {
                let told = (click.network.clone(), click.values.clone());
                if !self.take(&mut visit, (click, identifies), arrival, fresh) {
                    continue;
                }
                counters.add(Event::ClickCaptured);
                info!(store = %store.name, network = %told.0, click = ?told.1, "click captured");
                captured.answer.set_cookie = self.cookie(store.scheme, &visit, now);
            }
            if self.parameter == Handling::Redirect
                && let Some(rest) = &apart.rest
            {
                let location = format!("{}://{}{rest}", store.scheme, head.host);
                captured.answer.redirect = Some(location);
            }
        }
        if self.parameter != Handling::Keep {
            captured.target = apart.rest;
        }
        captured.visitor = Visitor::Known(visit);
        captured
    }

    /// The visit of a captured request to `store`, whose `fields` capture has seen.
    pub fn visit(
        &self,
        (visitor, fields): (&Visitor, &Fields),
        store: &Store,
        now: Time,
        counters: &Counters,
    ) -> Option<Visit> {
        match visitor {
            Visitor::Known(visit) => visit.clone(),
            Visitor::Sealed(ours) => self.known(store.scheme, (ours, fields), now, counters),
        }
    }

    /// Takes `click` into the visit, or begins one with it; false if it changes nothing.
    fn take(
        &self,
        visit: &mut Option<Visit>,
        (click, identifies): (Click, Identifies),
        arrival: Arrival,
        fresh: &dyn Fn() -> Option<VisitId>,
    ) -> bool {
        if let Some(visit) = visit {
            return visit.take(click, arrival, identifies, self.attribution);
        }
        let Some(id) = fresh() else { return false };
        *visit = Some(Visit::new(id, click));
        true
    }

    fn parameter_named(&self, name: &str) -> Option<&str> {
        let parameters = self.networks.iter().flat_map(|network| &network.parameters);
        parameters
            .map(|parameter| parameter.name.as_str())
            .find(|known| *known == name)
    }

    /// The clicks in what a target carries: one per network whose required
    /// parameters are there, once each, and match.
    fn clicks(
        &self,
        found: &[query::Found<'_>],
        now: Time,
        counters: &Counters,
    ) -> Vec<(Click, Identifies)> {
        let mut clicks = Vec::new();
        for network in &self.networks {
            let mut values = Values::new();
            let mut complete = true;
            for parameter in &network.parameters {
                let mut of_it = found.iter().filter(|found| found.name == parameter.name);
                let (first, second) = (of_it.next(), of_it.next());
                let value = first
                    .filter(|_| second.is_none())
                    .and_then(|found| found.value.as_deref())
                    .filter(|value| parameter.takes(value));
                if first.is_some() && value.is_none() {
                    counters.add(Event::ClickRefused);
                    debug!(network = %network.name, parameter = parameter.name,
                        "the value is repeated, empty, too long or does not match");
                }
                match value {
                    Some(value) => {
                        values.insert(parameter.name.clone(), value.to_owned());
                    }
                    None => complete &= !parameter.required,
                }
            }
            if complete && !values.is_empty() {
                let network_name = network.name.clone();
                let click = Click {
                    network: network_name,
                    values,
                    at: now,
                };
                clicks.push((click, network.identifies));
            }
        }
        clicks
    }
}

impl Parameter {
    /// Whether `value` is one that the operator allows: the pattern matches it whole.
    pub fn takes(&self, value: &str) -> bool {
        let whole = |found: regex::Match<'_>| found.range() == (0..value.len());
        let control = value.chars().any(char::is_control);
        !value.is_empty()
            && !control
            && value.len() <= self.max_length
            && self.pattern.find(value).is_some_and(whole)
    }
}
