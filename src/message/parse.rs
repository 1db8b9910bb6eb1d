//! An HTTP/1.1 head, read strictly (RFC 9112 §2 to §5).
//!
//! Whoever stands in a chain of HTTP readers must not be the lenient one: what two
//! of them read differently is how requests are smuggled (RFC 9112 §11.2). So a line
//! ends in CR LF and in nothing else, there is no folding, no space before a colon,
//! no NUL or other control, and one space between the parts of the first line.

use http::{Method, StatusCode, Version};
use memchr::{memchr, memmem};

use super::{Fields, RequestHead, ResponseHead, Target};

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
/// lines before it are passed over (RFC 9112 §2.2).
///
/// # Errors
/// The bytes begin with no valid head, or with none within `limits`.
pub fn request(bytes: &[u8], limits: Limits) -> Result<Parsed<RequestHead>, Fault> {
    let skipped = blank(bytes);
    let Some(head) = section(bytes, skipped, limits)? else {
        return match bytes.get(skipped..) {
            Some(begun) if !may_begin(begun) => Err(Fault::Line),
            _ => Ok(None),
        };
    };
    let mut lines = Lines(head.text);
    let first = lines
        .next()
        .ok_or(Fault::Line)?
        .map_err(|_fault| Fault::Line)?;
    let (method, target, version) = request_line(first)?;
    let fields = fields(lines, head.text.len(), limits)?;
    let head_of = RequestHead {
        method,
        target,
        authority: None,
        protocol: None,
        version,
        fields,
    };
    Ok(Some((head_of, head.taken)))
}

/// Reads a response's head from the front of `bytes`; none if more must come.
///
/// # Errors
/// The bytes begin with no valid head, or with none within `limits`.
pub fn response(bytes: &[u8], limits: Limits) -> Result<Parsed<ResponseHead>, Fault> {
    let Some(head) = section(bytes, 0, limits)? else {
        return Ok(None);
    };
    let mut lines = Lines(head.text);
    let first = lines
        .next()
        .ok_or(Fault::Line)?
        .map_err(|_fault| Fault::Line)?;
    let (status, reason, version) = status_line(first)?;
    let fields = fields(lines, head.text.len(), limits)?;
    let head_of = ResponseHead {
        status,
        reason,
        version,
        fields,
    };
    Ok(Some((head_of, head.taken)))
}

/// Reads a trailer section with the empty line at its end; none if more must come.
///
/// # Errors
/// As for a head.
pub fn trailers(bytes: &[u8], limits: Limits) -> Result<Parsed<Fields>, Fault> {
    if bytes.starts_with(b"\r\n") {
        return Ok(Some((Fields::default(), 2)));
    }
    let Some(head) = section(bytes, 0, limits)? else {
        return Ok(None);
    };
    let fields = fields(Lines(head.text), head.text.len(), limits)?;
    Ok(Some((fields, head.taken)))
}

/// Whole lines, each with its CR LF, without the empty one behind them.
struct Section<'a> {
    text: &'a [u8],
    taken: usize,
}

fn section(bytes: &[u8], start: usize, limits: Limits) -> Result<Option<Section<'_>>, Fault> {
    let rest = bytes.get(start..).unwrap_or_default();
    let bounded = rest.get(..limits.bytes).unwrap_or(rest);
    if let Some(at) = memmem::find(bounded, b"\r\n\r\n") {
        let text = bounded.get(..at + 2).unwrap_or_default();
        let taken = start + at + 4;
        return Ok(Some(Section { text, taken }));
    }
    early(bounded)?;
    if rest.len() < limits.bytes {
        return Ok(None);
    }
    match memchr(b'\n', bounded) {
        None => Err(Fault::LongLine),
        Some(_) => Err(Fault::Large),
    }
}

