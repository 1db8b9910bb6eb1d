//! The rules, indexed by host and then by path: does one mean this request?

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;

use crate::message::Fields;
use crate::store::hosts::Hosts;
use crate::store::{Store, Stores};

use super::Settings;
use super::explain::Miss;
use super::guard::Guard;
use super::html::{Part, Queries, Query};
use super::rule::{Direction, FirstView, Read, Rule, Source, Then};
use super::target;
use super::watch::{Candidate, Limits, Watch};

/// Every rule, ready to be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rules(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hosts: Hosts<Host>,
    all: Vec<Arc<Compiled>>,
    limits: Limits,
}

/// The rules that may mean a request to one host.
#[derive(Debug)]
struct Host {
    store: Arc<Store>,
    rules: Branch,
}

/// Rules by the segments that their paths begin with, as far as those are fixed.
#[derive(Debug, Default)]
struct Branch {
    /// Those whose next segment may be anything, or that have none.
    rules: Vec<Arc<Compiled>>,
    /// The others, by their next segment.
    next: HashMap<String, Self>,
}

/// A rule with what can be worked out beforehand.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) rule: Rule,
    /// Its place in the configuration.
    order: usize,
    /// What it asks of a page.
    pub(crate) queries: Queries,
    /// What must be in the body, and what must not.
    pub(super) contains: Vec<Guard>,
    pub(super) lacks: Vec<Guard>,
    /// The texts of a first view.
    pub(super) first_view: Vec<Guard>,
}

/// The head of a request, as it goes to the shop.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// Without port, in any case.
    pub host: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The path, as sent.
    pub path: &'a str,
    /// The query, as sent, without the question mark.
    pub query: Option<&'a str>,
    /// Its fields.
    pub fields: &'a Fields,
}

/// What the rules say of a request.
#[derive(Debug)]
pub enum Decision {
    /// No rule means it.
    Unwatched,
    /// A rule may mean it, but path or method can be read in two ways: it is
    /// forwarded untouched and never makes a sighting.
    Ambiguous,
    /// At least one rule means it.
    Watched(Watch),
}

impl Rules {
    /// Indexes the rules that read responses.
    ///
    /// Rules on requests, and those that mean something else than an order, are
    /// left out: nothing follows from them yet.
    pub fn new(settings: Settings, stores: &Stores) -> Self {
        let limits = Limits {
            body: settings.body_limit,
            decoded: settings.decoded_limit,
            pixels: settings.pixels,
        };
        let usable =
            |rule: &Rule| rule.on == Direction::Response && matches!(rule.then, Then::Order { .. });
        let rules = settings.rules.into_iter().filter(usable).enumerate();
        let all: Vec<_> = rules
            .map(|(order, rule)| Arc::new(Compiled::new(order, rule)))
            .collect();
        let hosts = stores.all().iter().flat_map(|store| {
            let hosts = store.hosts.iter();
            hosts.map(|host| (host.clone(), Host::new(host, store, &all)))
        });
        let hosts = hosts.collect();
        Self(Arc::new(Inner { hosts, all, limits }))
    }

    /// Whether a rule means this request. Costs two look-ups where none does.
    pub fn request(&self, head: &RequestHead<'_>) -> Decision {
        let Some(host) = self.host(head.host) else {
            return Decision::Unwatched;
        };
        if let Some(doubtful) = host.is_overridden(head) {
            return if doubtful {
                Decision::Ambiguous
            } else {
                Decision::Unwatched
            };
        }
        let plain = target::plain(head.path);
        if plain.is_some_and(|path| host.rules(path.split('/')).next().is_none()) {
            return Decision::Unwatched;
        }
        let Some(segments) = target::segments(head.path) else {
            return match host.may_mean(&target::guess(head.path)) {
                true => Decision::Ambiguous,
                false => Decision::Unwatched,
            };
        };
        let parameters = || target::parameters(head.query.unwrap_or(""));
        let mut candidates = Vec::new();
        for rule in host.rules(segments.iter().map(AsRef::as_ref)) {
            if let Ok(named) = rule.means(head.method, &segments, parameters) {
                candidates.push(Candidate {
                    rule: Arc::clone(rule),
                    named,
                });
            }
        }
        if candidates.is_empty() {
            return Decision::Unwatched;
        }
        candidates.sort_by_key(|candidate| candidate.rule.order);
        Decision::Watched(Watch::new(
            Arc::clone(&host.store),
            candidates,
            parameters(),
            self.0.limits.clone(),
        ))
    }

    /// The largest copy of a body that is worth keeping, in bytes.
    pub fn body_limit(&self) -> usize {
        self.0.limits.body
    }

    pub(super) fn decoded_limit(&self) -> usize {
        self.0.limits.decoded
    }

    pub(super) fn all(&self) -> &[Arc<Compiled>] {
        &self.0.all
    }

