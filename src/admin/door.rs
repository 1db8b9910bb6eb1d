//! Who may come in: by the name that is called, where a page has no business, and by token.
//!
//! A browser on the operator's machine reaches a loopback listener too, for any page that it shows.
//! A page's requests say that they are one (`Origin`, `Sec-Fetch-Site`), call the listener by a name
//! of the page's where that name was led here (DNS rebinding), and post what forms post. None of
//! these is let in, and nothing here ever allows a page to read an answer (CORS).

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, Method, StatusCode};

use super::settings::{Address, Settings};
use crate::actor::Actor;
use crate::secret::Secret;

/// By which somebody without a token says who he is: recorded, not proven. No page can send it.
const ACTOR: &str = "refgate-actor";

/// What everybody on this machine may see.
const OPEN: [&str; 2] = ["/healthz", "/metrics"];

/// The first words of paths by which money is steered or seen. By TCP nobody does it unknown, not on loopback either: every
/// program of the machine reaches that, and so does a shop that can be made to ask an address for somebody.
const STEERED: [&str; 4] = ["held", "postbacks", "pause", "go"];

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// At this address.
    Tcp(IpAddr),
    /// At the Unix socket: the user's number, where the system says it.
    Unix(Option<u32>),
}

/// What is asked, and by whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) peer: Peer,
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) fields: &'a HeaderMap,
}

/// Why somebody is not let in, in words for an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) words: &'static str,
}

const fn refusal(status: StatusCode, words: &'static str) -> Refusal {
    Refusal { status, words }
}

/// Who it is, if he may come in.
pub(super) fn enter(settings: &Settings, asked: Asked<'_>) -> Result<Actor, Refusal> {
    called(settings, asked.fields)?;
    no_page(asked)?;
    let is_here = match asked.peer {
        Peer::Tcp(ip) => ip.to_canonical().is_loopback() && !is_passed_on(asked.fields),
        Peer::Unix(_) => true,
    };
    let is_open = OPEN.contains(&asked.path) && is_here;
    if settings.tokens.is_empty() || is_open {
        return match asked.peer {
            Peer::Tcp(_) if is_steered(asked.path) => Err(refusal(
                StatusCode::FORBIDDEN,
                "only with a token (`admin.tokens`), or by a Unix socket\n",
            )),
            _ => Ok(claimed(asked)),
        };
    }
    let shown = asked.fields.get(AUTHORIZATION);
    let shown = shown.and_then(|value| value.to_str().ok()).unwrap_or("");
    let shown = shown.strip_prefix("Bearer ").unwrap_or("").trim();
    // Every token is compared, so that the time tells nothing of them.
    let mut found = None;
    for token in &settings.tokens {
        if is_same(&token.token, shown) {
            found = Some(&token.name);
        }
    }
    let words = "a token is wanted: Authorization: Bearer TOKEN, with one of `admin.tokens`\n";
    found
        .cloned()
        .ok_or(refusal(StatusCode::UNAUTHORIZED, words))
}

fn is_steered(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    STEERED.contains(&first)
}

/// Whether the listener is called by a name of its own.
fn called(settings: &Settings, fields: &HeaderMap) -> Result<(), Refusal> {
    let Address::Tcp(own) = &settings.listen else {
        // No name leads to a file.
        return Ok(());
    };
    let words = "called by a name that is not this listener's: use its address, or list the name under `admin.hosts`\n";
    let misdirected = refusal(StatusCode::MISDIRECTED_REQUEST, words);
    let mut hosts = fields.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(misdirected);
    };
    let name = name_of(host.to_str().unwrap_or_default());
    let is_ours = match name.parse::<IpAddr>() {
        // Whoever calls it by an address was not led here by a name.
        Ok(ip) => {
            own.ip().is_unspecified()
                || ip == own.ip()
                || (own.ip().is_loopback() && ip.is_loopback())
        }
        Err(_name) => {
            let is_local = own.ip().is_loopback() || own.ip().is_unspecified();
            let named = settings
                .hosts
                .iter()
                .any(|own| own.eq_ignore_ascii_case(name));
            named || (is_local && name.eq_ignore_ascii_case("localhost"))
        }
    };
    is_ours.then_some(()).ok_or(misdirected)
}

