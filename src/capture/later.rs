//! A request without our parameter: perhaps the visitor's consent has come, or gone.
//!
//! The only request that carries a link's parameter is the landing, before any choice. The next
//! page still tells of it in its `Referer`, which browsers send whole within one origin (domain.md
//! §5, §7). The same for a landing that was fetched ahead of time and then shown.

use memchr::{memchr, memmem};
use tracing::info;

use super::{Asked, Captured, Head, Settings, Visitor, consent, cookies, navigation, query};
use crate::click::{Click, Identifies};
use crate::consent::Choice;
use crate::event::Event;
use crate::visit::{Arrival, Visit};

/// What a request tells beside its target.
struct News<'h> {
    choice: Choice,
    /// The clicks that are remembered may be no longer.
    withdrawn: bool,
    /// The page before, as a target, if it may carry a parameter of ours.
    landing: Option<&'h str>,
}

impl Settings {
    /// Reads a request whose target has no parameter of ours.
    pub(super) fn without_parameter(
        &self,
        head: &Head<'_>,
        ours: cookies::Ours,
        asked: &Asked<'_>,
    ) -> Captured {
        let mut captured = Captured::default();
        let Some(news) = self.news(head, &ours, asked) else {
            captured.visitor = Visitor::Sealed(ours);
            return captured;
        };
        let scheme = asked.store.scheme;
        let cookies = (&ours, &*head.fields);
        let mut visit = self.known(scheme, cookies, asked.now, asked.counters);
        if news.withdrawn {
            let before = visit.clone();
            visit = visit.and_then(|visit| self.exempt(visit));
            if visit.is_none() || visit != before {
                captured.answer.set_cookie = self.withdrawn(&visit, asked);
            }
        }
        for (click, identifies) in self.late_clicks(&news, &visit, asked) {
            if (asked.is_excluded)(head.fields) {
                break;
            }
            let told = (click.network.clone(), click.values.clone());
            let click = (click, identifies);
            if self.take(&mut visit, click, Arrival::Other, asked.fresh) {
                asked.counters.add(Event::ClickCaptured);
                asked.counters.add(Event::ClickLate);
                info!(store = %asked.store.name, network = %told.0, click = ?told.1,
                    "click captured, by the page before");
                captured.answer.set_cookie = self.cookie(scheme, &visit, asked.now);
            }
        }
        captured.visitor = Visitor::Known(visit);
        captured
    }

    /// What a page's request tells; none of most, which is found out at once for one that has
    /// neither a cookie of ours nor a `Referer` with a query.
    fn news<'h>(
        &self,
        head: &'h Head<'_>,
        ours: &cookies::Ours,
        asked: &Asked<'_>,
    ) -> Option<News<'h>> {
        let known = !ours.is_empty(head.fields);
        let referer = head.fields.get("referer");
        let told = referer.is_some_and(|referer| memchr(b'?', referer).is_some());
        if !(known || told) || !navigation::is_document(head.method, head.fields) {
            return None;
        }
        let landing = if told { self.landing(head) } else { None };
        if !known && landing.is_none() {
            return None;
        }
        let choice = consent::choice(asked.store, head.fields);
        let withdrawn = known && consent::is_withdrawn(choice, head);
        (withdrawn || landing.is_some()).then_some(News {
            choice,
            withdrawn,
            landing,
        })
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

    /// The clicks of the page before that may be captured now, of networks that the visit has no
    /// click of.
    fn late_clicks(
        &self,
        news: &News<'_>,
        visit: &Option<Visit>,
        asked: &Asked<'_>,
    ) -> Vec<(Click, Identifies)> {
        let Some(landing) = news.landing else {
            return Vec::new();
        };
        let apart = self.take_apart(landing);
        let mut clicks = self.clicks(&apart.ours, landing, asked.now, None);
        let known = visit.iter().flat_map(|visit| &visit.clicks);
        let known: Vec<_> = known.map(|click| &click.network).collect();
        clicks.retain(|(click, _)| {
            self.may_keep(click, news.choice) && !known.contains(&&click.network)
        });
        clicks
    }

    /// A target with our parameters taken out.
    pub(super) fn take_apart<'s>(&'s self, target: &str) -> query::Target<'s> {
        query::take_apart(target, |name| self.parameter_named(name))
    }
}
