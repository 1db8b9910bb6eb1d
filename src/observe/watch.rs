//! An exchange that rules mean, from the response's head to the readings.

use std::sync::Arc;

use http::{HeaderName, StatusCode};

use crate::message::Fields;
use crate::store::Store;

use super::agree::agree;
use super::charset::essence;
use super::explain::Miss;
use super::gather::{Page, decoded};
use super::guard::Seen;
use super::pixel::Pixels;
use super::reading::{Reading, read_rule};
use super::rule::{Rule, Source};
use super::rules::Compiled;

/// How much of a body is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// As sent, in bytes.
    pub(crate) body: usize,
    /// Decoded, in bytes.
    pub(crate) decoded: usize,
    /// What else is looked for in it.
    pub(super) pixels: Pixels,
}

/// A rule that means the request, with what its path says.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) rule: Arc<Compiled>,
    pub(crate) named: Vec<(String, String)>,
}

/// A request that rules mean; the response decides.
#[derive(Debug)]
pub struct Watch {
    pub(crate) store: Arc<Store>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) limits: Limits,
}

/// An exchange whose head rules mean; the body decides.
#[derive(Debug)]
pub struct Matched {
    pub(crate) watch: Watch,
    pub(crate) content_type: String,
    content_encoding: String,
    pub(crate) headers: Vec<(HeaderName, String)>,
}

impl Watch {
    pub(crate) const fn new(
        store: Arc<Store>,
        candidates: Vec<Candidate>,
        parameters: Vec<(String, String)>,
        limits: Limits,
    ) -> Self {
        Self {
            store,
            candidates,
            parameters,
            limits,
        }
    }

    /// The store that was asked.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Whether a rule still means the exchange, now that the response's head is there.
    pub fn response(mut self, status: StatusCode, fields: &Fields) -> Option<Matched> {
        let content_type = joined(fields, "content-type");
        let essence = essence(&content_type);
        self.candidates
            .retain(|candidate| candidate.rule.means_response(status, &essence).is_ok());
        if self.candidates.is_empty() {
            return None;
        }
        let headers_read = self.candidates.iter().flat_map(|candidate| {
            let rule = &candidate.rule.rule;
            let reads = rule.read.iter().chain(rule.proof.read());
            reads.filter_map(|read| match &read.source {
                Source::Header(name) => Some(name.clone()),
                _ => None,
            })
        });
        let mut names: Vec<HeaderName> = headers_read.collect();
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        let values = names.into_iter().flat_map(|name| {
            let values = fields
                .get_all(name.as_str())
                .map(|value| (name.clone(), String::from_utf8_lossy(value).into_owned()));
            values.collect::<Vec<_>>()
        });
        Some(Matched {
            headers: values.collect(),
            content_encoding: joined(fields, "content-encoding"),
            content_type,
            watch: self,
        })
    }
}

impl Matched {
    /// The store that answered.
    pub fn store(&self) -> &Arc<Store> {
        &self.watch.store
    }

    /// How much of the body is worth copying, in bytes.
    pub fn body_limit(&self) -> usize {
        self.watch.limits.body
    }

    /// What each rule reads; nothing of a rule whose guards do not hold.
    ///
    /// `body` is the whole body as sent; nothing if it was over the limit.
    pub fn read(&self, body: Option<&[u8]>) -> Vec<Reading> {
        let body = decoded(self, body, &self.content_encoding);
        let page = match &body {
            Ok(body) => Ok(Page::new(body, &self.content_type)),
            Err(error) => Err(Arc::clone(error)),
        };
        let candidates = self.watch.candidates.iter();
        let readings = candidates.filter_map(|candidate| read_rule(self, candidate, &page));
        let mut readings: Vec<Reading> = readings.collect();
        agree(&mut readings);
        if let (Some(first), Ok(page)) = (readings.first_mut(), &page) {
            first.pixel = self.watch.limits.pixels.find(page.text());
        }
        readings
    }
}

/// All values of a list field, or of one that should stand once.
fn joined(fields: &Fields, name: &str) -> String {
    let values: Vec<_> = fields.get_all(name).map(String::from_utf8_lossy).collect();
    values.join(", ")
}

impl Compiled {
    /// Whether it means a response with such a head. Errors, and answers that
    /// are not whole or not for people to see, make no order.
    pub(super) fn means_response(&self, status: StatusCode, essence: &str) -> Result<(), Miss> {
        let never = [StatusCode::PARTIAL_CONTENT, StatusCode::NOT_MODIFIED];
        if never.contains(&status) || status.as_u16() >= 400 {
            return Err(Miss::Never(status));
        }
        let when = &self.rule.when;
        let is_in = |(from, to): &(u16, u16)| (*from..=*to).contains(&status.as_u16());
        if !when.status.iter().any(is_in) {
            return Err(Miss::Status(status, when.status.clone()));
        }
        let same = |wanted: &String| wanted.eq_ignore_ascii_case(essence);
        if !when.content_types.is_empty() && !when.content_types.iter().any(same) {
            return Err(Miss::ContentType(essence.to_owned()));
        }
        Ok(())
    }

    /// Whether anything of it is in the body.
    pub(super) fn needs_body(&self) -> bool {
        let Rule { read, proof, .. } = &self.rule;
        let guards = [&self.contains, &self.lacks, &self.first_view];
        let reads = |source: &Source| {
            matches!(
                source,
                Source::Css { .. } | Source::Json { .. } | Source::Regex(_)
            )
        };
        let mut read = read.iter().chain(proof.read());
        guards.iter().any(|texts| !texts.is_empty()) || read.any(|read| reads(&read.source))
    }

    /// Whether a page has all the texts of a first view.
    pub(super) fn is_first_view(&self, text: &str, content_type: &str) -> bool {
        let page = Seen::new(text, content_type);
        self.first_view.iter().all(|wanted| page.has(wanted))
    }

    /// Whether the texts that must be there are, and those that must not are not.
    pub(super) fn guards_hold(&self, text: &str, content_type: &str) -> Result<(), Miss> {
        let page = Seen::new(text, content_type);
        if let Some(missing) = self.contains.iter().find(|wanted| !page.has(wanted)) {
            return Err(Miss::Lacks(missing.text.clone()));
        }
        match self.lacks.iter().find(|unwanted| page.has(unwanted)) {
            Some(present) => Err(Miss::Contains(present.text.clone())),
            None => Ok(()),
        }
    }
}
