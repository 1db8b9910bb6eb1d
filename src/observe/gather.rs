//! Gathers the texts that a field's source finds, and picks those that count.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::charset;
use super::decode::decode;
use super::fault::{BodyError, FIELD_LIMIT, Fault, short};
use super::html::{HtmlError, MATCH_LIMIT, Matches};
use super::json;
use super::rule::{Pick, Read, Source};
use super::rules::query;
use super::text::{Kind, TEXT_LIMIT, Text, find};
use super::watch::{Candidate, Matched};

/// Decodes what was sent; nothing was kept of a body over the limit.
pub(super) fn decoded<'b>(
    matched: &Matched,
    body: Option<&'b [u8]>,
    content_encoding: &str,
) -> Result<Cow<'b, [u8]>, Arc<BodyError>> {
    let limits = &matched.watch.limits;
    let sent = body.ok_or(BodyError::OverLimit { limit: limits.body })?;
    Ok(decode(sent, content_encoding, limits.decoded).map_err(BodyError::from)?)
}

/// A decoded body, parsed as far as rules ask for it.
pub(super) struct Page<'b> {
    body: &'b [u8],
    content_type: &'b str,
    text: OnceCell<Cow<'b, str>>,
    json: OnceCell<Result<Value, Arc<serde_json::Error>>>,
}

impl<'b> Page<'b> {
    pub(super) const fn new(body: &'b [u8], content_type: &'b str) -> Self {
        Self {
            body,
            content_type,
            text: OnceCell::new(),
            json: OnceCell::new(),
        }
    }

    /// The body in its charset.
    pub(super) fn text(&self) -> &str {
        let decode = || charset::text(self.body, self.content_type);
        self.text.get_or_init(decode)
    }

    fn json(&self) -> Result<&Value, Arc<serde_json::Error>> {
        let parse = || json::parse(self.body).map_err(Arc::new);
        self.json.get_or_init(parse).as_ref().map_err(Arc::clone)
    }
}

/// Where one rule's fields come from in one exchange.
pub(super) struct Sources<'e, 'b> {
    matched: &'e Matched,
    candidate: &'e Candidate,
    page: Result<&'e Page<'b>, Arc<BodyError>>,
    html: Result<Vec<Matches>, Arc<HtmlError>>,
}

impl<'e, 'b> Sources<'e, 'b> {
    /// Runs all of the rule's selectors at once.
    pub(super) fn open(
        matched: &'e Matched,
        candidate: &'e Candidate,
        page: Result<&'e Page<'b>, Arc<BodyError>>,
    ) -> Self {
        let queries = &candidate.rule.queries;
        let html = match &page {
            Ok(page) if !queries.is_empty() => queries.read(page.text()),
            _ => Ok(Vec::new()),
        };
        Self {
            matched,
            candidate,
            page,
            html: html.map_err(Arc::new),
        }
    }

    /// For each field of the rule: the texts that count, all of which must
    /// agree; none if an optional one is absent.
    pub(super) fn fields(&self) -> Vec<(&'e Read, Result<Vec<Text>, Fault>)> {
        let mut asked = 0;
        let mut fields = Vec::new();
        for read in &self.candidate.rule.rule.read {
            let at = asked;
            asked += usize::from(query(read).is_some());
            let texts = self.gather(read, at);
            fields.push((read, texts.and_then(|found| found.pick(read))));
        }
        fields
    }

    /// Whether the exchange has what `mark` looks for. Where that cannot be told it has not.
    pub(super) fn is_marked(&self, mark: &Read) -> bool {
        let read = &self.candidate.rule.rule.read;
        let at = read.iter().filter_map(query).count();
        let Ok(found) = self.gather(mark, at) else {
            return false;
        };
        match &mark.pattern {
            Some(pattern) => {
                let mut texts = found.texts.iter();
                texts.any(|text| text.matched(Some(pattern)).is_some())
            }
            // An element counts also without a text.
            None => found.count > 0,
        }
    }

