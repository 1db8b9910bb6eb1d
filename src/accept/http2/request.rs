//! A header block as a request, or as its trailers: what RFC 9113 §8 asks of both.
//!
//! Whatever breaks a rule is malformed as a whole (§8.1.1). The block is read to its end
//! all the same, or the next one could not be read.

use http::{Method, Version};

use super::hpack::{self, Decoder};
use super::name::{self, Name};
use crate::message::parse::{Limits, is_text};
use crate::message::{Fields, RequestHead, Target};

/// What a field counts beyond its bytes (RFC 9113 §6.5.2).
const OVERHEAD: usize = 32;

/// Room for a usual request's fields, so that they grow no buffer.
const USUAL: (usize, usize) = (900, 20);

/// What a block is.
#[derive(Debug)]
pub(super) enum Verdict<T> {
    /// What it should be.
    Good(T),
    /// It breaks a rule.
    Malformed(&'static str),
    /// Longer than the limit, or with more fields (431).
    Large,
}

/// A request as it was asked.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its head.
    pub(super) head: RequestHead,
    /// Its `content-length`.
    pub(super) length: Option<u64>,
}

/// Reads the block that opens a stream.
///
/// # Errors
/// The block cannot be read: the connection's end.
pub(super) fn head(
    decoder: &mut Decoder,
    block: &[u8],
    limits: Limits,
) -> Result<Verdict<Asked>, hpack::Fault> {
    let mut draft = Draft::new(limits);
    decoder.decode(block, |name, text, value| draft.head(name, text, value))?;
    if let Some(verdict) = draft.bad() {
        return Ok(verdict);
    }
    Ok(match draft.request() {
        Ok(asked) => Verdict::Good(asked),
        Err(why) => Verdict::Malformed(why),
    })
}

/// Reads the block behind a request's data.
///
/// # Errors
/// The block cannot be read: the connection's end.
pub(super) fn trailers(
    decoder: &mut Decoder,
    block: &[u8],
    limits: Limits,
) -> Result<Verdict<Fields>, hpack::Fault> {
    let mut draft = Draft::new(limits);
    decoder.decode(block, |name, text, value| {
        draft.trailer(name, text, value);
    })?;
    Ok(draft.bad().unwrap_or(Verdict::Good(draft.fields)))
}

/// Reads a block that nobody wants.
///
/// # Errors
/// The block cannot be read: the connection's end.
pub(super) fn nothing(decoder: &mut Decoder, block: &[u8]) -> Result<(), hpack::Fault> {
    decoder.decode(block, |_, _, _| {})
}

/// What is known of a request so far.
struct Draft {
    method: Option<Method>,
    scheme: bool,
    path: Option<Vec<u8>>,
    authority: Option<Vec<u8>>,
    protocol: Option<Vec<u8>>,
    fields: Fields,
    /// Its crumbs, joined (RFC 9113 §8.2.3).
    cookie: Option<Vec<u8>>,
    length: Option<u64>,
    /// A field came that is no pseudo field: none of those may follow (RFC 9113 §8.3).
    regular: bool,
    count: usize,
    size: usize,
    limits: Limits,
    fault: Option<&'static str>,
}

impl Draft {
    fn new(limits: Limits) -> Self {
        let (bytes, lines) = USUAL;
        Self {
            method: None,
            scheme: false,
            path: None,
            authority: None,
            protocol: None,
            fields: Fields::with_capacity(bytes, lines),
            cookie: None,
            length: None,
            regular: false,
            count: 0,
            size: 0,
            limits,
            fault: None,
        }
    }

    fn head(&mut self, name: Name, text: &[u8], value: &[u8]) {
        if !self.counts(text, value) {
            return;
        }
        let put = if name.is_pseudo() {
            self.pseudo(name, value)
        } else {
            self.regular = true;
            self.field(name, text, value)
        };
        self.note(put);
    }

    fn trailer(&mut self, name: Name, text: &[u8], value: &[u8]) {
        if !self.counts(text, value) {
            return;
        }
        // What frames or routes a message has no place behind it (RFC 9110 §6.5.1).
        let put = match name {
            Name::Plain if text != b"host" => self.plain(text, value),
            _ => Err("a trailer that may not be one"),
        };
        self.note(put);
    }

    fn note(&mut self, put: Result<(), &'static str>) {
        if let Err(why) = put {
            self.fault.get_or_insert(why);
        }
    }

    /// Counts a field; whether it is still to be looked at.
    fn counts(&mut self, text: &[u8], value: &[u8]) -> bool {
        self.size = self
            .size
            .saturating_add(text.len() + value.len() + OVERHEAD);
        self.count += 1;
        self.fault.is_none() && !self.is_large()
    }

    const fn is_large(&self) -> bool {
        self.size > self.limits.bytes || self.count > self.limits.fields
    }

    fn bad<T>(&self) -> Option<Verdict<T>> {
        if self.is_large() {
            return Some(Verdict::Large);
        }
        self.fault.map(Verdict::Malformed)
    }

