//! A saved page or exchange, for `refgate test`, and all the rules on it.
//!
//! What is a request or response line is told by its first word, so that what
//! `curl -i` and `curl -v` print (with `> ` and `< `), and a response alone, are
//! read too; what the file does not say, [`Given`] does.

mod parse;

use bytes::Bytes;
use http::{Method, StatusCode};

pub use parse::{SavedError, exchange, is_exchange, page};

use super::charset;
use super::decode::decode;
use super::reading::Reading;
use super::rules::{Decision, RequestHead, Rules};
use super::watch::Matched;
use crate::message::Fields;

/// One exchange, whole.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Without port.
    pub host: String,
    /// The request's method.
    pub method: Method,
    /// The request's path, as sent.
    pub path: String,
    /// The request's query, as sent.
    pub query: Option<String>,
    /// The request's fields.
    pub request_fields: Fields,
    /// The response's status.
    pub status: StatusCode,
    /// The response's fields.
    pub fields: Fields,
    /// The response's body, as sent.
    pub body: Bytes,
}

/// What the operator says of a saved page; it goes before what the file says.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The host, without port.
    pub host: Option<String>,
    /// The request's method; `GET` if nothing says.
    pub method: Option<Method>,
    /// The request's path, with its query; `/` if nothing says.
    pub path: Option<String>,
    /// The response's status; 200 if nothing says.
    pub status: Option<StatusCode>,
    /// The response's type; told by the first character if nothing says.
    pub content_type: Option<String>,
}

impl Exchange {
    /// What the rules are asked with.
    pub fn request_head(&self) -> RequestHead<'_> {
        RequestHead {
            host: &self.host,
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            fields: &self.request_fields,
        }
    }

    pub(super) fn media_type(&self) -> String {
        charset::essence(self.field("content-type"))
    }

    fn field(&self, name: &str) -> &str {
        self.fields.text(name).unwrap_or_default()
    }

    /// The body as the guards see it.
    pub(super) fn text(&self, rules: &Rules) -> Option<String> {
        let limit = rules.decoded_limit();
        let body = decode(&self.body, self.field("content-encoding"), limit).ok()?;
        Some(charset::text(&body, self.field("content-type")).into_owned())
    }
}

impl Rules {
    /// The exchange's head, if rules mean it.
    pub fn exchange(&self, exchange: &Exchange) -> Option<Matched> {
        match self.request(&exchange.request_head()) {
            Decision::Watched(watch) => watch.response(exchange.status, &exchange.fields),
            Decision::Unwatched | Decision::Ambiguous => None,
        }
    }

    /// Everything that rules read from the exchange.
    pub fn read(&self, exchange: &Exchange) -> Vec<Reading> {
        let body = Some(exchange.body.as_ref());
        let body = body.filter(|body| body.len() <= self.body_limit());
        let matched = self.exchange(exchange);
        matched
            .map(|matched| matched.read(body))
            .unwrap_or_default()
    }
}