/// What can be told before the head is whole, so that nobody waits for the rest of nonsense:
/// a line that ends in a bare LF never becomes valid.
fn early(bytes: &[u8]) -> Result<(), Fault> {
    let mut first = true;
    let mut rest = bytes;
    while let Some(at) = memchr(b'\n', rest) {
        let (line, behind) = rest.split_at(at);
        if line.last() != Some(&b'\r') {
            return Err(if first { Fault::Line } else { Fault::Field });
        }
        first = false;
        rest = behind.get(1..).unwrap_or_default();
    }
    Ok(())
}

/// Whether a request may begin like this: who speaks another protocol, TLS say, need not
/// send a whole head of it to be told.
fn may_begin(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|byte| !is_token_byte(*byte));
    match end.map(|end| bytes.split_at(end)) {
        None => true,
        Some((method, [b' ', ..])) => !method.is_empty(),
        Some((method, rest)) => method.is_empty() && rest == b"\r",
    }
}

/// The bytes of the empty lines in front.
fn blank(bytes: &[u8]) -> usize {
    let pairs = bytes.chunks_exact(2);
    2 * pairs.take_while(|pair| *pair == b"\r\n").count()
}

/// Lines without their CR LF.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let at = memchr(b'\n', self.0).unwrap_or(self.0.len());
        let (line, rest) = self.0.split_at(at);
        self.0 = rest.get(1..).unwrap_or_default();
        Some(line.strip_suffix(b"\r").ok_or(Fault::Field))
    }
}

