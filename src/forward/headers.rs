//! Which fields end at this hop, and which ones tell the shop who asks. Pure.
//!
//! Every field but the ones named here passes byte for byte. One look at the
//! names decides what there is to do; most messages need nothing removed but
//! `Connection`.

mod hop;

use std::net::IpAddr;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TE};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use crate::store::Scheme;
use hop::Seen;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who asks, as the shop is to be told.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The TCP peer.
    pub addr: IpAddr,
    /// Whether its own `X-Forwarded-*` fields are believed.
    pub trusted: bool,
    /// How it speaks to us, or to the trusted proxy if that does not say.
    pub scheme: Scheme,
    /// What it asked for, as it wrote it.
    pub host: &'a HeaderValue,
    /// What it speaks.
    pub version: Version,
}

/// Makes a client's fields those of our own request to the shop.
///
/// `Transfer-Encoding` stays: the caller has refused any but `chunked`, and hyper frames by it.
pub fn to_shop(headers: &mut HeaderMap, asker: &Asker<'_>) {
    let seen = Seen::look(headers);
    let upgrade = asker.version == Version::HTTP_11 && hop::may_upgrade(headers, &seen);
    let trailers = seen.te && hop::wants_trailers(headers);
    hop::remove_named(headers, &seen);
    hop::remove(headers, &seen);
    if !upgrade {
        hop::remove_upgrade(headers, &seen);
    }
    match (upgrade, trailers) {
        (false, false) => {}
        (true, false) => say(headers, CONNECTION, "Upgrade"),
        (false, true) => say(headers, CONNECTION, "TE"),
        (true, true) => say(headers, CONNECTION, "Upgrade, TE"),
    }
    if trailers {
        say(headers, TE, "trailers");
    }
    if asker.version < Version::HTTP_11 {
        // RFC 9110 §10.1.1: an HTTP/1.0 client cannot mean it, and would not understand the 100.
        headers.remove(EXPECT);
    }
    forwarded(headers, &seen, asker);
}

/// Makes the shop's fields those of our own response. Returns how long the shop keeps the
/// connection open (`Keep-Alive: timeout=N`), where it says so.
///
/// With a 101 (`switched`) the `Upgrade` stays. Of both `Transfer-Encoding` and `Content-Length`
/// only the former has framed the body, so only it stays (RFC 9112 §6.3); equal lengths become one.
pub fn from_shop(headers: &mut HeaderMap, switched: bool) -> Option<Duration> {
    let seen = Seen::look(headers);
    let kept = if seen.keep_alive {
        hop::kept(headers)
    } else {
        None
    };
    hop::remove_named(headers, &seen);
    hop::remove(headers, &seen);
    if switched {
        say(headers, CONNECTION, "Upgrade");
    } else {
        hop::remove_upgrade(headers, &seen);
    }
    if seen.length {
        one_length(headers, &seen);
    }
    kept
}

fn one_length(headers: &mut HeaderMap, seen: &Seen) {
    if seen.coding {
        headers.remove(CONTENT_LENGTH);
        return;
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let (first, second) = (lengths.next(), lengths.next());
    if second.is_none() && first.is_some_and(|length| hop::is_number(length.as_bytes())) {
        return;
    }
    // hyper has checked that they agree wherever there is a body; elsewhere (HEAD, 304) it has not.
    let one = hop::agreed_length(headers.get_all(CONTENT_LENGTH).iter());
    headers.remove(CONTENT_LENGTH);
    if let Some(one) = one {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(one));
    }
}

fn forwarded(headers: &mut HeaderMap, seen: &Seen, asker: &Asker<'_>) {
    for name in &seen.forwarded {
        // `X_Forwarded_For` reads as `X-Forwarded-For` to CGI, WSGI and PHP: nobody sends it in good faith.
        if !asker.trusted || name.as_str().contains('_') {
            headers.remove(name);
        }
    }
    let addr = asker.addr.to_canonical();
    let before = hop::joined(headers.get_all(&FOR).iter());
    let chain = before.map_or_else(
        || HeaderValue::try_from(addr.to_string()),
        |mut before| {
            before.extend_from_slice(b", ");
            before.extend_from_slice(addr.to_string().as_bytes());
            HeaderValue::try_from(before)
        },
    );
    if let Ok(chain) = chain {
        headers.insert(FOR, chain);
    }
    if !headers.contains_key(&PROTO) {
        let scheme = match asker.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        say(headers, PROTO, scheme);
    }
    if !headers.contains_key(&HOST) {
        headers.insert(HOST, asker.host.clone());
    }
}

fn say(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests;
