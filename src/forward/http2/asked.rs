//! A request as HTTP/2 tells it (RFC 9113 §8.3.1).
//!
//! The fields are those that an HTTP/1.1 shop would get, in their order, but for the
//! ones that speak of a connection; fields of one name stand together. The target
//! passes byte for byte where it is a URI's; what may not stand in one is percent-encoded.

use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue, TE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Uri, Version, uri};

use super::super::Error;
use super::switch::Switch;
use crate::message::{Body as _, Incoming, RequestHead};

/// What the response is judged by, and how the request ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// It was HEAD: no body comes.
    pub(super) head: bool,
    /// Whether another protocol is asked for.
    pub(super) switch: Switch,
    bodiless: bool,
    secure: bool,
}

impl Asked {
    /// Settles the length that the fields tell on the body's; `secure` where TLS is spoken.
    pub(super) fn of(head: &mut RequestHead, body: &Incoming, secure: bool) -> Self {
        let switch = Switch::of(head);
        let told = head.fields.contains("content-length");
        let known = body.left();
        match known {
            // What follows is the other protocol's.
            _ if switch != Switch::No => {
                head.fields.remove("content-length");
            }
            Some(0) if !told => {}
            Some(length) => {
                let length = length.to_string();
                head.fields.set("content-length", length.as_bytes());
            }
            None => {
                head.fields.remove("content-length");
            }
        }
        Self {
            head: head.method == Method::HEAD,
            switch,
            bodiless: switch != Switch::No || known == Some(0) || body.is_end(),
            secure,
        }
    }

    /// Whether it is a head alone.
    pub(super) const fn is_bodiless(&self) -> bool {
        self.bodiless
    }

    /// The message without its body.
    pub(super) fn message(&self, head: &RequestHead) -> Result<http::Request<()>, Error> {
        let unfit = |error: http::Error| Error::Unfit(error);
        let mut request = http::Request::new(());
        *request.version_mut() = Version::HTTP_2;
        *request.method_mut() = head.method.clone();
        if let Some(protocol) = self.switch.protocol() {
            *request.method_mut() = Method::CONNECT;
            request.extensions_mut().insert(protocol);
        }
        *request.uri_mut() = self.uri(head).map_err(unfit)?;
        *request.headers_mut() = self.headers(head).map_err(unfit)?;
        Ok(request)
    }

    fn uri(&self, head: &RequestHead) -> Result<Uri, http::Error> {
        let host = head.fields.get("host").unwrap_or_default();
        let mut parts = uri::Parts::default();
        parts.scheme = Some(match self.secure {
            true => Scheme::HTTPS,
            false => Scheme::HTTP,
        });
        parts.authority = Some(Authority::try_from(host)?);
        parts.path_and_query = Some(path(head.target.as_bytes())?);
        Ok(Uri::from_parts(parts)?)
    }

    fn headers(&self, head: &RequestHead) -> Result<HeaderMap, http::Error> {
        let mut map = HeaderMap::with_capacity(head.fields.len());
        for (name, value) in head.fields.iter() {
            let name = HeaderName::from_bytes(name)?;
            if name == HOST || is_of_a_connection(&name) || self.switch.is_its_own(&name) {
                continue;
            }
            // RFC 9113 §8.2.2.
            if name == TE && !value.eq_ignore_ascii_case(b"trailers") {
                continue;
            }
            if name == CONTENT_LENGTH && map.contains_key(CONTENT_LENGTH) {
                continue;
            }
            let mut value = HeaderValue::from_bytes(value)?;
            // RFC 7541 §7.1.3: shoppers share the connection's table.
            value.set_sensitive(name == COOKIE || name == AUTHORIZATION);
            map.try_append(name, value)?;
        }
        Ok(map)
    }
}

/// Whether a field has no meaning beyond a connection of HTTP/1.1 (RFC 9113 §8.2.2).
fn is_of_a_connection(name: &HeaderName) -> bool {
    const NAMES: [&str; 6] = [
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.contains(&name.as_str())
}

/// The target, which is in origin form or `*`.
fn path(target: &[u8]) -> Result<PathAndQuery, uri::InvalidUri> {
    // A `#` would end it there, and the shop would see another target than our rules have.
    if !target.contains(&b'#')
        && let Ok(path) = PathAndQuery::try_from(target)
    {
        return Ok(path);
    }
    let mut encoded = Vec::with_capacity(target.len() + 16);
    for byte in target {
        match byte {
            b'"' | b'#' | b'<' | b'>' | b'`' | b'{' | b'}' | 0x7f.. => {
                let digit = |digit: u8| match digit {
                    0..=9 => b'0' + digit,
                    _ => b'A' + digit - 10,
                };
                encoded.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 0xf)]);
            }
            plain => encoded.push(*plain),
        }
    }
    PathAndQuery::try_from(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Fields, Target};

    fn asked(target: &str, fields: &[(&str, &str)]) -> http::Request<()> {
        let mut head = RequestHead {
            method: Method::GET,
            target: Target::from(target),
            authority: None,
            protocol: None,
            version: Version::HTTP_11,
            fields: Fields::from_iter(fields.iter().copied()),
        };
        let asked = Asked::of(&mut head, &Incoming::empty(), false);
        asked.message(&head).unwrap()
    }

    #[test]
    fn a_target_passes_as_it_is_where_it_can() {
        for (target, told) in [
            ("/", "/"),
            ("//a/../b;c?d=%2f&e[]='|^\\", "//a/../b;c?d=%2f&e[]='|^\\"),
            ("/{\"a\"}", "/{\"a\"}"),
            ("/straße", "/straße"),
            ("/<a>`#b", "/%3Ca%3E%60%23b"),
            ("/?<a>\"#b", "/?%3Ca%3E%22%23b"),
            ("*", "*"),
        ] {
            let uri = asked(target, &[("Host", "a.test:81")]).into_parts().0.uri;
            assert_eq!(uri.path_and_query().unwrap().as_str(), told);
            assert_eq!(uri.authority().unwrap(), "a.test:81");
        }
        assert_eq!(path(b"/\xff").unwrap(), "/%FF");
    }

    #[test]
    fn fields_of_a_connection_stay_behind_and_the_others_keep_their_order() {
        let request = asked(
            "/",
            &[
                ("Host", "a.test"),
                ("B", "1"),
                ("Connection", "TE"),
                ("Transfer-Encoding", "chunked"),
                ("TE", "trailers"),
                ("a", "2"),
                ("Keep-Alive", "1"),
                ("Cookie", "x=y"),
                ("b", "3"),
                ("Upgrade", "foo"),
            ],
        );
        let fields = request.headers().iter();
        let fields: Vec<_> = fields
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let expected = [
            ("b", "1"),
            ("b", "3"),
            ("te", "trailers"),
            ("a", "2"),
            ("cookie", "x=y"),
        ];
        assert_eq!(fields, expected);
        assert!(request.headers()[COOKIE].is_sensitive());
    }
}
