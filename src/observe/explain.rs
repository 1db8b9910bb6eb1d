//! Why no rule means an exchange: for `refgate test`.

use std::fmt;

use http::{Method, StatusCode};

use crate::name::RuleName;

use super::rules::{Compiled, RequestHead, Rules};
use super::saved::Exchange;
use super::target;

/// Why a rule does not mean an exchange. In the order in which it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// The host is none of any store.
    UnknownHost(String),
    /// The rule is for other hosts or stores.
    Host(String),
    /// The path is ambiguous, so no rule is asked.
    Ambiguous,
    /// Another path.
    Path,
    /// Another method.
    Method(Method),
    /// A query parameter is not there, or another one.
    Query(String),
    /// A status that never makes an order.
    Never(StatusCode),
    /// Another status than these ranges.
    Status(StatusCode, Vec<(u16, u16)>),
    /// Another media type.
    ContentType(String),
    /// A text that must be in the body is not.
    Lacks(String),
    /// A text that must not be in the body is.
    Contains(String),
    /// The body cannot be decoded.
    Body,
}

impl Miss {
    /// How far an exchange came before it missed.
    const fn rank(&self) -> u8 {
        match self {
            Self::UnknownHost(_) => 0,
            Self::Host(_) => 1,
            Self::Ambiguous | Self::Path => 2,
            Self::Method(_) => 3,
            Self::Query(_) => 4,
            Self::Never(_) | Self::Status(..) => 5,
            Self::ContentType(_) => 6,
            Self::Lacks(_) | Self::Contains(_) | Self::Body => 7,
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHost(host) => write!(f, "host {host} is none of any store"),
            Self::Host(host) => write!(f, "host {host} is none of its hosts"),
            Self::Ambiguous => f.write_str("the path is ambiguous, such a path is never watched"),
            Self::Path => f.write_str("host matched, another path"),
            Self::Method(method) => write!(f, "path matched, method {method} is none of its own"),
            Self::Query(name) => write!(f, "path matched, query parameter {name} does not"),
            Self::Never(status) => {
                let status = status.as_u16();
                write!(f, "path matched, a status {status} never makes an order")
            }
            Self::Status(status, ranges) => {
                let ranges = ranges.iter().map(|(from, to)| match from == to {
                    true => from.to_string(),
                    false => format!("{from}-{to}"),
                });
                let ranges = ranges.collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "path matched, status {} not in {ranges}",
                    status.as_u16()
                )
            }
            Self::ContentType(found) => {
                write!(f, "path and status matched, type {found:?} does not")
            }
            Self::Lacks(text) => write!(f, "head matched, the body does not contain {text:?}"),
            Self::Contains(text) => write!(f, "head matched, but the body contains {text:?}"),
            Self::Body => f.write_str("head matched, the body cannot be decoded"),
        }
    }
}

impl Rules {
    /// For each rule that does not mean the exchange: why; the closest one first.
    pub fn explain(&self, exchange: &Exchange) -> Vec<(RuleName, Miss)> {
        let mut misses: Vec<_> = self
            .all()
            .iter()
            .filter_map(|rule| Some((rule.rule.name.clone(), self.miss(rule, exchange)?)))
            .collect();
        misses.sort_by_key(|(_, miss)| std::cmp::Reverse(miss.rank()));
        misses
    }

    fn miss(&self, rule: &Compiled, exchange: &Exchange) -> Option<Miss> {
        let head = exchange.request_head();
        if let Err(miss) = self.miss_request(rule, &head) {
            return Some(miss);
        }
        if let Err(miss) = rule.means_response(exchange.status, &exchange.media_type()) {
            return Some(miss);
        }
        if !rule.needs_body() {
            return None;
        }
        match exchange.text(self) {
            Some(text) => rule.guards_hold(&text, &exchange.media_type()).err(),
            None => Some(Miss::Body),
        }
    }

    fn miss_request(&self, rule: &Compiled, head: &RequestHead<'_>) -> Result<(), Miss> {
        let store = self
            .store(head.host)
            .ok_or_else(|| Miss::UnknownHost(head.host.to_owned()))?;
        if !rule.is_for(head.host, store) {
            return Err(Miss::Host(head.host.to_owned()));
        }
        let is_overridden = target::overrides(head.fields).next().is_some();
        let segments = target::segments(head.path).filter(|_| !is_overridden);
        let segments = segments.ok_or(Miss::Ambiguous)?;
        let parameters = || target::parameters(head.query.unwrap_or(""));
        rule.means(head.method, &segments, parameters)
            .map(|_named| ())
    }
}