    fn gather(&self, read: &Read, at: usize) -> Result<Gathered, Fault> {
        let values = |pairs: &[(String, String)], name: &str| {
            let named = pairs.iter().filter(|(other, _)| other == name);
            Gathered::of(named.map(|(_, value)| Text::data(value)).collect())
        };
        match &read.source {
            Source::Path(name) => Ok(values(&self.candidate.named, name)),
            Source::Query(name) => Ok(values(&self.matched.watch.parameters, name)),
            Source::Header(name) => {
                let headers = self.matched.headers.iter();
                let named = headers.filter(|(other, _)| other == name);
                Ok(Gathered::of(
                    named.map(|(_, value)| Text::data(value)).collect(),
                ))
            }
            Source::Css { attribute, .. } => {
                let kind = match attribute {
                    Some(_) => Kind::Data,
                    None => Kind::Printed,
                };
                self.html(read, at)
                    .map(|matches| Gathered::elements(matches, kind))
            }
            Source::Json { path, within: None } => self.json(read, path),
            Source::Json { path, .. } => scripts(read, self.html(read, at)?, path),
            Source::Regex(pattern) => {
                let page = self.page.as_ref().map_err(Arc::clone)?;
                let found = find(pattern, page.text()).take(TEXT_LIMIT + 1);
                Ok(Gathered::of(found.map(Text::data).collect()))
            }
        }
    }

    fn html(&self, read: &Read, at: usize) -> Result<&Matches, Fault> {
        self.page.as_ref().map_err(Arc::clone)?;
        let matches = self.html.as_ref().map_err(|error| Fault::Html {
            field: read.field.clone(),
            source: Arc::clone(error),
        })?;
        let matches = matches.get(at).ok_or_else(|| nothing(read))?;
        if matches.is_cut {
            return Err(Fault::Cut {
                field: read.field.clone(),
                origin: read.source.to_string(),
            });
        }
        Ok(matches)
    }

    fn json(&self, read: &Read, path: &JsonPath) -> Result<Gathered, Fault> {
        let page = self.page.as_ref().map_err(Arc::clone)?;
        let document = page.json().map_err(|source| no_json(read, source))?;
        let texts = json::texts(document, path).map_err(|kind| wrong_kind(read, kind))?;
        Ok(Gathered::of(texts))
    }
}