fn request_line(line: &[u8]) -> Result<(Method, Target, Version), Fault> {
    let space = memchr(b' ', line).ok_or(Fault::Line)?;
    let (method, rest) = line.split_at(space);
    let rest = rest.get(1..).unwrap_or_default();
    let space = memchr(b' ', rest).ok_or(Fault::Line)?;
    let (target, rest) = rest.split_at(space);
    let version = version(rest.get(1..).unwrap_or_default())?;
    let method = Method::from_bytes(method).map_err(|_no_token| Fault::Line)?;
    if target.is_empty() || !target.iter().all(|byte| *byte > b' ' && *byte != 0x7f) {
        return Err(Fault::Line);
    }
    Ok((method, Target::new(target.to_vec()), version))
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

fn fields(lines: Lines<'_>, bytes: usize, limits: Limits) -> Result<Fields, Fault> {
    /// What a browser's head has, or a little more.
    const USUAL: usize = 24;
    let mut fields = Fields::with_capacity(bytes + 256, USUAL);
    for line in lines {
        let line = line?;
        let colon = memchr(b':', line).ok_or(Fault::Field)?;
        let (name, rest) = line.split_at(colon);
        let value = trim(rest.get(1..).unwrap_or_default());
        if !is_token(name) || !is_text(value) {
            return Err(Fault::Field);
        }
        if fields.len() == limits.fields {
            return Err(Fault::Large);
        }
        fields.append(name, value);
    }
    Ok(fields)
}

/// Without optional white space: space and tab only (RFC 9110 §5.6.3).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether it is a token (RFC 9110 §5.6.2).
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// Whether it may stand in a field value or a reason phrase: no control but tab (RFC 9110 §5.5).
pub fn is_text(text: &[u8]) -> bool {
    // Without an early end, so that it is done many bytes at a time.
    let bad = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    !text.iter().fold(false, |found, byte| found | bad(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 256,
        fields: 4,
    };

    fn asked(text: &str) -> Result<Option<(String, usize)>, Fault> {
        let parsed = request(text.as_bytes(), LIMITS)?;
        Ok(parsed.map(|(head, taken)| {
            let mut out = format!("{} {:?} {:?}\n", head.method, head.target, head.version);
            for (name, value) in head.fields.iter() {
                let (name, value) = (
                    String::from_utf8_lossy(name),
                    String::from_utf8_lossy(value),
                );
                out.push_str(&format!("{name}={value}\n"));
            }
            (out, taken)
        }))
    }

    #[test]
    fn a_head_is_read_as_it_came() {
        let text = "\r\nGET /a?\"<>|b HTTP/1.1\r\nHost: a\r\nX-Y:\t b c \t\r\nempty:\r\n\r\nrest";
        let expected = "GET \"/a?\\\"<>|b\" HTTP/1.1\nHost=a\nX-Y=b c\nempty=\n";
        assert_eq!(asked(text), Ok(Some((expected.to_owned(), text.len() - 4))));
        for end in 1..text.len() - 5 {
            assert_eq!(asked(&text[..end]), Ok(None), "{:?}", &text[..end]);
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for (text, fault) in [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", Fault::Line),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", Fault::Field),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", Fault::Field),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Fault::Field),
            ("GET / HTTP/1.1\r\n: a\r\n\r\n", Fault::Field),
            ("GET / HTTP/1.1\r\nHost\r\n\r\n", Fault::Field),
            ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", Fault::Field),
            ("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", Fault::Field),
            ("GET / HTTP/1.1\r\n A: b\r\n\r\n", Fault::Field),
            ("GET  / HTTP/1.1\r\n\r\n", Fault::Line),
            ("GET /  HTTP/1.1\r\n\r\n", Fault::Line),
            ("GET / HTTP/1.1 \r\n\r\n", Fault::Line),
            (" GET / HTTP/1.1\r\n\r\n", Fault::Line),
            ("GET\t/ HTTP/1.1\r\n\r\n", Fault::Line),
            ("GET /\r\n\r\n", Fault::Line),
            ("G@T / HTTP/1.1\r\n\r\n", Fault::Line),
            ("GET / http/1.1\r\n\r\n", Fault::Line),
            ("GET / HTTP/1.1x\r\n\r\n", Fault::Line),
            ("GET / HTTP/2.0\r\n\r\n", Fault::Version),
            ("GET / HTTP/0.9\r\n\r\n", Fault::Version),
            (
                "A / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n",
                Fault::Large,
            ),
        ] {
            assert_eq!(asked(text), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn a_head_beyond_its_limit_is_refused_before_it_is_whole() {
        let long = format!("GET /{}", "a".repeat(300));
        assert_eq!(asked(&long), Err(Fault::LongLine));
        let large = format!("GET / HTTP/1.1\r\na: {}", "a".repeat(300));
        assert_eq!(asked(&large), Err(Fault::Large));
    }

    #[test]
    fn what_begins_no_request_is_refused_before_it_is_whole() {
        for text in ["\x16\x03\x01\x02", " ", "G@T", "\rG", "GET\t", "\r\n{"] {
            assert_eq!(asked(text), Err(Fault::Line), "{text:?}");
        }
    }

    #[test]
    fn a_status_line_keeps_its_own_phrase() {
        let phrase = |text: &str| {
            response(text.as_bytes(), LIMITS).map(|parsed| {
                let (head, _) = parsed.unwrap();
                (
                    head.status.as_u16(),
                    String::from_utf8_lossy(head.reason()).into_owned(),
                    head.reason.is_some(),
                )
            })
        };
        for (text, code, reason, own) in [
            ("HTTP/1.1 200 OK\r\n\r\n", 200, "OK", false),
            ("HTTP/1.1 200 Fine\r\n\r\n", 200, "Fine", true),
            ("HTTP/1.1 200 \r\n\r\n", 200, "", true),
            ("HTTP/1.1 404\r\n\r\n", 404, "", true),
            ("HTTP/1.0 599 \r\n\r\n", 599, "", false),
        ] {
            assert_eq!(phrase(text), Ok((code, reason.to_owned(), own)), "{text:?}");
        }
        for text in [
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1 abc OK\r\n\r\n",
        ] {
            assert_eq!(phrase(text), Err(Fault::Line), "{text:?}");
        }
    }

    #[test]
    fn trailers_are_fields() {
        assert_eq!(
            trailers(b"\r\nGET", LIMITS),
            Ok(Some((Fields::default(), 2)))
        );
        let (fields, taken) = trailers(b"A: b\r\n\r\nGET", LIMITS).unwrap().unwrap();
        assert_eq!((fields.get("a"), taken), (Some(&b"b"[..]), 8));
        assert_eq!(trailers(b"\r", LIMITS), Ok(None));
        assert_eq!(trailers(b"\n", LIMITS), Err(Fault::Line));
    }
}
