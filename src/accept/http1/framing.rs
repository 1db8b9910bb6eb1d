//! What a request's head says of its body, its connection and its answer's form. Pure.
//!
//! Two readers that see a body's end in different places are how requests are
//! smuggled (RFC 9112 §11.2), so whatever leaves room for doubt is refused.

use http::{Method, Version};

use crate::message::RequestHead;

/// How the end of a request's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// There is no body.
    Nothing,
    /// So many bytes.
    Length(u64),
    /// The chunked coding's own end.
    Chunked,
}

/// What a request asks of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) extent: Extent,
    /// The client waits for a 100 before it sends the body (RFC 9110 §10.1.1).
    pub(super) expects: bool,
    /// The connection may stay open behind the answer.
    pub(super) keep: bool,
    pub(super) form: Form,
}

/// What the answer's form goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// HTTP/1.0: no chunks, no interim responses, and a connection stays open only if that is said.
    pub(super) old: bool,
    /// HEAD: no body, whatever the head says of one.
    pub(super) head: bool,
    /// The client takes trailers.
    pub(super) trailers: bool,
}

/// Why nobody can tell for sure where a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Doubt {
    /// Not one `Content-Length` of digits alone.
    #[error("The request's length is not valid.")]
    Length,
    /// A transfer coding that does not end in `chunked`, or any in HTTP/1.0.
    #[error("The request's transfer coding is not valid.")]
    Coding,
    /// A length and a transfer coding.
    #[error("The request has both a length and a transfer coding.")]
    Both,
    /// `Content_Length` reads as `Content-Length` to CGI and its like.
    #[error("A field's name looks like another's.")]
    Disguised,
}

