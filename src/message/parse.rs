//! An HTTP/1.1 head, read strictly (RFC 9112 §2 to §5).
//!
//! Whoever stands in a chain of HTTP readers must not be the lenient one: what two
//! of them read differently is how requests are smuggled (RFC 9112 §11.2). So a line
//! ends in CR LF and in nothing else, there is no folding, no space before a colon,
//! no NUL or other control, and one space between the parts of the first line.

use http::{Method, StatusCode, Version};
use memchr::memchr;

use super::fields::Index;
use super::text::{low, token};
use super::{Fields, RequestHead, ResponseHead, Target};

pub use super::text::{is_text, is_token};

/// Bounds of a head.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes, with the empty line at its end.
    pub bytes: usize,
    /// Fields.
    pub fields: usize,
}

/// Why bytes are no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Its first line is longer than the limit (414).
    #[error("the first line is too long")]
    LongLine,
    /// It is longer than the limit, or has more fields (431).
    #[error("the head is too large")]
    Large,
    /// A version that this parser does not know (505).
    #[error("the HTTP version is not 1.0 or 1.1")]
    Version,
    /// The first line is no request or status line.
    #[error("the first line is not valid")]
    Line,
    /// A field line is not one: a bad name, a bad value, folding, or a line end other than CR LF.
    #[error("a field is not valid")]
    Field,
}

/// A head and how many bytes it took.
pub type Parsed<H> = Option<(H, usize)>;

/// Reads a request's head from the front of `bytes`; none if more must come. Empty
/// lines before it are passed over (RFC 9112 §2.2). What can never become a head is
/// refused before it is whole.
///
/// # Errors
/// The bytes begin with no valid head, or with none within `limits`.
pub fn request(bytes: &[u8], limits: Limits) -> Result<Parsed<Box<RequestHead>>, Fault> {
    let skipped = blank(bytes);
    within(bytes, skipped, limits, |bytes| {
        let Some((method, target, version, line)) = request_line(bytes)? else {
            return Ok(None);
        };
        let section = bytes.get(line..).unwrap_or_default();
        let Some((fields, length)) = fields(section, limits.fields)? else {
            return Ok(None);
        };
        let head = Box::new(RequestHead {
            method,
            target,
            authority: None,
            protocol: None,
            version,
            fields,
        });
        Ok(Some((head, line + length)))
    })
}

/// Reads a response's head from the front of `bytes`; none if more must come.
///
/// # Errors
/// The bytes begin with no valid head, or with none within `limits`.
pub fn response(bytes: &[u8], limits: Limits) -> Result<Parsed<ResponseHead>, Fault> {
    within(bytes, 0, limits, |bytes| {
        let Some(line) = memchr(b'\n', bytes) else {
            return Ok(None);
        };
        let (first, section) = bytes.split_at(line + 1);
        let first = first.strip_suffix(b"\r\n").ok_or(Fault::Line)?;
        let (status, reason, version) = status_line(first)?;
        let Some((fields, length)) = fields(section, limits.fields)? else {
            return Ok(None);
        };
        let head = ResponseHead {
            status,
            reason,
            version,
            fields,
        };
        Ok(Some((head, line + 1 + length)))
    })
}

/// Reads a trailer section with the empty line at its end; none if more must come.
///
/// # Errors
/// As for a head.
pub fn trailers(bytes: &[u8], limits: Limits) -> Result<Parsed<Fields>, Fault> {
    if bytes.starts_with(b"\r\n") {
        return Ok(Some((Fields::default(), 2)));
    }
    within(bytes, 0, limits, |bytes| fields(bytes, limits.fields))
}

/// What `read` finds behind the first `skipped` bytes, within the limit.
fn within<H>(
    bytes: &[u8],
    skipped: usize,
    limits: Limits,
    read: impl FnOnce(&[u8]) -> Result<Parsed<H>, Fault>,
) -> Result<Parsed<H>, Fault> {
    let rest = bytes.get(skipped..).unwrap_or_default();
    let bounded = rest.get(..limits.bytes).unwrap_or(rest);
    match read(bounded)? {
        Some((head, length)) => Ok(Some((head, skipped + length))),
        None if rest.len() < limits.bytes => Ok(None),
        None if memchr(b'\n', bounded).is_none() => Err(Fault::LongLine),
        None => Err(Fault::Large),
    }
}

/// The bytes of the empty lines in front.
fn blank(bytes: &[u8]) -> usize {
    let pairs = bytes.chunks_exact(2);
    2 * pairs.take_while(|pair| *pair == b"\r\n").count()
}

/// A request line's parts, and its length.
type RequestLine = Option<(Method, Target, Version, usize)>;