/// `Host` without its port and brackets.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// A page somewhere must not do, or see, what its reader may.
fn no_page(asked: Asked<'_>) -> Result<(), Refusal> {
    let words = "not from a page in a browser\n";
    let forbidden = refusal(StatusCode::FORBIDDEN, words);
    if asked.fields.contains_key(ORIGIN) {
        return Err(forbidden);
    }
    let is_read = asked.method == Method::GET;
    if let Some(site) = asked.fields.get("sec-fetch-site")
        // An address that the operator typed, to read.
        && !(is_read && (site == "none" || site == "same-origin"))
    {
        return Err(forbidden);
    }
    let kind = asked.fields.get(CONTENT_TYPE);
    let kind = kind.map(|kind| kind.to_str().unwrap_or_default());
    let is_json = |kind: &str| {
        let essence = kind.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    };
    match kind {
        Some(kind) if !is_read && !is_json(kind) => {
            let words = "only application/json, or nothing, is taken\n";
            Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, words))
        }
        _ => Ok(()),
    }
}

/// Whether a proxy on this machine passes it on for somebody else.
fn is_passed_on(fields: &HeaderMap) -> bool {
    let names = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    names.iter().any(|name| fields.contains_key(*name))
}

/// Who he says he is, or by what way he came.
fn claimed(asked: Asked<'_>) -> Actor {
    let name = asked.fields.get(ACTOR).and_then(|name| name.to_str().ok());
    let name: Option<Actor> = name.and_then(|name| name.parse().ok());
    let way = match asked.peer {
        Peer::Unix(Some(user)) => format!("uid {user}"),
        Peer::Unix(None) => "unix socket".to_owned(),
        Peer::Tcp(_) => "admin listener".to_owned(),
    };
    name.or_else(|| way.parse().ok())
        .unwrap_or_else(Actor::refgate)
}

