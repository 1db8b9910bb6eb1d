//! The visit in the browser: the cookie's name, its sealed value, its attributes.
//!
//! Set by the server on a top-level navigation: what script or subresources set, browsers cut to
//! days (domain.md §5). For the host alone, or for the store's domain; where it is set for one,
//! what is left of another is deleted.

use std::cmp::Reverse;

use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use tracing::debug;

use super::{Settings, cookies};
use crate::click::{self, Click};
use crate::clock::Time;
use crate::event::{Counters, Event};
use crate::message::Fields;
use crate::seal::Keys;
use crate::store::scope::{SameSite, domains_of};
use crate::store::{Scheme, Store};
use crate::visit::{Attribution, Visit, is_live};

/// The longest cookie value that we set; browsers take 4096 bytes with name and attributes.
const SEALED_LIMIT: usize = 3500;

/// What stands inside the seal.
#[derive(Serialize, Deserialize)]
struct Sealed {
    version: u8,
    purpose: String,
    group: String,
    visit: Visit,
}

const VERSION: u8 = 1;
const PURPOSE: &str = "visit";

/// What the cookie is called: a name of the operator's, with a prefix where it travels by TLS
/// (`refgate` → `__Host-refgate` for a host alone, `__Secure-refgate` for a domain).
#[derive(Clone, Debug)]
pub struct CookieName {
    finder: Finder<'static>,
    bare: String,
    /// In the order in which a store with a domain reads them.
    prefixed: [String; 2],
    /// The marker that a visitor was asked about, by scheme: http, https.
    asked: [String; 2],
}

impl CookieName {
    /// The cookie of this name without prefix.
    pub fn new(bare: &str) -> Self {
        Self {
            finder: Finder::new(bare).into_owned(),
            bare: bare.to_owned(),
            prefixed: [format!("__Secure-{bare}"), format!("__Host-{bare}")],
            asked: [format!("{bare}-asked"), format!("__Host-{bare}-asked")],
        }
    }

    /// The name without prefix.
    pub fn bare(&self) -> &str {
        &self.bare
    }

    /// The name under which `store` sets it; it is sealed with it.
    pub fn of(&self, store: &Store) -> &str {
        let [secure, host] = &self.prefixed;
        match (store.scheme, &store.scope.domain) {
            (Scheme::Http, _) => &self.bare,
            (Scheme::Https, None) => host,
            (Scheme::Https, Some(_)) => secure,
        }
    }

    /// The names under which `store` reads it: with a domain also the one of a host alone, which
    /// may be left from before.
    fn read_by(&self, store: &Store) -> &[String] {
        let [_secure, host] = &self.prefixed;
        match (store.scheme, &store.scope.domain) {
            (Scheme::Http, _) => std::slice::from_ref(&self.bare),
            (Scheme::Https, None) => std::slice::from_ref(host),
            (Scheme::Https, Some(_)) => &self.prefixed,
        }
    }

    /// The name of the marker cookie that a visitor of `store` was asked about: of its host alone.
    pub(super) const fn asked(&self, store: &Store) -> &String {
        let [http, https] = &self.asked;
        match store.scheme {
            Scheme::Http => http,
            Scheme::Https => https,
        }
    }

    /// Whether a cookie of this name is ours: one that the store sets, or one that it may
    /// have had; none of them is the shop's business.
    pub(super) fn is(&self, name: &[u8]) -> bool {
        let mut owns = [&self.bare]
            .into_iter()
            .chain(&self.prefixed)
            .chain(&self.asked);
        owns.any(|own| own.as_bytes() == name)
    }

    /// Whether a cookie of ours may be in this field: a quick look.
    pub(super) fn may_be_in(&self, field: &[u8]) -> bool {
        self.finder.find(field).is_some()
    }
}

impl Settings {
    /// What seals and opens the visits of `store`, and all else that its group keeps in browsers.
    pub fn keys_of(&self, store: &Store) -> &Keys {
        self.group_keys.get(&store.group).unwrap_or(&self.keys)
    }

    /// The visit that the request's cookies tell of; of several the newest
    /// click decides, or the oldest under first click; of equal ones the cookie that stands last,
    /// where browsers put the one with the shortest path and the newest (RFC 6265 §5.4).
    pub(super) fn known(
        &self,
        store: &Store,
        (ours, fields): (&cookies::Ours, &Fields),
        now: Time,
        counters: &Counters,
    ) -> Option<Visit> {
        let mut live = Vec::new();
        for name in self.cookie.read_by(store) {
            let ours = ours.values(fields, name);
            for _ in 0..ours.refused {
                counters.add(Event::CookieRefused);
                debug!("a cookie of ours is no seal by its look, or one too many");
            }
            for value in ours.values {
                let Some(visit) = self.open(store, name, value) else {
                    counters.add(Event::CookieRefused);
                    debug!("a cookie of ours does not open");
                    continue;
                };
                let Some(visit) = visit.within(self.window, now) else {
                    counters.add(Event::CookieExpired);
                    debug!(
                        "every click in a cookie of ours is older than the window, or from the future"
                    );
                    continue;
                };
                live.push(visit);
            }
        }
        let live = live.into_iter();
        let decisive = |visit: &Visit| {
            let click = visit.credited(self.attribution, self.window, now);
            click.map(|click| click.at)
        };
        match self.attribution {
            Attribution::LastClick | Attribution::All => live.max_by_key(decisive),
            Attribution::FirstClick => live.max_by_key(|visit| Reverse(decisive(visit))),
        }
    }

