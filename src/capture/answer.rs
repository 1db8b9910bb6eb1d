//! What the browser is told, and what caches may keep of it.
//!
//! An answer to a request that carried our parameter belongs to one visitor:
//! a shared cache that kept it would make everybody the same affiliate's
//! customer (domain.md §9, the Turpentine case).

use http::StatusCode;

use crate::message::Fields;

/// What is changed in the answer to a captured request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The request carried a parameter of ours: no shared cache may keep the answer.
    pub personal: bool,
    /// Cookies of ours that are new, or deleted, in their order.
    pub set_cookies: Vec<String>,
    /// Answer ourselves: the browser is sent here.
    pub redirect: Option<String>,
}

/// Fields that tell some cache between us and the browser something else than `Cache-Control`;
/// and every `…cdn-cache-control` (RFC 9213, and the variants of single networks).
const OTHER_CACHES: [&str; 5] = [
    "edge-control",
    "surrogate-control",
    "x-accel-expires",
    "x-litespeed-cache-control",
    "x-reverse-proxy-ttl",
];

/// The past, for caches that go by `Expires` alone: those of HTTP/1.0, and Varnish where the
/// operator's rules pass over `private`. Others go by `Cache-Control` (RFC 9111 §5.3).
const EXPIRED: &[u8] = b"Thu, 01 Jan 1970 00:00:00 GMT";

impl Answer {
    /// Whether it changes anything.
    pub const fn changes(&self) -> bool {
        self.personal || !self.set_cookies.is_empty()
    }

    /// Writes the changes into an answer's head.
    pub fn write(&self, status: StatusCode, fields: &mut Fields) {
        if self.changes() {
            let value = if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                "no-store"
            } else if forbids_storing(fields) {
                "private, no-cache, no-store"
            } else {
                "private, no-cache"
            };
            fields.set("cache-control", value.as_bytes());
            fields.set("expires", EXPIRED);
            fields.retain(|name, _value| !is_other(name));
        }
        for cookie in &self.set_cookies {
            fields.append(b"Set-Cookie", cookie.as_bytes());
        }
    }
}

fn is_other(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(b"cdn-cache-control")
        || OTHER_CACHES.iter().any(|other| name == other.as_bytes())
}

fn forbids_storing(fields: &Fields) -> bool {
    fields.get_all("cache-control").any(|value| {
        let value = String::from_utf8_lossy(value).to_ascii_lowercase();
        value.contains("no-store")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(answer: &Answer, status: u16, caching: &str) -> Fields {
        let mut fields: Fields = [
            ("Cache-Control", caching),
            ("Surrogate-Control", "max-age=60"),
            ("Cloudflare-CDN-Cache-Control", "max-age=60"),
            ("Set-Cookie", "shop=1"),
        ]
        .into_iter()
        .collect();
        answer.write(StatusCode::from_u16(status).unwrap(), &mut fields);
        fields
    }

    #[test]
    fn a_personal_answer_is_kept_by_no_shared_cache() {
        for (status, shop, expected) in [
            (200, "public, max-age=600", "private, no-cache"),
            (200, "No-Store", "private, no-cache, no-store"),
            (302, "public, max-age=600", "no-store"),
            (304, "public", "private, no-cache"),
        ] {
            let personal = Answer {
                personal: true,
                ..Answer::default()
            };
            let fields = written(&personal, status, shop);
            assert_eq!(
                fields.text("cache-control"),
                Some(expected),
                "{status} {shop}"
            );
            assert_eq!(fields.get("expires"), Some(EXPIRED), "{status} {shop}");
            for name in ["surrogate-control", "cloudflare-cdn-cache-control"] {
                assert!(!fields.contains(name), "{name}");
            }
        }
    }

    #[test]
    fn our_cookie_comes_beside_the_shops() {
        let set_cookies = vec!["ours=2".to_owned()];
        let fields = written(
            &Answer {
                set_cookies,
                ..Answer::default()
            },
            200,
            "public",
        );
        let cookies: Vec<_> = fields.get_all("set-cookie").collect();
        assert_eq!(cookies, [&b"shop=1"[..], b"ours=2"]);
        assert_eq!(fields.text("cache-control"), Some("private, no-cache"));
    }

    #[test]
    fn any_other_answer_stays_as_it_is() {
        let fields = written(&Answer::default(), 200, "public");
        assert_eq!(fields.text("cache-control"), Some("public"));
        assert!(fields.contains("surrogate-control"));
    }
}
