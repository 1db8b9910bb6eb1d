//! Where in an address the token goes, and which addresses get none.
//!
//! An address is decorated only if it is written so plainly that every reader takes it to the
//! same host: absolute (`https://host/…`) or scheme-relative (`//host/…`), a host of plain
//! ASCII, no user, no backslash, no control character. Browsers drop tabs and line ends and
//! read `\` as `/` (WHATWG URL §4.4), so where there is one of these there is no token.

mod fragile;

use std::borrow::Cow;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::store::Scheme;

/// Longest address in bytes; servers take hardly longer ones.
const LENGTH_LIMIT: usize = 8 * 1024;

/// Longest host in bytes (RFC 1035 §2.3.4).
const HOST_LIMIT: usize = 255;

/// What is encoded in the parameter's name and value: all but `unreserved` (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Whom an address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'u> {
    /// By what.
    pub scheme: Scheme,
    /// In lower case, IPv6 in brackets; as it is written otherwise.
    pub host: &'u str,
    /// The port that is written, or the scheme's.
    pub port: u16,
}

/// The stores that a token may be given to.
pub trait Siblings {
    /// The token for links to `origin`; none if that is, exactly, no sibling's.
    ///
    /// Asked only for an address that will get it.
    fn token(&mut self, origin: &Origin<'_>) -> Option<Arc<str>>;

    /// Whether links to this host, as it is written, may get one by some scheme and port; asked often.
    fn may_be(&self, _host: &str) -> bool {
        true
    }
}

impl<F> Siblings for F
where
    F: FnMut(&Origin<'_>) -> Option<Arc<str>>,
{
    fn token(&mut self, origin: &Origin<'_>) -> Option<Arc<str>> {
        self(origin)
    }
}

/// Siblings whose token is made when it is first needed, once for each origin: for one response.
#[derive(Debug)]
pub struct Minted<K, F> {
    known: K,
    mint: F,
    tokens: Vec<(Scheme, Box<str>, u16, Arc<str>)>,
}

impl<K, F> Minted<K, F>
where
    K: Fn(&str) -> bool,
    F: FnMut(&Origin<'_>) -> Option<String>,
{
    /// `known` tells a sibling's host, in any case; `mint` makes a sibling's token, and says no to all
    /// others, each time it is asked.
    pub const fn new(known: K, mint: F) -> Self {
        Self {
            known,
            mint,
            tokens: Vec::new(),
        }
    }
}

impl<K, F> Siblings for Minted<K, F>
where
    K: Fn(&str) -> bool,
    F: FnMut(&Origin<'_>) -> Option<String>,
{
    fn token(&mut self, origin: &Origin<'_>) -> Option<Arc<str>> {
        let known = self.tokens.iter().find(|(scheme, host, port, _)| {
            (*scheme, &**host, *port) == (origin.scheme, origin.host, origin.port)
        });
        if let Some((.., token)) = known {
            return Some(Arc::clone(token));
        }
        let token: Arc<str> = (self.mint)(origin)?.into();
        self.tokens.push((
            origin.scheme,
            origin.host.into(),
            origin.port,
            Arc::clone(&token),
        ));
        Some(token)
    }

    fn may_be(&self, host: &str) -> bool {
        (self.known)(host)
    }
}

/// What goes into an address; all else of it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insertion {
    /// Before which byte of the address.
    pub at: usize,
    /// The parameter with what parts it from the query before: ASCII, and of it letters,
    /// digits and `?&=-._~%`.
    pub text: String,
    /// The token as it is.
    pub token: Arc<str>,
}

/// `url` with the token as `parameter` at the end of its query; none if it gets none.
///
/// `url` is what stands in a `Location`; `base` is the scheme of the page, which `//host/` takes.
pub fn decorate(
    url: &str,
    base: Scheme,
    parameter: &str,
    siblings: &mut impl Siblings,
) -> Option<String> {
    let insertion = insertion(url, base, parameter, siblings)?;
    let mut decorated = url.to_owned();
    decorated.insert_str(insertion.at, &insertion.text);
    Some(decorated)
}

/// What goes into `url`, and where; none if it gets no token.
///
/// The parameter is cut out again by [`crate::capture::query`], byte for byte, so it follows a
/// `&` even where the query is empty or ends with one.
pub fn insertion(
    url: &str,
    base: Scheme,
    parameter: &str,
    siblings: &mut (impl Siblings + ?Sized),
) -> Option<Insertion> {
    let address = Address::parse(url, base)?;
    let is_fragile = fragile::is_file(address.path)
        || address
            .query
            .is_some_and(|query| fragile::is_fragile(query, parameter));
    if is_fragile {
        return None;
    }
    let host = address.host.to_ascii_lowercase();
    let token = siblings.token(&Origin {
        scheme: address.scheme,
        host: &host,
        port: address.port,
    })?;
    let part = if address.query.is_some() { "&" } else { "?" };
    Some(Insertion {
        at: address.end,
        text: [part, &*encoded(parameter), "=", &*encoded(&token)].concat(),
        token,
    })
}

/// The text as it stands in a query; a token is so as it is.
fn encoded(text: &str) -> Cow<'_, str> {
    let is_unreserved =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    match text.bytes().all(is_unreserved) {
        true => Cow::Borrowed(text),
        false => utf8_percent_encode(text, RESERVED).into(),
    }
}

/// An address taken apart.
struct Address<'u> {
    scheme: Scheme,
    host: &'u str,
    port: u16,
    path: &'u str,
    query: Option<&'u str>,
    /// Where its fragment begins, or it ends.
    end: usize,
}

impl<'u> Address<'u> {
    fn parse(url: &'u str, base: Scheme) -> Option<Self> {
        let (scheme, rest) = scheme(url, base)?;
        let is_plain = |byte: u8| !byte.is_ascii_control() && byte != b'\\';
        // A space at the end is no part of it (WHATWG URL §4.4).
        if url.len() > LENGTH_LIMIT || url.ends_with(' ') || !url.bytes().all(is_plain) {
            return None;
        }
        let whole = rest.split_once('#').map_or(rest, |(whole, _)| whole);
        let (place, query) = match whole.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (whole, None),
        };
        let (authority, path) = place.split_at_checked(place.find('/').unwrap_or(place.len()))?;
        let (host, port) = authority_parts(authority, scheme)?;
        Some(Self {
            scheme,
            host,
            port,
            path,
            query,
            end: url.len() - rest.len() + whole.len(),
        })
    }
}

