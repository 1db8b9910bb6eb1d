//! What a request asks for, where there is no doubt about it.
//!
//! hyper has already refused what is no HTTP/1.1: folded lines, NUL, differing or
//! malformed lengths, a transfer coding that does not end in `chunked`, or any
//! in HTTP/1.0. Of a request with both a length and `chunked` it drops the
//! length. What is left to refuse, so that the shop never has to guess, is here.

use http::header::{HOST, HeaderMap, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri};

/// Why a request is not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// A tunnel to anywhere.
    #[error("CONNECT is not allowed here.")]
    Connect,
    /// Anything but `chunked` once: shops disagree on what the rest means.
    #[error("Only the transfer coding chunked is understood.")]
    TransferCoding,
    /// RFC 9112 §3.2.
    #[error("The request has no Host.")]
    NoHost,
    /// RFC 9112 §3.2.
    #[error("The request has several Hosts.")]
    SeveralHosts,
    /// Not `name`, `name:port`, `[v6]` or `[v6]:port`.
    #[error("The request's Host is not valid.")]
    InvalidHost,
    /// RFC 9112 §3.2.2 would let the target win; whoever sends both differently means harm.
    #[error("The request's Host and target differ.")]
    HostMismatch,
    /// Neither `/path`, `http://host/path`, nor `OPTIONS *`.
    #[error("The request's target is not valid.")]
    Target,
}

/// Refuses, or settles the request on origin form and one `Host`, which is returned.
pub(super) fn settle(head: &mut Parts) -> Result<HeaderValue, Refusal> {
    if head.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    one_coding(&head.headers)?;
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.clone(),
        (None, _) => return Err(Refusal::NoHost),
        (Some(_), Some(_)) => return Err(Refusal::SeveralHosts),
    };
    if !is_host(host.as_bytes()) {
        return Err(Refusal::InvalidHost);
    }
    origin_form(head, &host)?;
    Ok(host)
}

/// The host's name without its port and without the dot that ends a full name.
pub(super) fn name(host: &HeaderValue) -> &str {
    let text = host.to_str().unwrap_or_default();
    let name = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => text.split_once(':').map_or(text, |(name, _)| name),
    };
    name.strip_suffix('.').unwrap_or(name)
}

fn one_coding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::TransferCoding),
    }
}

fn origin_form(head: &mut Parts, host: &HeaderValue) -> Result<(), Refusal> {
    let Some(authority) = head.uri.authority() else {
        let path = head.uri.path();
        let star = path == "*" && head.method == Method::OPTIONS;
        return if star || path.starts_with('/') {
            Ok(())
        } else {
            Err(Refusal::Target)
        };
    };
    let web = matches!(head.uri.scheme_str(), Some("http" | "https"));
    if !web {
        return Err(Refusal::Target);
    }
    if !host
        .as_bytes()
        .eq_ignore_ascii_case(authority.as_str().as_bytes())
    {
        return Err(Refusal::HostMismatch);
    }
    let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let path = if path.starts_with('/') {
        head.uri.path_and_query().cloned()
    } else {
        PathAndQuery::try_from(format!("/{path}")).ok()
    };
    head.uri = path.map(Uri::from).ok_or(Refusal::Target)?;
    Ok(())
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2), of the characters that hosts really have.
fn is_host(text: &[u8]) -> bool {
    let (name, port) = match text.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else {
                return false;
            };
            let (name, rest) = rest.split_at(end);
            let v6 = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            if !name.iter().all(v6) {
                return false;
            }
            (name, rest.strip_prefix(b"]").unwrap_or(rest))
        }
        None => {
            let end = text
                .iter()
                .position(|byte| *byte == b':')
                .unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            let plain = |byte: &u8| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
            };
            if !name.iter().all(plain) {
                return false;
            }
            (name, rest)
        }
    };
    let port = match port {
        [] => return !name.is_empty(),
        [b':', port @ ..] => port,
        _ => return false,
    };
    !name.is_empty() && port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(method: &str, target: &str, hosts: &[&str]) -> Result<(String, String), Refusal> {
        let mut request = http::Request::builder().method(method).uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let host = settle(&mut head)?;
        Ok((name(&host).to_owned(), head.uri.to_string()))
    }

    #[test]
    fn a_request_is_settled_on_origin_form_and_one_host() {
        for (method, target, host, name, to) in [
            ("GET", "/", "shop.example", "shop.example", "/"),
            (
                "GET",
                "/a?b=%2f&c[]='{x}|^`\\",
                "Shop.example:80",
                "Shop.example",
                "/a?b=%2f&c[]='{x}|^`\\",
            ),
            (
                "GET",
                "//evil/x",
                "shop.example.",
                "shop.example",
                "//evil/x",
            ),
            (
                "GET",
                "http://shop.example/a?b",
                "SHOP.example",
                "SHOP.example",
                "/a?b",
            ),
            (
                "GET",
                "http://shop.example?b",
                "shop.example",
                "shop.example",
                "/?b",
            ),
            (
                "GET",
                "http://shop.example",
                "shop.example",
                "shop.example",
                "/",
            ),
            ("OPTIONS", "*", "shop.example", "shop.example", "*"),
            ("GET", "/", "[::1]:8080", "::1", "/"),
        ] {
            let got = settled(method, target, &[host]);
            assert_eq!(got, Ok((name.into(), to.into())), "{target} {host}");
        }
    }

    #[test]
    fn a_request_in_doubt_is_refused() {
        for (method, target, hosts, refusal) in [
            (
                "CONNECT",
                "shop.example:80",
                &["shop.example"][..],
                Refusal::Connect,
            ),
            ("GET", "/", &[], Refusal::NoHost),
            ("GET", "/", &["a", "a"], Refusal::SeveralHosts),
            ("GET", "/", &[""], Refusal::InvalidHost),
            ("GET", "/", &["a b"], Refusal::InvalidHost),
            ("GET", "/", &["a,b"], Refusal::InvalidHost),
            ("GET", "/", &["a@b"], Refusal::InvalidHost),
            ("GET", "/", &["a/b"], Refusal::InvalidHost),
            ("GET", "/", &["a:b"], Refusal::InvalidHost),
            ("GET", "/", &["a:1:2"], Refusal::InvalidHost),
            ("GET", "/", &["a:123456"], Refusal::InvalidHost),
            ("GET", "/", &["[::1"], Refusal::InvalidHost),
            ("GET", "/", &["[::1]x"], Refusal::InvalidHost),
            ("GET", "/", &[":80"], Refusal::InvalidHost),
            ("GET", "http://b/", &["a"], Refusal::HostMismatch),
            ("GET", "http://x@a/", &["a"], Refusal::HostMismatch),
            ("GET", "ftp://a/", &["a"], Refusal::Target),
            ("GET", "a:80", &["a:80"], Refusal::Target),
            ("GET", "*", &["a"], Refusal::Target),
        ] {
            assert_eq!(
                settled(method, target, hosts),
                Err(refusal),
                "{target} {hosts:?}"
            );
        }
    }

    #[test]
    fn only_chunked_alone_is_understood() {
        for (values, ok) in [
            (&["chunked"][..], true),
            (&["Chunked"], true),
            (&["gzip, chunked"], false),
            (&["chunked", "chunked"], false),
            (&["chunked, chunked"], false),
            (&["identity, chunked"], false),
            (&[",chunked"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRANSFER_ENCODING, value.parse().unwrap());
            }
            assert_eq!(one_coding(&headers).is_ok(), ok, "{values:?}");
        }
    }
}
