//! What an answer carries over to sibling stores: a token in its `Location`, or in the links of
//! its page. Only for somebody with a visit who opens a page; all other answers stay as they are.

use std::sync::Arc;

use http::{Method, StatusCode};

use super::Settings;
use super::body::Body;
use crate::capture::Place;
use crate::capture::answer::Answer;
use crate::click::Click;
use crate::clock::Time;
use crate::decorate::{Coding, Decorator};
use crate::hand_over::url::{self, Minted, Origin};
use crate::message::{Body as _, Fields, Response, ResponseHead};
use crate::store::{Store, hosts};

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
const OF_THE_BYTES: [&str; 8] = [
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
        let name = hosts::name(host);
        let port = host
            .get(name.len()..)
            .and_then(|port| port.strip_prefix(':'));
        let port = port.and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| store.scheme.port());
        Self {
            page: settings.capture.hand_over.links && *method != Method::HEAD,
            host: name.to_ascii_lowercase(),
            settings,
            store,
            port,
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
    ) -> Response<Body> {
        if response.tunnel.is_some() {
            return response;
        }
        let is_empty = response.body.is_end();
        match self.write(&mut response.head, is_empty) {
            Handed::Nothing => return response,
            Handed::Location => {}
            Handed::Page(decorator) => response = response.map(|body| body.decorated(decorator)),
        }
        answer.get_or_insert_default().personal = true;
        response
    }

    /// Puts the token into the answer's head; or says how its page is to be decorated, unless it
    /// `is_empty`. Neither, if the answer stays as it is.
    fn write(self, head: &mut ResponseHead, is_empty: bool) -> Handed {
        if head.status.is_redirection() {
            return self.location(&mut head.fields);
        }
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
            return Handed::Nothing;
        };
        for name in OF_THE_BYTES {
            head.fields.remove(name);
        }
        let parameter = self.settings.capture.hand_over.parameter.clone();
        let scheme = self.store.scheme;
        let siblings = Minted::new(move |origin: &Origin<'_>| self.token(origin));
        Handed::Page(Box::new(Decorator::new(
            coding, scheme, &parameter, siblings,
        )))
    }

    /// With two of them nobody knows where it goes.
    fn location(self, fields: &mut Fields) -> Handed {
        let hand_over = &self.settings.capture.hand_over;
        let Some(to) = one(fields, "location").filter(|_| hand_over.redirects) else {
            return Handed::Nothing;
        };
        let mut siblings = |origin: &Origin<'_>| self.token(origin).map(Into::into);
        let scheme = self.store.scheme;
        match url::decorate(to, scheme, &hand_over.parameter, &mut siblings) {
            Some(decorated) => {
                fields.set("location", decorated.as_bytes());
                Handed::Location
            }
            None => Handed::Nothing,
        }
    }

    /// The token for `origin`, if a sibling store is there.
    fn token(&self, origin: &Origin<'_>) -> Option<String> {
        let stores = &self.settings.stores;
        let place = Place {
            stores,
            store: &self.store,
        };
        let sibling = place.sibling(&self.host, origin.host)?;
        let port = match sibling.scheme == self.store.scheme {
            true => self.port,
            false => sibling.scheme.port(),
        };
        if sibling.scheme != origin.scheme || port != origin.port {
            return None;
        }
        let capture = &self.settings.capture;
        capture.token((sibling, origin.host), &self.clicks, self.now)
    }
}

/// What has become of an answer.
#[derive(Debug)]
enum Handed {
    /// It stays as it is.
    Nothing,
    /// Its `Location` carries a token.
    Location,
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