/// The scheme, and what follows its `//`.
fn scheme(url: &str, base: Scheme) -> Option<(Scheme, &str)> {
    let (scheme, rest) = url.split_once("//")?;
    let scheme = match scheme {
        "" => base,
        _ if scheme.eq_ignore_ascii_case("https:") => Scheme::Https,
        _ if scheme.eq_ignore_ascii_case("http:") => Scheme::Http,
        _ => return None,
    };
    Some((scheme, rest))
}

/// Host and port.
fn authority_parts(authority: &str, scheme: Scheme) -> Option<(&str, u16)> {
    let default = match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    };
    let (host, port) = match authority.rsplit_once(':') {
        // Within an IPv6 address.
        Some(_) if authority.ends_with(']') => (authority, default),
        Some((host, port)) => (host, number(port)?),
        None => (authority, default),
    };
    let is_host = match host.strip_prefix('[').and_then(|six| six.strip_suffix(']')) {
        Some(six) => is_made_of(six, |byte| {
            byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')
        }),
        None => is_made_of(host, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
        }),
    };
    let is_bounded = host.len() <= HOST_LIMIT && !host.ends_with('.');
    (is_host && is_bounded).then_some((host, port))
}

fn is_made_of(text: &str, wanted: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(wanted)
}

/// A port as everybody writes it.
fn number(port: &str) -> Option<u16> {
    let is_plain = is_made_of(port, |byte| byte.is_ascii_digit()) && !port.starts_with('0');
    is_plain.then(|| port.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
