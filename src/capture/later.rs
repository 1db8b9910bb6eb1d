//! A request without our parameter: perhaps the visitor's consent has come, or gone.
//!
//! The only request that carries a link's parameter is the landing, before any choice. The next
//! page still tells of it in its `Referer`, which browsers send whole within one origin (domain.md
//! §5, §7). The same for a landing that was fetched ahead of time and then shown, and for one that
//! carried another store's token.

use memchr::memchr;

use super::referer::Before;
use super::visiting::Visiting;
use super::{By, Captured, Head, Settings, Visitor, consent, cookies, navigation, query, step};
use crate::click::Click;
use crate::consent::Consent;
use crate::event::Event;

/// What a request tells beside its target; perhaps only that consent is gone.
struct News<'h> {
    /// The page before, as a target, if a parameter of a network may be in it.
    landing: Option<&'h str>,
    /// The page before's token.
    token: Option<String>,
}

impl Settings {
    /// Reads a request whose target has no parameter of ours.
    pub(super) fn without_parameter(
        &self,
        head: &Head<'_>,
        (ours, before): (cookies::Ours, &Before),
        by: By<'_>,
    ) -> Captured {
        let news = self.news(head, (&ours, before), by);
        if news.is_none() && !step::may_be(head, &ours, by) {
            return Captured {
                visitor: Visitor::sealed(ours),
                ..Captured::default()
            };
        }
        let mut visiting = Visiting::begin(self, head, &ours, by);
        if let Some(News { landing, token }) = news {
            if let Some(token) = token {
                visiting.arrive_late(&token);
            }
            if let Some(landing) = landing {
                visiting.take_late(landing);
            }
        }
        visiting.step();
        let (visit, answer) = visiting.end();
        Captured {
            visitor: Visitor::known(ours, false, visit),
            target: None,
            answer,
            onward: None,
        }
    }

    /// What a page's request tells beside its target. Most tell nothing, which is found out at once.
    fn news<'h>(
        &self,
        head: &'h Head<'_>,
        (ours, before): (&cookies::Ours, &Before),
        by: By<'_>,
    ) -> Option<News<'h>> {
        let store = by.place.store;
        let asks = matches!(store.consent, Consent::Told(_)) && !ours.is_empty(head.fields);
        let told = head
            .fields
            .get("referer")
            .is_some_and(|url| self.mentions(url));
        let had_token = before.had_token(head.fields);
        if !(asks || told || had_token) || !navigation::is_document(head.method, head.fields) {
            return None;
        }
        let landing = match told {
            true => navigation::page_before(head.fields, head.host),
            false => None,
        };
        let withdrawn = || {
            let choice = consent::choice(store, head.fields);
            asks && consent::is_withdrawn(choice, head)
        };
        let token = self.token_before(head, before);
        let is_news = landing.is_some() || token.is_some() || withdrawn();
        is_news.then_some(News { landing, token })
    }

    /// Whether a parameter of ours may be in the query of `url`. One whose name is written with
    /// escapes is not found.
    fn mentions(&self, url: &[u8]) -> bool {
        let Some(mark) = memchr(b'?', url) else {
            return false;
        };
        let query = url.get(mark..).unwrap_or_default();
        let mut names = self.networks.iter().flat_map(|network| &network.parameters);
        names.any(|one| {
            let name = one.name.as_bytes();
            query.windows(name.len().max(1)).any(|piece| piece == name)
        })
    }
}

impl Visiting<'_> {
    /// Takes the clicks of the page before that may be captured now, of networks that the visit has
    /// no click of. One that the browser still has, and whose window is over, is no new one: its page
    /// was left open.
    fn take_late(&mut self, landing: &str) {
        let apart = query::take_apart(landing, |name, _value| self.settings.captured_named(name));
        let mut clicks = self.clicks_in(landing, &apart.ours, true, |_network, _parameter| {});
        let known = self.visit.iter().flat_map(|visit| &visit.clicks);
        let known: Vec<_> = known.map(|click| &click.network).collect();
        clicks.retain(|(click, _)| self.may_keep(click) && !known.contains(&&click.network));
        if clicks.is_empty() {
            return;
        }
        let sent = (self.ours, &*self.head.fields);
        let over = self.settings.over(self.by.place.store, sent, self.by.now);
        let is_over = |click: &Click| {
            let mut over = over.iter();
            over.any(|old| (&old.network, &old.values) == (&click.network, &click.values))
        };
        clicks.retain(|(click, _)| !is_over(click));
        if self.take(clicks) {
            self.by.counters.add(Event::ClickLate);
        }
    }
}
