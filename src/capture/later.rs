//! A request without our parameter: perhaps the visitor's consent has come, or gone.
//!
//! The only request that carries a link's parameter is the landing, before any choice. The next
//! page still tells of it in its `Referer`, which browsers send whole within one origin (domain.md
//! §5, §7). The same for a landing that was fetched ahead of time and then shown.

use memchr::{memchr, memmem};

use super::visiting::Visiting;
use super::{By, Captured, Head, Settings, Visitor, consent, cookies, navigation, query};
use crate::event::Event;

impl Settings {
    /// Reads a request whose target has no parameter of ours.
    pub(super) fn without_parameter(
        &self,
        head: &Head<'_>,
        ours: cookies::Ours,
        by: By<'_>,
    ) -> Captured {
        let Some(landing) = self.news(head, &ours, by) else {
            return Captured {
                visitor: Visitor::sealed(ours),
                ..Captured::default()
            };
        };
        let mut visiting = Visiting::begin(self, head, &ours, by);
        if let Some(landing) = landing {
            visiting.take_late(landing);
        }
        let (visit, answer) = visiting.end();
        Captured {
            visitor: Visitor::known(ours, false, visit),
            target: None,
            answer,
        }
    }

    /// Whether a page's request tells something beside its target; then also the page before, if a
    /// parameter of ours may be in it. Most tell nothing, which is found out at once for one that
    /// has neither a cookie of ours nor a `Referer` with a query.
    fn news<'h>(
        &self,
        head: &'h Head<'_>,
        ours: &cookies::Ours,
        by: By<'_>,
    ) -> Option<Option<&'h str>> {
        let known = !ours.is_empty(head.fields);
        let referer = head.fields.get("referer");
        let told = referer.is_some_and(|referer| memchr(b'?', referer).is_some());
        if !(known || told) || !navigation::is_document(head.method, head.fields) {
            return None;
        }
        let landing = if told { self.landing(head) } else { None };
        let withdrawn = || {
            let choice = consent::choice(by.place.store, head.fields);
            known && consent::is_withdrawn(choice, head)
        };
        (landing.is_some() || withdrawn()).then_some(landing)
    }

    /// The page before, of this host, as a target, if a parameter of ours may be in it. One whose
    /// name is written with escapes is not found.
    fn landing<'h>(&self, head: &'h Head<'_>) -> Option<&'h str> {
        let landing = navigation::page_before(head.fields, head.host)?;
        let mut names = self.networks.iter().flat_map(|network| &network.parameters);
        let mentioned =
            names.any(|one| memmem::find(landing.as_bytes(), one.name.as_bytes()).is_some());
        mentioned.then_some(landing)
    }
}

impl Visiting<'_> {
    /// Takes the clicks of the page before that may be captured now, of networks that the visit has
    /// no click of.
    fn take_late(&mut self, landing: &str) {
        let apart = query::take_apart(landing, |name| self.settings.captured_named(name));
        let mut clicks = self.clicks_in(landing, &apart.ours, |_network, _parameter| {});
        let known = self.visit.iter().flat_map(|visit| &visit.clicks);
        let known: Vec<_> = known.map(|click| &click.network).collect();
        clicks.retain(|(click, _)| self.may_keep(click) && !known.contains(&&click.network));
        if self.take(clicks) {
            self.by.counters.add(Event::ClickLate);
        }
    }
}
