//! Template text → parts. What stands in scheme, host and port is text and nothing else.

use std::str::FromStr;

use reqwest::Url;

use super::{LIMIT, Part, Template, has_dot_segment};

/// The words of the networks' instructions and the names they stand for.
const WORDS: [(&str, &str); 4] = [
    ("AFFILIATE_ID", "affiliate_id"),
    ("TRANSACTION_ID", "transaction_id"),
    ("AMOUNT", "amount"),
    ("ORDER_ID", "order_id"),
];

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More than [`LIMIT`] bytes.
    #[error("a postback URL longer than {LIMIT} bytes")]
    Long,
    /// Not `http://` or `https://`.
    #[error("a postback URL begins with https:// or http://")]
    Scheme,
    /// A character that cannot stand in a URL as it is.
    #[error("{0:?} in a postback URL: write it percent-encoded")]
    Character(char),
    /// `#`: a server is never sent what follows it.
    #[error("'#' in a postback URL: what follows it is never sent")]
    Fragment,
    /// `https:///`: WHATWG URL would take the first path segment for the host.
    #[error("no host behind the :// of a postback URL")]
    Host,
    /// A user name or password before the host.
    #[error("a user name or password before the host of a postback URL")]
    Userinfo,
    /// A word or `{…}` in the host or port.
    #[error("{0} in the host or port of a postback URL: values may stand in path and query only")]
    Authority(String),
    /// The URL does not parse.
    #[error("a postback URL that is none")]
    Url(#[source] <Url as FromStr>::Err),
    /// `{` or `}` alone, or something between them that is no name.
    #[error("a '{{' or '}}' without a name: write {{order_id}}, or %7B and %7D for the characters")]
    Brace,
    /// A known word within a longer value.
    #[error("{0} within a longer value would be sent as it is: write {{{1}}}")]
    Within(&'static str, &'static str),
    /// A path segment `.` or `..`.
    #[error("a path segment '.' or '..' in a postback URL")]
    Dots,
    /// Neither an own name nor a captured parameter.
    #[error("unknown {{{name}}} in a postback URL; known here: {known}")]
    Unknown {
        /// What was written.
        name: String,
        /// What could have been.
        known: String,
    },
    /// One captured parameter cannot be both.
    #[error("AFFILIATE_ID and TRANSACTION_ID cannot both stand for the one parameter {0}")]
    Both(String),
}

impl FromStr for Template {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.len() > LIMIT {
            return Err(Error::Long);
        }
        let (origin, rest) = split_origin(text)?;
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let mut parts = vec![Part::Text(origin.to_owned())];
        for (index, segment) in path.split('/').enumerate() {
            if index > 0 {
                push_text(&mut parts, "/");
            }
            parse_value(&mut parts, segment)?;
        }
        if let Some(query) = query {
            parse_query(&mut parts, query)?;
        }
        let template = Self { parts };
        let probe = template.probe();
        if has_dot_segment(&probe) {
            return Err(Error::Dots);
        }
        Url::parse(&probe).map_err(Error::Url)?;
        Ok(template)
    }
}

impl Template {
    /// The URL with a harmless letter for every value.
    fn probe(&self) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Fill { .. } => "x".to_owned(),
        };
        self.parts.iter().map(text).collect()
    }
}

/// `https://host:port` and all that follows it.
fn split_origin(text: &str) -> Result<(&str, &str), Error> {
    if text.contains('#') {
        return Err(Error::Fragment);
    }
    // WHATWG URL takes a backslash for a slash and drops tabs and line ends: the host could become another one.
    let strange =
        |c: &char| !c.is_ascii_graphic() || matches!(c, '\\' | '"' | '<' | '>' | '^' | '`');
    if let Some(c) = text.chars().find(strange) {
        return Err(Error::Character(c));
    }
    let (scheme, after) = text.split_once("://").ok_or(Error::Scheme)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(Error::Scheme);
    }
    let end = after.find(['/', '?']).unwrap_or(after.len());
    let (authority, rest) = after.split_at_checked(end).ok_or(Error::Scheme)?;
    if authority.is_empty() {
        return Err(Error::Host);
    }
    if authority.contains('@') {
        return Err(Error::Userinfo);
    }
    if let Some((word, _)) = WORDS.iter().find(|(word, _)| has_token(authority, word)) {
        return Err(Error::Authority((*word).to_owned()));
    }
    if authority.contains(['{', '}']) {
        return Err(Error::Authority("{…}".to_owned()));
    }
    let origin = text.strip_suffix(rest).ok_or(Error::Scheme)?;
    Ok((origin, rest))
}

/// `a=1&b={x}&c`: values are read for words, keys for `{name}` only.
fn parse_query(parts: &mut Vec<Part>, query: &str) -> Result<(), Error> {
    for (index, pair) in query.split('&').enumerate() {
        push_text(parts, if index == 0 { "?" } else { "&" });
        match pair.split_once('=') {
            Some((key, value)) => {
                parse_braces(parts, key)?;
                push_text(parts, "=");
                parse_value(parts, value)?;
            }
            None => parse_braces(parts, pair)?,
        }
    }
    Ok(())
}

/// A query value or a path segment: one known word, or text with `{name}`s.
fn parse_value(parts: &mut Vec<Part>, text: &str) -> Result<(), Error> {
    if let Some((word, name)) = WORDS.iter().find(|(word, _)| *word == text) {
        parts.push(Part::Fill {
            name: (*name).to_owned(),
            source: (*word).to_owned(),
            optional: false,
        });
        return Ok(());
    }
    let outside_braces = || text.split(['{', '}']).step_by(2);
    let bare = |word: &str| outside_braces().any(|text| has_token(text, word));
    if let Some((word, name)) = WORDS.iter().find(|(word, _)| bare(word)) {
        return Err(Error::Within(word, name));
    }
    parse_braces(parts, text)
}

fn parse_braces(parts: &mut Vec<Part>, text: &str) -> Result<(), Error> {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or(Error::Brace)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || before.contains('}') || !name.chars().all(fits) {
            return Err(Error::Brace);
        }
        push_text(parts, before);
        parts.push(Part::Fill {
            name: name.to_owned(),
            source: format!("{{{name}}}"),
            optional: false,
        });
        rest = after;
    }
    if rest.contains('}') {
        return Err(Error::Brace);
    }
    push_text(parts, rest);
    Ok(())
}

fn push_text(parts: &mut Vec<Part>, more: &str) {
    match parts.last_mut() {
        Some(Part::Text(text)) => text.push_str(more),
        _ => parts.push(Part::Text(more.to_owned())),
    }
}

/// Whether `word` stands in `text` by itself, not within a longer word.
fn has_token(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .any(|token| token == word)
}