fn request_line(bytes: &[u8]) -> Result<RequestLine, Fault> {
    const VERSION: usize = "HTTP/1.1".len();
    let (method, rest) = bytes.split_at(token(bytes));
    let rest = match (method, rest) {
        ([], [] | [b'\r']) | (_, []) => return Ok(None),
        ([_, ..], [b' ', rest @ ..]) => rest,
        _ => return Err(Fault::Line),
    };
    let (target, rest) = rest.split_at(low::<0x21>(rest));
    let rest = match (target, rest) {
        (_, []) => return Ok(None),
        ([_, ..], [b' ', rest @ ..]) => rest,
        _ => return Err(Fault::Line),
    };
    let Some((version_text, end)) = rest.split_at_checked(VERSION) else {
        let ended = memchr(b'\n', rest).is_some();
        return if ended { Err(Fault::Line) } else { Ok(None) };
    };
    let version = version(version_text)?;
    match end {
        [b'\r', b'\n', ..] => {}
        [] | [b'\r'] => return Ok(None),
        _ => return Err(Fault::Line),
    }
    let length = method.len() + 1 + target.len() + 1 + VERSION + 2;
    let method = Method::from_bytes(method).map_err(|_no_token| Fault::Line)?;
    Ok(Some((
        method,
        Target::new(target.to_vec()),
        version,
        length,
    )))
}

type Status = (StatusCode, Option<Box<[u8]>>, Version);

fn status_line(line: &[u8]) -> Result<Status, Fault> {
    let (version_text, rest) = line.split_at_checked(8).ok_or(Fault::Line)?;
    let version = version(version_text)?;
    let rest = rest.strip_prefix(b" ").ok_or(Fault::Line)?;
    let (code, rest) = rest.split_at_checked(3).ok_or(Fault::Line)?;
    let status = StatusCode::from_bytes(code).map_err(|_no_status| Fault::Line)?;
    // Some servers leave out the space where there is no phrase.
    let reason = match rest {
        [] => rest,
        [b' ', reason @ ..] => reason,
        _ => return Err(Fault::Line),
    };
    if !is_text(reason) {
        return Err(Fault::Line);
    }
    let usual = status.canonical_reason().unwrap_or("").as_bytes();
    let own = (reason != usual).then(|| reason.into());
    Ok((status, own, version))
}

fn version(text: &[u8]) -> Result<Version, Fault> {
    match text {
        b"HTTP/1.1" => Ok(Version::HTTP_11),
        b"HTTP/1.0" => Ok(Version::HTTP_10),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            // RFC 9110 §2.5: a higher minor version is understood as the highest known one.
            match major {
                b'1' => Ok(Version::HTTP_11),
                _ => Err(Fault::Version),
            }
        }
        _ => Err(Fault::Line),
    }
}

/// Reads field lines up to the empty one.
fn fields(bytes: &[u8], most: usize) -> Result<Parsed<Fields>, Fault> {
    let mut index = Index::default();
    let mut at = 0;
    loop {
        let line = bytes.get(at..).unwrap_or_default();
        match line {
            [b'\r', b'\n', ..] => break,
            [] | [b'\r'] => return Ok(None),
            _ => {}
        }
        let (name, rest) = line.split_at(token(line));
        let value = match (name, rest) {
            (_, []) => return Ok(None),
            ([_, ..], [b':', value @ ..]) => value,
            _ => return Err(Fault::Field),
        };
        let Some(length) = value_line(value)? else {
            return Ok(None);
        };
        if index.len() == most {
            return Err(Fault::Large);
        }
        let end = at + name.len() + 1 + length + 2;
        let value = value.get(..length).unwrap_or_default();
        index.add(at, name, end, is_straight(value));
        at = end;
    }
    let text = bytes.get(..at).unwrap_or_default();
    Ok(Some((index.fields(text), at + 2)))
}

/// Whether a value, with all that stands between its colon and its line's end, is as it is written.
pub(super) fn is_straight(value: &[u8]) -> bool {
    match value {
        [b' '] => true,
        [b' ', only] => *only > b' ',
        [b' ', first, .., last] => *first > b' ' && *last > b' ',
        _ => false,
    }
}

/// The bytes before a value's CR LF; none if that must come first.
fn value_line(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let found = low::<0x20>(rest);
        match rest.get(found..).unwrap_or_default() {
            [b'\r', b'\n', ..] => return Ok(Some(at + found)),
            [] | [b'\r'] => return Ok(None),
            [b'\t', ..] => at += found + 1,
            _ => return Err(Fault::Field),
        }
    }
}

#[cfg(test)]
mod tests;
