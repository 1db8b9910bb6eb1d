//! The fields of one connection (RFC 9110 §7.6.1), found and removed.

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// Fields meant for the shop or the shopper: a `Connection` that names one is mistaken, or wants
/// the far side to misread the message.
const ESSENTIAL: &[HeaderName] = &[
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::EXPECT,
    header::HOST,
    header::LOCATION,
    header::SET_COOKIE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::VARY,
];

/// What one look at a message's field names found.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one bit a field name")]
pub(super) struct Seen {
    pub(super) connection: bool,
    pub(super) keep_alive: bool,
    pub(super) proxy_connection: bool,
    pub(super) te: bool,
    pub(super) upgrade: bool,
    pub(super) http2_settings: bool,
    pub(super) coding: bool,
    pub(super) length: bool,
    /// `Forwarded`, `X-Forwarded-…`, also spelt with `_`.
    pub(super) forwarded: Vec<HeaderName>,
}

impl Seen {
    pub(super) fn look(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for name in headers.keys() {
            let text = name.as_str().as_bytes();
            match text.first() {
                Some(b'c') => {
                    seen.connection |= *name == header::CONNECTION;
                    seen.length |= *name == header::CONTENT_LENGTH;
                }
                Some(b'f' | b'x') if tells_of_another(text) => seen.forwarded.push(name.clone()),
                Some(b'h') => seen.http2_settings |= *name == HTTP2_SETTINGS,
                Some(b'k') => seen.keep_alive |= *name == KEEP_ALIVE,
                Some(b'p') => seen.proxy_connection |= *name == PROXY_CONNECTION,
                Some(b't') => {
                    seen.te |= *name == header::TE;
                    seen.coding |= *name == header::TRANSFER_ENCODING;
                }
                Some(b'u') => seen.upgrade |= *name == header::UPGRADE,
                _ => {}
            }
        }
        seen
    }
}

fn tells_of_another(name: &[u8]) -> bool {
    const PREFIX: &[u8] = b"x-forwarded-";
    name == b"forwarded"
        || name.len() > PREFIX.len()
            && name
                .iter()
                .zip(PREFIX)
                .all(|(&have, &want)| have == want || (have == b'_' && want == b'-'))
}

/// Whether the client asks for another protocol, and one that may be tunnelled.
///
/// Never h2c: behind the tunnel, requests would pass unseen. A request with a body is answered as
/// a plain one.
pub(super) fn may_upgrade(headers: &HeaderMap, seen: &Seen) -> bool {
    let has_body = seen.coding
        || headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0");
    seen.upgrade
        && !has_body
        && tokens(headers, &header::CONNECTION).any(|token| token.eq_ignore_ascii_case(b"upgrade"))
        && tokens(headers, &header::UPGRADE).all(|token| !is_h2c(token))
}

fn is_h2c(token: &[u8]) -> bool {
    let name = token.split(|byte| *byte == b'/').next().unwrap_or(token);
    name.eq_ignore_ascii_case(b"h2c") || name.eq_ignore_ascii_case(b"h2")
}

pub(super) fn wants_trailers(headers: &HeaderMap) -> bool {
    tokens(headers, &header::TE).any(|token| token.eq_ignore_ascii_case(b"trailers"))
}

/// Removes the fields that `Connection` names, save the essential ones.
pub(super) fn remove_named(headers: &mut HeaderMap, seen: &Seen) {
    if !seen.connection {
        return;
    }
    let plain = |token: &&[u8]| {
        !(token.eq_ignore_ascii_case(b"keep-alive")
            || token.eq_ignore_ascii_case(b"close")
            || token.eq_ignore_ascii_case(b"upgrade"))
    };
    let named: Vec<HeaderName> = tokens(headers, &header::CONNECTION)
        .filter(plain)
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .filter(|name| !ESSENTIAL.contains(name))
        .collect();
    for name in named {
        headers.remove(name);
    }
}

pub(super) fn remove(headers: &mut HeaderMap, seen: &Seen) {
    if seen.connection {
        headers.remove(header::CONNECTION);
    }
    if seen.keep_alive {
        headers.remove(KEEP_ALIVE);
    }
    if seen.proxy_connection {
        headers.remove(PROXY_CONNECTION);
    }
    if seen.te {
        headers.remove(header::TE);
    }
    if seen.http2_settings {
        headers.remove(HTTP2_SETTINGS);
    }
}

pub(super) fn remove_upgrade(headers: &mut HeaderMap, seen: &Seen) {
    if seen.upgrade {
        headers.remove(header::UPGRADE);
    }
}

/// `Keep-Alive: timeout=N`, in seconds.
pub(super) fn kept(headers: &HeaderMap) -> Option<Duration> {
    tokens(headers, &KEEP_ALIVE)
        .filter_map(|token| std::str::from_utf8(token).ok())
        .filter_map(|token| token.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))
        .and_then(|(_, seconds)| seconds.trim().parse::<u32>().ok())
        .map(|seconds| Duration::from_secs(seconds.into()))
}

/// The one length that every value and every list member agrees on.
pub(super) fn agreed_length<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> Option<u64> {
    let mut agreed = None;
    for member in values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
        let member = member.trim_ascii();
        if !is_number(member) {
            return None;
        }
        let length: u64 = std::str::from_utf8(member).ok()?.parse().ok()?;
        if agreed.is_some_and(|before| before != length) {
            return None;
        }
        agreed = Some(length);
    }
    agreed
}

pub(super) fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Several lines of one list as one; none where there are none.
pub(super) fn joined<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> Option<Vec<u8>> {
    let mut all: Option<Vec<u8>> = None;
    for value in values {
        match &mut all {
            None => all = Some(value.as_bytes().to_vec()),
            Some(all) => {
                all.extend_from_slice(b", ");
                all.extend_from_slice(value.as_bytes());
            }
        }
    }
    all
}

/// The members of a comma-separated list over all its lines.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}