    fn pseudo(&mut self, name: Name, value: &[u8]) -> Result<(), &'static str> {
        const TWICE: &str = "a pseudo field came twice";
        if self.regular {
            return Err("a pseudo field behind another field");
        }
        let slot = match name {
            Name::Method => {
                let method = Method::from_bytes(value).map_err(|_no_token| "no method")?;
                let twice = self.method.replace(method).is_some();
                return if twice { Err(TWICE) } else { Ok(()) };
            }
            Name::Scheme => {
                let twice = std::mem::replace(&mut self.scheme, true);
                return match is_scheme(value) {
                    true if twice => Err(TWICE),
                    true => Ok(()),
                    false => Err("no scheme"),
                };
            }
            Name::Path if is_path(value) => &mut self.path,
            Name::Authority if is_authority(value) => &mut self.authority,
            Name::Protocol if crate::message::parse::is_token(value) => &mut self.protocol,
            _ => return Err("a pseudo field that is unknown or not valid"),
        };
        match slot.replace(value.to_vec()) {
            None => Ok(()),
            Some(_) => Err(TWICE),
        }
    }

    fn field(&mut self, name: Name, text: &[u8], value: &[u8]) -> Result<(), &'static str> {
        match name {
            Name::Plain => self.plain(text, value),
            Name::Cookie => {
                is_value(value)?;
                match &mut self.cookie {
                    Some(cookie) => {
                        cookie.extend_from_slice(b"; ");
                        cookie.extend_from_slice(value);
                    }
                    none => *none = Some(value.to_vec()),
                }
                Ok(())
            }
            Name::ContentLength => {
                let length = digits(value).ok_or("content-length is no number")?;
                if self.length.replace(length).is_some() {
                    return Err("content-length came twice");
                }
                self.plain(text, value)
            }
            Name::Te if value.eq_ignore_ascii_case(b"trailers") => self.plain(text, value),
            Name::Te => Err("te is not trailers"),
            Name::Connection => Err("a connection-specific field"),
            _ => Err("a field's name is not valid"),
        }
    }

    fn plain(&mut self, text: &[u8], value: &[u8]) -> Result<(), &'static str> {
        is_value(value)?;
        self.fields.append(text, value);
        Ok(())
    }

    /// What RFC 9113 §8.3.1, §8.5 and RFC 8441 §4 ask of the whole.
    fn request(mut self) -> Result<Asked, &'static str> {
        let method = self.method.ok_or("no :method")?;
        let tunnel = method == Method::CONNECT && self.protocol.is_none();
        let target = if tunnel {
            if self.scheme || self.path.is_some() {
                return Err("CONNECT with a :scheme or a :path");
            }
            self.authority.clone()
        } else {
            if !self.scheme {
                return Err("no :scheme");
            }
            self.path
        };
        let target = target.ok_or("no :path, or no :authority of CONNECT")?;
        if target == b"*" && method != Method::OPTIONS {
            return Err(":path is no path");
        }
        if self.protocol.is_some() && (method != Method::CONNECT || self.authority.is_none()) {
            return Err(":protocol without CONNECT or :authority");
        }
        if let Some(cookie) = self.cookie {
            self.fields.append(b"cookie", &cookie);
        }
        let head = RequestHead {
            method,
            target: Target::new(target),
            authority: self.authority,
            protocol: self.protocol,
            version: Version::HTTP_2,
            fields: self.fields,
        };
        Ok(Asked {
            head,
            length: self.length,
        })
    }
}

/// RFC 9113 §8.2.1.
fn is_value(value: &[u8]) -> Result<(), &'static str> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    if value.first().is_some_and(blank) || value.last().is_some_and(blank) || !is_text(value) {
        return Err("a field's value is not valid");
    }
    Ok(())
}

fn digits(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// RFC 3986 §3.1.
fn is_scheme(text: &[u8]) -> bool {
    if matches!(text, b"https" | b"http") {
        return true;
    }
    let rest = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(rest)
}

/// A path with or without a query, or `*`; the rest as in HTTP/1.1's request line.
fn is_path(text: &[u8]) -> bool {
    let bad = |byte: u8| byte <= b' ' || byte == 0x7f;
    (text.first() == Some(&b'/') || text == b"*")
        && !text.iter().fold(false, |found, byte| found | bad(*byte))
}

/// A host, with or without a port, of the bytes that RFC 3986 §3.2 allows; no user
/// information (RFC 9113 §8.3.1).
fn is_authority(text: &[u8]) -> bool {
    let good = |byte: &u8| AUTHORITY.get(usize::from(*byte)).is_some_and(|good| *good);
    !text.is_empty() && text.iter().all(good)
}

static AUTHORITY: [bool; 256] = authority();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses an index out of bounds"
)]
const fn authority() -> [bool; 256] {
    let mut good = [false; 256];
    let mut rest: &[u8] = b"-._~%!$&'()*+,;=:[]";
    while let [byte, behind @ ..] = rest {
        good[name::index(*byte)] = true;
        rest = behind;
    }
    let mut byte = 0;
    while byte < 128 {
        good[name::index(byte)] |= byte.is_ascii_alphanumeric();
        byte += 1;
    }
    good
}

#[cfg(test)]
mod tests;
