//! What an answer carries over to sibling stores: a token in its `Location` or `Refresh`, or in the
//! links of its page. Only for somebody with a visit who opens a page; all other answers stay as they are.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::{Method, StatusCode};
use tracing::error;

use super::Settings;
use super::body::Body;
use crate::capture::Place;
use crate::capture::answer::Answer;
use crate::click::{By, Click};
use crate::clock::Time;
use crate::decorate::{self, Coding, Decorator};
use crate::event::{Counters, Event};
use crate::hand_over::url::{self, Minted, Origin};
use crate::message::{Body as _, Fields, Response, ResponseHead};
use crate::store::{Scheme, Store, hosts};

/// A visitor's clicks on their way to sibling stores.
#[derive(Debug)]
pub(super) struct Handing {
    settings: Arc<Settings>,
    store: Arc<Store>,
    /// The host that was asked for, without port.
    host: String,
    /// The port that siblings have, too.
    port: u16,
    clicks: Vec<Click>,
    /// Whether the answer to this method may be a page.
    page: bool,
    now: Time,
}

/// What vouches for bytes that are changed here, or offers a part of them (RFC 9110 §8.8, §14.3;
/// RFC 9530).
pub(super) const OF_THE_BYTES: [&str; 8] = [
    "accept-ranges",
    "content-digest",
    "content-length",
    "content-md5",
    "digest",
    "etag",
    "last-modified",
    "repr-digest",
];

impl Handing {
    pub(super) fn new(
        settings: Arc<Settings>,
        store: Arc<Store>,
        (method, host): (&Method, &str),
        clicks: Vec<Click>,
        now: Time,
    ) -> Self {
        Self {
            page: settings.capture.hand_over.links && *method != Method::HEAD,
            host: hosts::name(host).to_ascii_lowercase(),
            port: port(host, store.scheme),
            settings,
            store,
            clicks,
            now,
        }
    }

    /// Asks the shop for a page that can be decorated: the whole of it, in a coding that is
    /// written here.
    pub(super) fn ask(&self, method: &Method, fields: &mut Fields) {
        if !self.page {
            return;
        }
        if *method == Method::GET {
            for name in ["if-none-match", "if-modified-since"] {
                fields.remove(name);
            }
        }
        if !fields.contains("accept-encoding") {
            return;
        }
        let wanted: Vec<&str> = fields
            .get_all("accept-encoding")
            .filter_map(|value| std::str::from_utf8(value).ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|coding| is_written(coding))
            .collect();
        let narrowed = match wanted.is_empty() {
            true => "identity".to_owned(),
            false => wanted.join(", "),
        };
        fields.set("accept-encoding", narrowed.as_bytes());
    }

    /// Carries the clicks over, where the answer leads to a sibling store or may show links to one.
    pub(super) fn hand_over(
        self,
        mut response: Response<Body>,
        answer: &mut Option<Box<Answer>>,
        counters: &Counters,
    ) -> Response<Body> {
        if response.tunnel.is_some() {
            return response;
        }
        let is_empty = response.body.is_end();
        let handed = match catch_unwind(AssertUnwindSafe(|| {
            self.write(&mut response.head, is_empty)
        })) {
            Ok(handed) => handed,
            Err(_panic) => {
                counters.add(Event::DecoratorFailed);
                error!("handing over panicked; the page goes on as it is");
                Handed::Nothing
            }
        };
        match handed {
            Handed::Nothing => return response,
            Handed::Head => {}
            Handed::Page(decorator) => response = response.map(|body| body.decorated(decorator)),
        }
        answer.get_or_insert_default().personal = true;
        response
    }

    /// Puts the token into the answer's head; or says how its page is to be decorated, unless it
    /// `is_empty`. Neither, if the answer stays as it is.
    fn write(self, head: &mut ResponseHead, is_empty: bool) -> Handed {
        if head.status == StatusCode::NOT_MODIFIED {
            return Handed::Nothing;
        }
        if head.status.is_redirection() {
            let handed = self.lead("location", &mut head.fields);
            return handed.unwrap_or(Handed::Nothing);
        }
        let refreshed = self.lead("refresh", &mut head.fields);
        let is_whole = !matches!(
            head.status,
            StatusCode::PARTIAL_CONTENT | StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT
        );
        let transforms = |value: &[u8]| !contains(value, "no-transform");
        let may = head.fields.get_all("cache-control").all(transforms);
        let coding = one(&head.fields, "content-type").and_then(|kind| {
            let coding = head.fields.get_all("content-encoding").count();
            match coding {
                0 => Coding::of(kind, ""),
                _ => Coding::of(kind, one(&head.fields, "content-encoding")?),
            }
        });
        let Some(coding) = coding.filter(|_| self.page && is_whole && may && !is_empty) else {
            return refreshed.unwrap_or(Handed::Nothing);
        };
        for name in OF_THE_BYTES {
            head.fields.remove(name);
        }
        let parameter = self.settings.capture.hand_over.parameter.clone();
        let scheme = self.store.scheme;
        let handing = Arc::new(self);
        let sibling = Arc::clone(&handing);
        let siblings = Minted::new(
            move |host: &str| sibling.sibling(host).is_some(),
            move |origin: &Origin<'_>| handing.token(origin, By::Link),
        );
        Handed::Page(Box::new(Decorator::new(
            coding, scheme, &parameter, siblings,
        )))
    }

