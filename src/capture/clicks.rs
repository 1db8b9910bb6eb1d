//! The clicks that a request makes, by what its target carries.

use regex::Regex;
use tracing::{debug, info};

use super::visiting::Visiting;
use super::{navigation, query};
use crate::click::{Came, Click, Identifies, Values};
use crate::consent::Need;
use crate::event::Event;
use crate::name::NetworkName;
use crate::visit::{Arrival, Visit};

/// How one network's clicks are recognised.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its name.
    pub name: NetworkName,
    /// What the values identify.
    pub identifies: Identifies,
    /// All that a link may carry; those that are required make the click.
    pub parameters: Vec<Parameter>,
    /// Whether its clicks need consent, in a store that asks for it.
    pub consent: Need,
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

/// A click, and what its values identify.
pub(super) type Found = (Click, Identifies);

impl Visiting<'_> {
    /// The clicks in what the request's target carries; what is no click is counted.
    pub(super) fn clicks(&self, found: &[query::Found<'_>]) -> Vec<Found> {
        let (target, counters) = (self.head.target, self.by.counters);
        self.clicks_in(target, found, false, |network, parameter| {
            counters.add(Event::ClickRefused);
            debug!(network = %network.name, parameter = parameter.name,
                "the value is repeated, empty, too long or does not match");
        })
    }

    /// The clicks in what `target` carries: one per network whose required parameters are there,
    /// once each, and match. `late`, where it is the target of the page before.
    pub(super) fn clicks_in(
        &self,
        target: &str,
        found: &[query::Found<'_>],
        late: bool,
        refused: impl Fn(&Network, &Parameter),
    ) -> Vec<Found> {
        let mut clicks = Vec::new();
        for network in &self.settings.networks {
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
                    refused(network, parameter);
                }
                match value {
                    Some(value) => {
                        values.insert(parameter.name.clone(), value.to_owned());
                    }
                    None => complete &= !parameter.required,
                }
            }
            if !complete || values.is_empty() {
                continue;
            }
            if let Need::NotNeededIf(all) = &network.consent
                && all.iter().all(|(name, is)| query::says(target, name, is))
            {
                values.extend(all.clone());
            }
            let click = Click {
                network: network.name.clone(),
                values,
                at: self.by.now,
                came: Came::landed(self.by.place.store.name.clone(), late),
            };
            clicks.push((click, network.identifies));
        }
        clicks
    }

    /// Takes the request's clicks into the visit, if they may be captured; whether it took any.
    pub(super) fn take(&mut self, clicks: Vec<Found>) -> bool {
        let store = &self.by.place.store.name;
        if !clicks.is_empty() && (self.by.is_excluded)(self.head.fields) {
            self.by.counters.add(Event::ClickExcluded);
            debug!(%store, "no click is captured: the one who asks is excluded");
            return false;
        }
        let mut taken = false;
        let arrival = navigation::arrival(self.head.fields, self.head.host);
        for (click, identifies) in clicks {
            if !self.may_keep(&click) {
                self.by.counters.add(Event::ClickWithoutConsent);
                debug!(%store, network = %click.network, choice = ?self.choice,
                    "no click is captured: consent is not given");
                continue;
            }
            let told = (click.network.clone(), click.values.clone());
            if self.add((click, identifies), arrival) {
                self.by.counters.add(Event::ClickCaptured);
                info!(%store, network = %told.0, click = ?told.1, "click captured");
                taken = true;
            }
        }
        taken
    }

    /// Takes `click` into the visit, or begins one with it; false if it changes nothing.
    pub(super) fn add(&mut self, (click, identifies): Found, arrival: Arrival) -> bool {
        let attribution = self.settings.attribution;
        let added = match &mut self.visit {
            Some(visit) => visit.take(click, arrival, identifies, attribution),
            None => {
                self.visit = (self.by.fresh)().map(|id| Visit::new(id, click));
                self.visit.is_some()
            }
        };
        self.clicked |= added;
        self.changed |= added;
        added
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