/// What this head asks for (RFC 9112 §6.3, §9.3).
///
/// # Errors
/// The request's end is in doubt.
pub(super) fn asked(head: &RequestHead) -> Result<Asked, Doubt> {
    let mut seen = Seen::default();
    for (name, value) in head.fields.iter() {
        // Most names are told apart by their length.
        match name.len() {
            2 if name.eq_ignore_ascii_case(b"te") => seen.trailers |= has(value, b"trailers"),
            6 if name.eq_ignore_ascii_case(b"expect") => {
                seen.expects |= value.eq_ignore_ascii_case(b"100-continue");
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                seen.close |= has(value, b"close");
                seen.stay |= has(value, b"keep-alive");
            }
            14 if is(name, b"content-length")? => {
                let first = seen.length.is_none();
                let length = decimal(value).filter(|_| first).ok_or(Doubt::Length)?;
                seen.length = Some(length);
            }
            17 if is(name, b"transfer-encoding")? => {
                seen.coding = match seen.coding {
                    None if value.eq_ignore_ascii_case(b"chunked") => Some(Coding::Chunked),
                    _ if ends_chunked(value) => Some(Coding::More),
                    _ => return Err(Doubt::Coding),
                };
            }
            _ => {}
        }
    }
    seen.settle(
        head.version == Version::HTTP_10,
        head.method == Method::HEAD,
    )
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one field's word")]
struct Seen {
    length: Option<u64>,
    coding: Option<Coding>,
    expects: bool,
    close: bool,
    stay: bool,
    trailers: bool,
}

#[derive(Clone, Copy)]
enum Coding {
    /// `chunked` alone.
    Chunked,
    /// Others before it: the service refuses them, and the connection is not trusted further.
    More,
}

impl Seen {
    fn settle(self, old: bool, head: bool) -> Result<Asked, Doubt> {
        let extent = match (self.coding, self.length) {
            (Some(_), Some(_)) => return Err(Doubt::Both),
            (Some(_), None) if old => return Err(Doubt::Coding),
            (Some(_), None) => Extent::Chunked,
            (None, None | Some(0)) => Extent::Nothing,
            (None, Some(length)) => Extent::Length(length),
        };
        let stay = self.stay || !old;
        Ok(Asked {
            extent,
            expects: self.expects && !old,
            keep: stay && !self.close && !matches!(self.coding, Some(Coding::More)),
            form: Form {
                old,
                head,
                trailers: self.trailers,
            },
        })
    }
}

/// Whether the name is `known`, given in lower case, which has one hyphen.
fn is(name: &[u8], known: &[u8]) -> Result<bool, Doubt> {
    let alike = |(own, known): (&u8, &u8)| {
        own.eq_ignore_ascii_case(known) || (*own == b'_' && *known == b'-')
    };
    if !name.iter().zip(known).all(alike) {
        return Ok(false);
    }
    if name.contains(&b'_') {
        return Err(Doubt::Disguised);
    }
    Ok(true)
}

/// Whether this list has `token`, whatever its case.
pub(super) fn has(list: &[u8], token: &[u8]) -> bool {
    list.split(|byte| *byte == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}

fn ends_chunked(list: &[u8]) -> bool {
    let last = list.rsplit(|byte| *byte == b',').next();
    last.is_some_and(|last| last.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

/// A number of digits alone, at least one, within 64 bits.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    let digit = |number: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0, digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::parse::{Limits, request};

    const LIMITS: Limits = Limits {
        bytes: 4096,
        fields: 64,
    };

    fn of(head: &str) -> Result<Asked, Doubt> {
        let head = format!("{}\r\n\r\n", head.replace('\n', "\r\n"));
        asked(&request(head.as_bytes(), LIMITS).unwrap().unwrap().0)
    }

    #[test]
    fn a_bodys_extent_is_told_by_one_length_or_by_chunks() {
        for (fields, extent) in [
            ("", Extent::Nothing),
            ("\nContent-Length: 0", Extent::Nothing),
            ("\ncontent-LENGTH: 0012", Extent::Length(12)),
            (
                "\nContent-Length: 18446744073709551615",
                Extent::Length(u64::MAX),
            ),
            ("\nTransfer-Encoding: Chunked", Extent::Chunked),
            ("\nTransfer-Encoding: gzip, chunked", Extent::Chunked),
            (
                "\nTransfer-Encoding: gzip\t ,\tchunked\nX: y",
                Extent::Chunked,
            ),
        ] {
            let got = of(&format!("GET / HTTP/1.1{fields}"));
            assert_eq!(got.map(|asked| asked.extent), Ok(extent), "{fields:?}");
        }
    }

    #[test]
    fn an_end_in_doubt_is_refused() {
        for (fields, doubt) in [
            ("Content-Length: 1\nContent-Length: 1", Doubt::Length),
            ("Content-Length: 1\nX: y\nContent-Length: 2", Doubt::Length),
            ("Content-Length: 5, 5", Doubt::Length),
            ("Content-Length: +5", Doubt::Length),
            ("Content-Length: -5", Doubt::Length),
            ("Content-Length: 5x", Doubt::Length),
            ("Content-Length: x5", Doubt::Length),
            ("Content-Length: 0x5", Doubt::Length),
            ("Content-Length: 5 5", Doubt::Length),
            ("Content-Length:", Doubt::Length),
            ("Content-Length: 18446744073709551616", Doubt::Length),
            ("Transfer-Encoding: gzip", Doubt::Coding),
            ("Transfer-Encoding:", Doubt::Coding),
            ("Transfer-Encoding: chunked, gzip", Doubt::Coding),
            ("Transfer-Encoding: chunked,", Doubt::Coding),
            ("Transfer-Encoding: \"chunked\"", Doubt::Coding),
            ("Transfer-Encoding: xchunked", Doubt::Coding),
            ("Transfer-Encoding: chunked;a", Doubt::Coding),
            (
                "Transfer-Encoding: chunked\nTransfer-Encoding: x",
                Doubt::Coding,
            ),
            (
                "Transfer-Encoding: x\nTransfer-Encoding: chunked",
                Doubt::Coding,
            ),
            ("Transfer-Encoding: chunked\nContent-Length: 5", Doubt::Both),
            ("Content-Length: 5\nTransfer-Encoding: chunked", Doubt::Both),
            ("Content_Length: 5", Doubt::Disguised),
            ("TRANSFER_ENCODING: chunked", Doubt::Disguised),
        ] {
            let got = of(&format!("POST / HTTP/1.1\n{fields}"));
            assert_eq!(got, Err(doubt), "{fields:?}");
        }
        let old = of("POST / HTTP/1.0\nTransfer-Encoding: chunked");
        assert_eq!(old, Err(Doubt::Coding));
    }

    #[test]
    fn a_connection_stays_where_the_version_and_the_client_want_it() {
        for (head, keep) in [
            ("GET / HTTP/1.1", true),
            ("GET / HTTP/1.1\nConnection: upgrade, Close", false),
            ("GET / HTTP/1.1\nConnection: a\nConnection: close", false),
            ("GET / HTTP/1.1\nConnection: closed", true),
            ("GET / HTTP/1.0", false),
            ("GET / HTTP/1.0\nConnection: Keep-Alive", true),
            ("GET / HTTP/1.0\nConnection: keep-alive, close", false),
            ("GET / HTTP/1.1\nTransfer-Encoding: gzip, chunked", false),
            (
                "GET / HTTP/1.1\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked",
                false,
            ),
        ] {
            assert_eq!(of(head).map(|asked| asked.keep), Ok(keep), "{head:?}");
        }
    }

    #[test]
    fn an_answers_form_is_what_the_client_understands() {
        let form = |head: &str| of(head).map(|asked| (asked.expects, asked.form)).unwrap();
        let plain = Form {
            old: false,
            head: false,
            trailers: false,
        };
        assert_eq!(form("GET / HTTP/1.1\nTE: deflate"), (false, plain));
        let (_, got) = form("HEAD / HTTP/1.0\nTE: deflate, Trailers");
        assert!(got.old && got.head && got.trailers);
        assert!(form("PUT / HTTP/1.1\nExpect: 100-Continue").0);
        assert!(!form("PUT / HTTP/1.0\nExpect: 100-continue").0);
    }
}