/// What `path` finds in all scripts together. Those that are no JSON count only
/// if there is nothing else.
fn scripts(read: &Read, scripts: &Matches, path: &JsonPath) -> Result<Gathered, Fault> {
    let mut texts = Vec::new();
    let mut broken = None;
    for script in &scripts.texts {
        match json::parse(script.as_bytes()) {
            Ok(document) => {
                let found = json::texts(&document, path);
                texts.extend(found.map_err(|kind| wrong_kind(read, kind))?);
            }
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    match broken {
        Some(error) if texts.is_empty() => Err(no_json(read, Arc::new(error))),
        _ => Ok(Gathered::of(texts)),
    }
}

fn nothing(read: &Read) -> Fault {
    Fault::Nothing {
        field: read.field.clone(),
        origin: read.source.to_string(),
    }
}

fn no_json(read: &Read, source: Arc<serde_json::Error>) -> Fault {
    Fault::Json {
        field: read.field.clone(),
        origin: read.source.to_string(),
        source,
    }
}

fn wrong_kind(read: &Read, kind: &'static str) -> Fault {
    Fault::Kind {
        field: read.field.clone(),
        origin: read.source.to_string(),
        kind,
    }
}

/// What a source found.
struct Gathered {
    /// How many places matched, some perhaps without a text.
    count: usize,
    texts: Vec<Text>,
}

impl Gathered {
    fn of(texts: Vec<Text>) -> Self {
        Self {
            count: texts.len(),
            texts,
        }
    }

    fn elements(matches: &Matches, kind: Kind) -> Self {
        let texts = matches.texts.iter().map(|text| Text {
            text: text.clone(),
            kind,
        });
        Self {
            count: matches.elements,
            texts: texts.collect(),
        }
    }

    /// The texts that the pattern matches, and of these the picked one, or all
    /// of them where there must be only one.
    fn pick(self, read: &Read) -> Result<Vec<Text>, Fault> {
        let field = || read.field.clone();
        let origin = || read.source.to_string();
        if self.count > MATCH_LIMIT.min(TEXT_LIMIT) {
            return Err(Fault::TooMany {
                field: field(),
                origin: origin(),
                limit: MATCH_LIMIT.min(TEXT_LIMIT),
            });
        }
        let pattern = read.pattern.as_ref();
        let texts = self.texts.iter().filter_map(|text| text.matched(pattern));
        let mut texts: Vec<Text> = texts.collect();
        if texts.is_empty() {
            return match self.absent(read) {
                // What is there but unlike the pattern is not absent: it is no zero.
                Fault::Nothing { .. } | Fault::Empty { .. } if read.optional => Ok(texts),
                fault => Err(fault),
            };
        }
        let at = match read.pick {
            Pick::Only => None,
            Pick::First => Some(0),
            Pick::Last => Some(texts.len() - 1),
            Pick::Nth(wanted) => Some(usize::from(wanted).saturating_sub(1)),
        };
        let Some(at) = at else {
            return check(read, texts);
        };
        if at < texts.len() {
            return check(read, vec![texts.swap_remove(at)]);
        }
        if read.optional {
            return Ok(Vec::new());
        }
        Err(Fault::Nth {
            field: field(),
            origin: origin(),
            count: texts.len(),
            wanted: u16::try_from(at + 1).unwrap_or(u16::MAX),
        })
    }

    /// Why no text is left.
    fn absent(&self, read: &Read) -> Fault {
        let (field, origin) = (read.field.clone(), read.source.to_string());
        let is_missed = |text: &&Text| {
            let missed = |pattern: &Regex| !pattern.is_match(&text.text);
            !text.text.trim().is_empty() && read.pattern.as_ref().is_some_and(missed)
        };
        match (&read.pattern, self.texts.iter().find(is_missed)) {
            (Some(pattern), Some(text)) => Fault::Pattern {
                field,
                origin,
                found: short(&text.text),
                pattern: pattern.to_string(),
            },
            _ if self.count == 0 => nothing(read),
            _ => Fault::Empty {
                field,
                origin,
                count: self.count,
            },
        }
    }
}

/// No text is longer than a field may be, none has broken characters.
fn check(read: &Read, texts: Vec<Text>) -> Result<Vec<Text>, Fault> {
    let (field, origin) = (|| read.field.clone(), || read.source.to_string());
    for text in &texts {
        if text.text.len() > FIELD_LIMIT {
            return Err(Fault::Long {
                field: field(),
                origin: origin(),
            });
        }
        if text.text.contains('\u{fffd}') {
            return Err(Fault::Charset {
                field: field(),
                origin: origin(),
                found: short(&text.text),
            });
        }
    }
    Ok(texts)
}

/// Where a field is, as the operator wrote it: `css #order strong`, `path {order}`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(name) => write!(f, "path {{{name}}}"),
            Self::Query(name) => write!(f, "query {name}"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Css {
                selector,
                attribute: None,
            } => write!(f, "css {selector}"),
            Self::Css {
                selector,
                attribute: Some(name),
            } => write!(f, "css {selector} attribute {name}"),
            Self::Json { path, within: None } => write!(f, "json {path}"),
            Self::Json {
                path,
                within: Some(selector),
            } => write!(f, "json {path} within {selector}"),
            Self::Regex(pattern) => write!(f, "regex {pattern}"),
        }
    }
}
