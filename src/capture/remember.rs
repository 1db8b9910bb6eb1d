//! The visit in the browser: the cookie's name, its sealed value, its attributes.
//!
//! Host-only, and set by the server on a top-level navigation: what script or
//! subresources set, browsers cut to days (domain.md §5).

use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use tracing::debug;

use super::{Settings, cookies};
use crate::clock::Time;
use crate::event::{Counters, Event};
use crate::message::Fields;
use crate::store::Scheme;
use crate::visit::{Attribution, Visit};

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

/// The stores that share a visit; one group until they are told apart.
const GROUP: &str = "all";

/// What the cookie is called: a name of the operator's, with a prefix where it travels by TLS
/// (`refgate` → `__Host-refgate`).
#[derive(Clone, Debug)]
pub struct CookieName {
    bare: Finder<'static>,
    http: [String; 3],
    https: [String; 3],
}

impl CookieName {
    /// The cookie of this name without prefix.
    pub fn new(bare: &str) -> Self {
        let host = format!("__Host-{bare}");
        let secure = format!("__Secure-{bare}");
        Self {
            http: [bare.to_owned(), host.clone(), secure.clone()],
            https: [host, secure, bare.to_owned()],
            bare: Finder::new(bare).into_owned(),
        }
    }

    /// The name without prefix.
    pub fn bare(&self) -> &str {
        let [bare, ..] = &self.http;
        bare
    }

    /// Whether a cookie of this name is ours: the one of the store's scheme, or one that it may
    /// have had; none of them is the shop's business.
    pub(super) fn is(&self, name: &[u8]) -> bool {
        self.http.iter().any(|own| own.as_bytes() == name)
    }

    /// Whether a cookie of ours may be in this field: a quick look.
    pub(super) fn may_be_in(&self, field: &[u8]) -> bool {
        self.bare.find(field).is_some()
    }

    /// The name that it has in a store of `scheme`, which is sealed with it.
    const fn sealed(&self, scheme: Scheme) -> &String {
        let ([name, ..], [secure, ..]) = (&self.http, &self.https);
        match scheme {
            Scheme::Http => name,
            Scheme::Https => secure,
        }
    }
}

impl Settings {
    /// The visit that the request's cookies tell of; of several the newest
    /// click decides, or the oldest under first click.
    pub(super) fn known(
        &self,
        scheme: Scheme,
        (ours, fields): (&cookies::Ours, &Fields),
        now: Time,
        counters: &Counters,
    ) -> Option<Visit> {
        let name = self.cookie.sealed(scheme);
        let ours = ours.values(fields, name);
        for _ in 0..ours.refused {
            counters.add(Event::CookieRefused);
            debug!("a cookie of ours is too long, not ASCII, or one too many");
        }
        let live = ours.values.iter().filter_map(|value| {
            let Some(visit) = self.open(name, value) else {
                counters.add(Event::CookieRefused);
                debug!("a cookie of ours does not open");
                return None;
            };
            let live = visit.within(self.window, now);
            if live.is_none() {
                counters.add(Event::CookieExpired);
                debug!("every click in a cookie of ours is older than the window");
            }
            live
        });
        let decisive = |visit: &Visit| {
            let click = visit.credited(self.attribution, self.window, now);
            click.map(|click| click.at)
        };
        match self.attribution {
            Attribution::LastClick | Attribution::All => live.max_by_key(decisive),
            Attribution::FirstClick => live.min_by_key(decisive),
        }
    }

    fn open(&self, name: &str, value: &str) -> Option<Visit> {
        let text = self.keys.open(name, value)?;
        let sealed: Sealed = serde_json::from_str(&text).ok()?;
        let ours = sealed.version == VERSION && sealed.purpose == PURPOSE && sealed.group == GROUP;
        ours.then_some(sealed.visit)
    }

    fn seal(&self, name: &str, visit: &Visit) -> Option<String> {
        let sealed = Sealed {
            version: VERSION,
            purpose: PURPOSE.to_owned(),
            group: GROUP.to_owned(),
            visit: visit.clone(),
        };
        let text = serde_json::to_string(&sealed).ok()?;
        Some(self.keys.seal(name, &text))
    }

    /// `Set-Cookie` for the visit; its oldest clicks give way where it would grow too long.
    pub(super) fn cookie(
        &self,
        scheme: Scheme,
        visit: &Option<Visit>,
        now: Time,
    ) -> Option<String> {
        let name = self.cookie.sealed(scheme);
        let mut visit = visit.clone()?;
        let mut sealed = self.seal(name, &visit)?;
        while sealed.len() > SEALED_LIMIT && visit.clicks.len() > 1 {
            visit.clicks.remove(0);
            sealed = self.seal(name, &visit)?;
        }
        let newest = visit.clicks.last()?.at;
        let left = newest.plus(self.window).since(now).as_secs();
        let secure = match scheme {
            Scheme::Https => "; Secure",
            Scheme::Http => "",
        };
        let field =
            format!("{name}={sealed}; Path=/; Max-Age={left}; HttpOnly; SameSite=Lax{secure}");
        Some(field)
    }
}
