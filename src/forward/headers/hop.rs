//! The fields of one connection (RFC 9110 §7.6.1), found and removed.

use std::time::Duration;

use crate::message::Fields;

/// Fields meant for the shop or the shopper: a `Connection` that names one is mistaken, or wants
/// the far side to misread the message.
const ESSENTIAL: &[&str] = &[
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "location",
    "set-cookie",
    "trailer",
    "transfer-encoding",
    "vary",
];

/// What a field is to whoever passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not ours to look at.
    Plain,
    /// `Connection`.
    Connection,
    /// `Keep-Alive`.
    KeepAlive,
    /// `TE`.
    Te,
    /// `HTTP2-Settings`, `Proxy-Connection`: of a connection, and nothing to be read in them.
    Settings,
    /// `Upgrade`.
    Upgrade,
    /// `Transfer-Encoding`.
    Coding,
    /// `Content-Length`.
    Length,
    /// `Expect`.
    Expect,
    /// `Forwarded`, `X-Forwarded-…`, also spelt with `_`.
    Forwarded,
}

/// Whether a name with this first byte and length may say how a body is framed, or switch protocols.
pub(super) const fn may_frame(first: u8, length: usize) -> bool {
    matches!((first | 0x20, length), (b'c', 14) | (b't', 17) | (b'u', 7))
}

/// Whether a name with this first byte and length may be other than plain.
pub(in crate::forward) const fn may_matter(first: u8, length: usize) -> bool {
    match first | 0x20 {
        b'c' => length == 10 || length == 14,
        b'e' => length == 6,
        b'f' => length == 9,
        b'h' => length == 14,
        b'k' => length == 10,
        b'p' => length == 16,
        b't' => length == 2 || length == 17,
        b'u' => length == 7,
        b'x' => length > 12,
        _ => false,
    }
}

impl Kind {
    /// By its name, in any case.
    pub(super) fn of(name: &[u8]) -> Self {
        let first = name.first().copied().unwrap_or_default() | 0x20;
        let (kind, is) = match (first, name.len()) {
            (b'c', 10) => (Self::Connection, is(name, b"connection")),
            (b'c', 14) => (Self::Length, is(name, b"content-length")),
            (b'e', 6) => (Self::Expect, is(name, b"expect")),
            (b'f', 9) => (Self::Forwarded, is(name, b"forwarded")),
            (b'h', 14) => (Self::Settings, is(name, b"http2-settings")),
            (b'k', 10) => (Self::KeepAlive, is(name, b"keep-alive")),
            (b'p', 16) => (Self::Settings, is(name, b"proxy-connection")),
            (b't', 2) => (Self::Te, is(name, b"te")),
            (b't', 17) => (Self::Coding, is(name, b"transfer-encoding")),
            (b'u', 7) => (Self::Upgrade, is(name, b"upgrade")),
            (b'x', 13..) => (Self::Forwarded, tells_of_another(name)),
            _ => return Self::Plain,
        };
        if is { kind } else { Self::Plain }
    }
}

/// Whether a token is this one, given in lower case, of letters, digits and `-`: in these the bit
/// that the cases differ by tells no two tokens' bytes apart that are not the same letter.
fn is<const LENGTH: usize>(token: &[u8], name: &[u8; LENGTH]) -> bool {
    let Ok(token) = <&[u8; LENGTH]>::try_from(token) else {
        return false;
    };
    // Without an early end, so that it is done many bytes at a time.
    let pairs = token.iter().zip(name);
    pairs.fold(0, |differs, (one, other)| differs | ((one | 0x20) ^ other)) == 0
}

fn tells_of_another(name: &[u8]) -> bool {
    let alike = |(have, want): (&u8, &u8)| {
        have.to_ascii_lowercase() == *want || (*have == b'_' && *want == b'-')
    };
    name.iter().zip(b"x-forwarded-").all(alike)
}

/// Whether a field may come behind a body: none that frames, routes or says who asks, because a
/// reader may take a trailer for a field of the head (RFC 9110 §6.5.1).
pub(in crate::forward) fn may_trail(name: &[u8]) -> bool {
    let known = |essential: &&str| name.eq_ignore_ascii_case(essential.as_bytes());
    Kind::of(name) == Kind::Plain && !ESSENTIAL.iter().any(known)
}

/// What `Connection` says.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// `close`.
    pub(super) close: bool,
    /// `upgrade`.
    pub(super) upgrade: bool,
    /// The names of fields, each with a comma behind it.
    fields: Vec<u8>,
}

impl Named {
    /// Reads one line of it.
    pub(super) fn read(&mut self, value: &[u8]) {
        // As most are.
        if is(value, b"keep-alive") {
            return;
        }
        for token in tokens(value) {
            if is(token, b"close") {
                self.close = true;
            } else if is(token, b"upgrade") {
                self.upgrade = true;
            } else if !is(token, b"keep-alive") {
                self.fields.extend_from_slice(token);
                self.fields.push(b',');
            }
        }
    }

    /// Removes the fields that it names, save the essential ones.
    pub(super) fn remove(&self, fields: &mut Fields) {
        if self.fields.is_empty() {
            return;
        }
        fields.retain(|name, _| {
            let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
            !tokens(&self.fields).any(is) || ESSENTIAL.iter().any(|own| is(own.as_bytes()))
        });
    }
}

pub(super) fn is_h2c(token: &[u8]) -> bool {
    let name = token.split(|byte| *byte == b'/').next().unwrap_or(token);
    name.eq_ignore_ascii_case(b"h2c") || name.eq_ignore_ascii_case(b"h2")
}

/// Whether the list has this member.
pub(super) fn has(list: &[u8], word: &[u8]) -> bool {
    tokens(list).any(|token| token.eq_ignore_ascii_case(word))
}

/// `Keep-Alive: timeout=N`, in seconds.
pub(super) fn kept(value: &[u8]) -> Option<Duration> {
    tokens(value)
        .filter_map(|token| std::str::from_utf8(token).ok())
        .filter_map(|token| token.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))
        .and_then(|(_, seconds)| seconds.trim().parse::<u32>().ok())
        .map(|seconds| Duration::from_secs(seconds.into()))
}

/// Digits alone: neither sign nor space.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let digit = |number: u64, byte: &u8| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    };
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0, digit)
}

/// The members of a comma-separated list.
pub(super) fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}