    pub(super) fn store(&self, host: &str) -> Option<&Arc<Store>> {
        self.host(host).map(|host| &host.store)
    }

    fn host(&self, host: &str) -> Option<&Host> {
        self.0.hosts.get(host)
    }
}

impl Host {
    fn new(name: &str, store: &Arc<Store>, all: &[Arc<Compiled>]) -> Self {
        let mut host = Self {
            store: Arc::clone(store),
            rules: Branch::default(),
        };
        for rule in all.iter().filter(|rule| rule.is_for(name, store)) {
            let fixed = rule.rule.when.path.fixed();
            let branch = fixed.fold(&mut host.rules, |branch, segment| {
                branch.next.entry(segment.to_owned()).or_default()
            });
            branch.rules.push(Arc::clone(rule));
        }
        host
    }

    /// The rules that may mean a path of these segments.
    fn rules<'h, 's>(
        &'h self,
        segments: impl IntoIterator<Item = &'s str>,
    ) -> impl Iterator<Item = &'h Arc<Compiled>> {
        let mut segments = segments.into_iter();
        let next = move |branch: &&'h Branch| branch.next.get(segments.next()?);
        std::iter::successors(Some(&self.rules), next).flat_map(|branch| &branch.rules)
    }

    /// Whether a rule means a path with these segments, with or without a slash at its end.
    fn may_mean(&self, segments: &[String]) -> bool {
        let mut slashed = segments.to_vec();
        slashed.push(String::new());
        let means = |rule: &Arc<Compiled>| {
            let path = &rule.rule.when.path;
            path.matches(segments).is_some() || path.matches(&slashed).is_some()
        };
        self.rules(slashed.iter().map(String::as_str)).any(means)
    }

    /// If path or method are overridden: whether a rule means the one or the other path.
    fn is_overridden(&self, head: &RequestHead<'_>) -> Option<bool> {
        let mut overrides = target::overrides(head.fields).peekable();
        overrides.peek()?;
        let may_mean = |path: &str| self.may_mean(&target::guess(path));
        Some(may_mean(head.path) || overrides.any(|path| may_mean(&path)))
    }
}

impl Compiled {
    fn new(order: usize, rule: Rule) -> Self {
        // The mark comes last, where `Sources::is_marked` looks for it.
        let reads = rule.read.iter().chain(rule.proof.read());
        let queries: Vec<Query> = reads.filter_map(query).collect();
        let guards = |texts: &[String]| texts.iter().map(|text| Guard::new(text)).collect();
        Self {
            contains: guards(&rule.when.contains),
            lacks: guards(&rule.when.lacks),
            first_view: match &rule.proof.first_view {
                Some(FirstView::Contains(texts)) => guards(texts),
                Some(FirstView::Read(_)) | None => Vec::new(),
            },
            rule,
            order,
            queries: Queries::new(&queries),
        }
    }

    /// Whether it is for this host of this store.
    pub(super) fn is_for(&self, host: &str, store: &Store) -> bool {
        let Rule { stores, when, .. } = &self.rule;
        let same = |other: &String| other.eq_ignore_ascii_case(host);
        (stores.is_empty() || stores.contains(&store.name))
            && (when.hosts.is_empty() || when.hosts.iter().any(same))
    }

    /// What the named segments are, if it means such a request.
    pub(super) fn means(
        &self,
        method: &Method,
        segments: &[impl AsRef<str>],
        parameters: impl FnOnce() -> Vec<(String, String)>,
    ) -> Result<Vec<(String, String)>, Miss> {
        let when = &self.rule.when;
        let Some(named) = when.path.matches(segments) else {
            return Err(Miss::Path);
        };
        if *method == Method::HEAD || !when.methods.contains(method) {
            return Err(Miss::Method(method.clone()));
        }
        if when.query.is_empty() {
            return Ok(named);
        }
        let parameters = parameters();
        for (name, pattern) in &when.query {
            let named = parameters.iter().filter(|(other, _)| other == name);
            let mut values = named.peekable();
            let is_there = values.peek().is_some();
            if !is_there || !values.all(|(_, value)| pattern.is_match(value)) {
                return Err(Miss::Query(name.clone()));
            }
        }
        Ok(named)
    }
}

/// What a field asks of a page, if it is read from HTML.
pub(super) fn query(read: &Read) -> Option<Query> {
    let (selector, part) = match &read.source {
        Source::Css {
            selector,
            attribute: Some(name),
        } => (selector, Part::Attribute(name.clone())),
        Source::Css {
            selector,
            attribute: None,
        } => (selector, Part::Text),
        Source::Json {
            within: Some(selector),
            ..
        } => (selector, Part::Script),
        _ => return None,
    };
    Some(Query {
        selector: selector.clone(),
        part,
    })
}