/// Compared by their hashes, in the same time however much of them is the same.
fn is_same(token: &Secret, shown: &str) -> bool {
    let hash = |text: &str| digest(&SHA256, text.as_bytes());
    let (own, other) = (hash(token.reveal()), hash(shown));
    verify_slices_are_equal(own.as_ref(), other.as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::super::settings::Token;
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        pairs.collect()
    }

    fn settings(listen: &str) -> Settings {
        let mut settings = Settings::open(Address::Tcp(listen.parse().unwrap()));
        settings.hosts = vec!["ops.example".to_owned()];
        settings
    }

    fn status(settings: &Settings, method: &Method, path: &str, pairs: &[(&str, &str)]) -> u16 {
        let asked = Asked {
            peer: Peer::Tcp("127.0.0.1".parse().unwrap()),
            method,
            path,
            fields: &fields(pairs),
        };
        enter(settings, asked).map_or_else(|refusal| refusal.status.as_u16(), |_actor| 200)
    }

    #[test]
    fn nobody_steers_unknown_but_by_the_socket() {
        let own = settings("127.0.0.1:8084");
        let socket = Settings::open(Address::Unix("admin.sock".into()));
        let host = [("host", "127.0.0.1:8084")];
        for (method, path) in [
            (Method::GET, "/held"),
            (Method::GET, "/postbacks"),
            (Method::POST, "/postbacks/release"),
            (Method::POST, "/pause/aspire"),
            (Method::POST, "/go/aspire"),
        ] {
            assert_eq!(status(&own, &method, path, &host), 403, "{path}");
            let asked = Asked {
                peer: Peer::Unix(Some(7)),
                method: &method,
                path,
                fields: &fields(&[]),
            };
            let known = enter(&socket, asked).map(|actor| actor.to_string());
            assert_eq!(known, Ok("uid 7".to_owned()), "{path}");
        }
        assert_eq!(status(&own, &Method::POST, "/reload", &host), 200);
    }

    #[test]
    fn only_its_own_names_lead_here() {
        for (listen, host, expected) in [
            ("127.0.0.1:8084", "127.0.0.1:8084", 200),
            ("127.0.0.1:8084", "localhost:8084", 200),
            ("127.0.0.1:8084", "LOCALHOST", 200),
            ("127.0.0.1:8084", "[::1]:8084", 200),
            ("127.0.0.1:8084", "ops.example:8084", 200),
            ("127.0.0.1:8084", "evil.example:8084", 421),
            ("127.0.0.1:8084", "127.0.0.1.evil.example", 421),
            ("127.0.0.1:8084", "localhost.evil.example", 421),
            ("127.0.0.1:8084", "192.0.2.1", 421),
            ("127.0.0.1:8084", "", 421),
            ("0.0.0.0:8084", "192.0.2.1:8084", 200),
            ("0.0.0.0:8084", "evil.example", 421),
            ("192.0.2.1:8084", "192.0.2.1", 200),
            ("192.0.2.1:8084", "localhost", 421),
        ] {
            let host = [("host", host)];
            let got = status(&settings(listen), &Method::GET, "/alarms", &host);
            assert_eq!(got, expected, "{listen} {host:?}");
        }
        let own = settings("127.0.0.1:1");
        assert_eq!(status(&own, &Method::GET, "/alarms", &[]), 421);
    }

    #[test]
    fn a_page_does_nothing_and_reads_nothing() {
        let own = settings("127.0.0.1:8084");
        for (method, pair, expected) in [
            (Method::GET, ("origin", "https://evil.example"), 403),
            (Method::POST, ("origin", "null"), 403),
            (Method::POST, ("origin", "http://127.0.0.1:8084"), 403),
            (Method::GET, ("sec-fetch-site", "cross-site"), 403),
            (Method::GET, ("sec-fetch-site", "same-site"), 403),
            (Method::GET, ("sec-fetch-site", "none"), 200),
            (Method::POST, ("sec-fetch-site", "none"), 403),
            (Method::POST, ("sec-fetch-site", "same-origin"), 403),
            (
                Method::POST,
                ("content-type", "application/x-www-form-urlencoded"),
                415,
            ),
            (Method::POST, ("content-type", "text/plain"), 415),
            (
                Method::POST,
                ("content-type", "multipart/form-data; boundary=x"),
                415,
            ),
            (
                Method::POST,
                ("content-type", "application/json; charset=utf-8"),
                200,
            ),
            (Method::POST, ("accept", "*/*"), 200),
        ] {
            let pairs = [("host", "127.0.0.1"), pair];
            let got = status(&own, &method, "/reload", &pairs);
            assert_eq!(got, expected, "{pair:?}");
        }
    }

    #[test]
    fn a_token_says_who_it_is() {
        let mut own = settings("0.0.0.0:8084");
        let token = |name: &str, token: &str| Token {
            name: name.parse().unwrap(),
            token: Secret::new(token),
        };
        own.tokens = vec![
            token("alice", "a-token-of-alice"),
            token("bob", "a-token-of-bob"),
        ];
        let come = |path: &str, peer: &str, pairs: &[(&str, &str)]| {
            let mut fields = fields(pairs);
            fields.insert(HOST, "192.0.2.1".parse().unwrap());
            let asked = Asked {
                peer: Peer::Tcp(peer.parse().unwrap()),
                method: &Method::GET,
                path,
                fields: &fields,
            };
            enter(&own, asked)
                .map(|actor| actor.to_string())
                .map_err(|refusal| refusal.status.as_u16())
        };
        let bearer = |token| [("authorization", token)];
        let alice = bearer("Bearer a-token-of-alice");
        assert_eq!(come("/alarms", "198.51.100.1", &alice).unwrap(), "alice");
        let bob = bearer("Bearer a-token-of-bob");
        assert_eq!(come("/metrics", "198.51.100.1", &bob).unwrap(), "bob");
        for wrong in [
            "",
            "Bearer ",
            "Bearer a-token-of-bo",
            "a-token-of-bob",
            "Basic a-token-of-bob",
        ] {
            assert_eq!(
                come("/alarms", "127.0.0.1", &bearer(wrong)),
                Err(401),
                "{wrong}"
            );
        }
        assert!(come("/metrics", "127.0.0.1", &[]).is_ok());
        assert!(come("/healthz", "::ffff:127.0.0.1", &[]).is_ok());
        assert_eq!(come("/metrics", "198.51.100.1", &[]), Err(401));
        let passed = [("x-forwarded-for", "203.0.113.1")];
        assert_eq!(come("/metrics", "127.0.0.1", &passed), Err(401));
        assert_eq!(
            come("/alarms", "127.0.0.1", &[("refgate-actor", "alice")]),
            Err(401)
        );
    }

    #[test]
    fn a_socket_knows_its_users() {
        let own = Settings::open(Address::Unix("/run/refgate.sock".into()));
        let come = |pairs: &[(&str, &str)]| {
            let asked = Asked {
                peer: Peer::Unix(Some(1000)),
                method: &Method::POST,
                path: "/reload",
                fields: &fields(pairs),
            };
            enter(&own, asked).unwrap().to_string()
        };
        assert_eq!(come(&[]), "uid 1000");
        assert_eq!(come(&[("refgate-actor", "alice")]), "alice");
    }
}