    /// Puts the token into the one field that leads somewhere else: with two of them nobody knows
    /// where it goes. What is handed then; none if the field stays.
    fn lead(&self, field: &str, fields: &mut Fields) -> Option<Handed> {
        let hand_over = &self.settings.capture.hand_over;
        let to = one(fields, field).filter(|_| hand_over.redirects)?;
        let mut siblings = |origin: &Origin<'_>| self.token(origin, By::Redirect).map(Into::into);
        let (scheme, parameter) = (self.store.scheme, &hand_over.parameter);
        let decorated = match field {
            "refresh" => decorate::refreshed(to, scheme, parameter, &mut siblings),
            _ => url::decorate(to, scheme, parameter, &mut siblings),
        };
        fields.set(field, decorated?.as_bytes());
        Some(Handed::Head)
    }

    /// The sibling store at this host, in any case.
    fn sibling(&self, host: &str) -> Option<&Arc<Store>> {
        // Most links of a page that have a host have its own.
        if host.eq_ignore_ascii_case(&self.host) {
            return None;
        }
        let place = Place {
            stores: &self.settings.stores,
            store: &self.store,
        };
        place.sibling(&self.host, host)
    }

    /// The token for `origin`, if a sibling store is there, to stand in a link or a redirect.
    fn token(&self, origin: &Origin<'_>, by: By) -> Option<String> {
        let sibling = self.sibling(origin.host)?;
        let port = match sibling.scheme == self.store.scheme {
            true => self.port,
            false => sibling.scheme.port(),
        };
        if sibling.scheme != origin.scheme || port != origin.port {
            return None;
        }
        let capture = &self.settings.capture;
        capture.token((sibling, origin.host), &self.clicks, by, self.now)
    }
}

/// A token on its way through a redirect of the shop within its own store.
#[derive(Debug)]
pub(super) struct Onward {
    /// Scheme and `Host`, as a browser puts them before a path.
    base: String,
    scheme: Scheme,
    host: String,
    port: u16,
    parameter: String,
    token: String,
}

impl Onward {
    pub(super) fn new(store: &Store, host: &str, parameter: &str, token: String) -> Self {
        Self {
            base: format!("{}://{host}", store.scheme),
            scheme: store.scheme,
            host: hosts::name(host).to_ascii_lowercase(),
            port: port(host, store.scheme),
            parameter: parameter.to_owned(),
            token,
        }
    }

    /// Puts the token into a `Location` that leads to a page of the very host.
    pub(super) fn carry(self, head: &mut ResponseHead) {
        if !head.status.is_redirection() {
            return;
        }
        if let Some(to) = one(&head.fields, "location").and_then(|to| self.decorated(to)) {
            head.fields.set("location", to.as_bytes());
        }
    }

    fn decorated(&self, to: &str) -> Option<String> {
        let mut here = |origin: &Origin<'_>| {
            let is_here = (origin.scheme, origin.host, origin.port)
                == (self.scheme, self.host.as_str(), self.port);
            is_here.then(|| self.token.as_str().into())
        };
        let mut decorate = |url: &str| url::decorate(url, self.scheme, &self.parameter, &mut here);
        if !to.starts_with('/') || to.starts_with("//") {
            return decorate(to);
        }
        let whole = decorate(&format!("{}{to}", self.base))?;
        whole.strip_prefix(&self.base).map(str::to_owned)
    }
}

/// The port that is written in a `Host`, or the scheme's.
fn port(host: &str, scheme: Scheme) -> u16 {
    let (_, port) = host.rsplit_once(':').unwrap_or_default();
    port.parse().unwrap_or_else(|_none| scheme.port())
}

/// What has become of an answer.
#[derive(Debug)]
enum Handed {
    /// It stays as it is.
    Nothing,
    /// Its `Location` or its `Refresh` carries a token.
    Head,
    /// Its body is to go through this.
    Page(Box<Decorator>),
}

/// Whether an item of `Accept-Encoding` is about a coding that pages are written in here.
fn is_written(item: &str) -> bool {
    let coding = item.split(';').next().unwrap_or(item).trim();
    ["gzip", "x-gzip", "identity"]
        .iter()
        .any(|known| coding.eq_ignore_ascii_case(known))
}

/// The field's value, if there is one field, and it is text.
fn one<'f>(fields: &'f Fields, name: &'f str) -> Option<&'f str> {
    let mut values = fields.get_all(name);
    let (first, second) = (values.next()?, values.next());
    std::str::from_utf8(first).ok().filter(|_| second.is_none())
}

/// Whether the directive stands in a value of `Cache-Control`.
fn contains(value: &[u8], directive: &str) -> bool {
    let mut directives = value.split(|byte| *byte == b',');
    directives.any(|one| one.trim_ascii().eq_ignore_ascii_case(directive.as_bytes()))
}