    /// The clicks that the request's cookies still hold and that are worth nothing any more, beside
    /// newer ones.
    pub(super) fn over(
        &self,
        store: &Store,
        (ours, fields): (&cookies::Ours, &Fields),
        now: Time,
    ) -> Vec<Click> {
        let names = self.cookie.read_by(store).iter();
        let visits = names.flat_map(|name| {
            let values = ours.values(fields, name).values.into_iter();
            values.filter_map(move |value| self.open(store, name, value))
        });
        let clicks = visits.flat_map(|visit| visit.clicks);
        clicks
            .filter(|click| !is_live(click, self.window, now))
            .collect()
    }

    fn open(&self, store: &Store, name: &str, value: &str) -> Option<Visit> {
        let text = self.keys_of(store).open(name, value)?;
        let sealed: Sealed = serde_json::from_str(&text).ok()?;
        let ours = sealed.version == VERSION
            && sealed.purpose == PURPOSE
            && sealed.group == store.group.as_str();
        ours.then_some(sealed.visit)
    }

    fn seal(&self, store: &Store, visit: &Visit) -> Option<String> {
        let sealed = Sealed {
            version: VERSION,
            purpose: PURPOSE.to_owned(),
            group: store.group.as_str().to_owned(),
            visit: visit.clone(),
        };
        let text = serde_json::to_string(&sealed).ok()?;
        Some(self.keys_of(store).seal(self.cookie.of(store), &text))
    }

    /// `Set-Cookie` by which the browser keeps `visit` for the store, and forgets what it `sent` to
    /// `host` of another scope. One that takes both for one cookie ends with the new one.
    pub(super) fn remember(
        &self,
        visit: &Visit,
        place: (&Store, &str),
        sent: (&cookies::Ours, &Fields),
        now: Time,
    ) -> Vec<String> {
        let Some(cookie) = self.cookie(place.0, visit, now) else {
            return Vec::new();
        };
        let mut cookies = self.leftovers(place, sent);
        cookies.push(cookie);
        cookies
    }

    /// `Set-Cookie` by which the browser forgets the store's visit.
    pub(super) fn forget(
        &self,
        (store, host): (&Store, &str),
        sent: (&cookies::Ours, &Fields),
    ) -> Vec<String> {
        let mut cookies = self.leftovers((store, host), sent);
        let domain = store.scope.domain.as_deref();
        cookies.push(deleted(self.cookie.of(store), domain, store.scheme));
        cookies
    }

    /// `Set-Cookie` for the visit; its oldest clicks give way where it would grow too long.
    fn cookie(&self, store: &Store, visit: &Visit, now: Time) -> Option<String> {
        let mut visit = visit.clone();
        let mut sealed = self.seal(store, &visit)?;
        while sealed.len() > SEALED_LIMIT && click::give_way(&mut visit.clicks) {
            sealed = self.seal(store, &visit)?;
        }
        let newest = visit.clicks.last()?.at;
        let left = newest.plus(self.window).since(now).as_secs();
        let name = self.cookie.of(store);
        let domain = store.scope.domain.as_deref();
        let same_site = match store.scope.same_site {
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        };
        let field = format!(
            "{name}={sealed}; Path=/{}; Max-Age={left}; HttpOnly; SameSite={same_site}{}",
            domain_attribute(domain),
            secure(store.scheme)
        );
        Some(field)
    }

    /// `Set-Cookie` that deletes what the browser sent to `host` of another scope: left from another
    /// configuration, it would be read beside the one that is set, or come for nothing.
    ///
    /// A cookie does not say what it was set for. One of a host alone is known by its name. One of
    /// a domain is deleted for each domain that the host is under, but those in use now, and only
    /// where it is sealed by this group: another's is not ours to delete. By plain HTTP both have
    /// one name: of two that open, one must be of another scope.
    fn leftovers(
        &self,
        (store, host): (&Store, &str),
        (ours, fields): (&cookies::Ours, &Fields),
    ) -> Vec<String> {
        let [secure_name, host_name] = &self.cookie.prefixed;
        let domain = store.scope.domain.as_deref();
        let opened = |name: &str| {
            let values = ours.values(fields, name).values.into_iter();
            let opened = values.filter(|value| self.open(store, name, value).is_some());
            opened.count()
        };
        let mut leftovers = Vec::new();
        let (of_host, of_domain) = match store.scheme {
            Scheme::Http => (&self.cookie.bare, &self.cookie.bare),
            Scheme::Https => (host_name, secure_name),
        };
        if domain.is_some() && ours.have(fields, of_host) {
            leftovers.push(deleted(of_host, None, store.scheme));
        }
        let expected = usize::from(domain.is_some() || store.scheme == Scheme::Http);
        if opened(of_domain) > expected {
            let host = host.split_once(':').map_or(host, |(host, _port)| host);
            let host = host.to_ascii_lowercase();
            let domains = domains_of(&host);
            let unused =
                domains.filter(|domain| !store.scope.in_use.iter().any(|own| own == domain));
            leftovers.extend(unused.map(|domain| deleted(of_domain, Some(domain), store.scheme)));
        }
        leftovers
    }
}

/// A cookie is replaced only by one of its own name, domain and path (RFC 6265 §5.3).
fn deleted(name: &str, domain: Option<&str>, scheme: Scheme) -> String {
    let domain = domain_attribute(domain);
    format!("{name}=; Path=/{domain}; Max-Age=0{}", secure(scheme))
}

fn domain_attribute(domain: Option<&str>) -> String {
    domain.map_or_else(String::new, |domain| format!("; Domain={domain}"))
}

pub(super) const fn secure(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Https => "; Secure",
        Scheme::Http => "",
    }
}
