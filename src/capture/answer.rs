//! What the browser is told, and what caches may keep of it.
//!
//! An answer to a request that carried our parameter belongs to one visitor:
//! a shared cache that kept it would make everybody the same affiliate's
//! customer (domain.md §9, the Turpentine case).

use http::header::{CACHE_CONTROL, HeaderValue, SET_COOKIE};
use http::{HeaderMap, HeaderName, StatusCode};

/// What is changed in the answer to a captured request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The request carried a parameter of ours: no shared cache may keep the answer.
    pub personal: bool,
    /// The visit's cookie, where it is new.
    pub set_cookie: Option<HeaderValue>,
    /// Answer ourselves: the browser is sent here.
    pub redirect: Option<HeaderValue>,
}

/// Fields that tell some cache between us and the browser something else than `Cache-Control`;
/// and every `…cdn-cache-control` (RFC 9213, and the variants of single networks).
const OTHER_CACHES: [&str; 4] = [
    "edge-control",
    "surrogate-control",
    "x-accel-expires",
    "x-litespeed-cache-control",
];

impl Answer {
    /// Writes the changes into an answer's head.
    pub fn write(self, status: StatusCode, headers: &mut HeaderMap) {
        if self.personal || self.set_cookie.is_some() {
            let value = if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                "no-store"
            } else if forbids_storing(headers) {
                "private, no-cache, no-store"
            } else {
                "private, no-cache"
            };
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
            let others: Vec<HeaderName> = headers
                .keys()
                .filter(|name| is_other(name))
                .cloned()
                .collect();
            for name in others {
                headers.remove(name);
            }
        }
        if let Some(cookie) = self.set_cookie {
            headers.append(SET_COOKIE, cookie);
        }
    }
}

fn is_other(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.ends_with("cdn-cache-control") || OTHER_CACHES.contains(&name)
}

fn forbids_storing(headers: &HeaderMap) -> bool {
    headers.get_all(CACHE_CONTROL).iter().any(|value| {
        let value = value.to_str().unwrap_or("").to_ascii_lowercase();
        value.contains("no-store")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(answer: Answer, status: u16, caching: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
        headers.insert("surrogate-control", HeaderValue::from_static("max-age=60"));
        headers.insert(
            "cloudflare-cdn-cache-control",
            HeaderValue::from_static("max-age=60"),
        );
        headers.append(SET_COOKIE, HeaderValue::from_static("shop=1"));
        answer.write(StatusCode::from_u16(status).unwrap(), &mut headers);
        headers
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
            let headers = written(personal, status, shop);
            assert_eq!(
                headers.get(CACHE_CONTROL).unwrap(),
                expected,
                "{status} {shop}"
            );
            for name in ["surrogate-control", "cloudflare-cdn-cache-control"] {
                assert!(!headers.contains_key(name), "{name}");
            }
        }
    }

    #[test]
    fn our_cookie_comes_beside_the_shops() {
        let set_cookie = Some(HeaderValue::from_static("ours=2"));
        let headers = written(
            Answer {
                set_cookie,
                ..Answer::default()
            },
            200,
            "public",
        );
        let cookies: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(cookies, ["shop=1", "ours=2"]);
        assert_eq!(headers.get(CACHE_CONTROL).unwrap(), "private, no-cache");
    }

    #[test]
    fn any_other_answer_stays_as_it_is() {
        let headers = written(Answer::default(), 200, "public");
        assert_eq!(headers.get(CACHE_CONTROL).unwrap(), "public");
        assert!(headers.contains_key("surrogate-control"));
    }
}
