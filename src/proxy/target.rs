//! What a request asks for, where there is no doubt about it.
//!
//! Accept has already refused what is no HTTP, and every doubt about where a message
//! ends. What is left to refuse, so that the shop never has to guess, is here.

use http::{Method, Version};

use crate::message::{Fields, RequestHead, Target};

/// Why a request is not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// A tunnel to anywhere.
    #[error("CONNECT is not allowed here.")]
    Connect,
    /// An extended CONNECT for something else than a WebSocket (RFC 9220 §3: 501).
    #[error("Of the protocols beside HTTP only websocket is understood.")]
    Protocol,
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
///
/// An HTTP/1.0 request may come without one (RFC 9112 §3.2): it means `only`, where there is only
/// one host that it can mean.
pub(super) fn settle(head: &mut RequestHead, only: Option<&str>) -> Result<String, Refusal> {
    match &head.protocol {
        None if head.method == Method::CONNECT => return Err(Refusal::Connect),
        Some(protocol) if protocol != b"websocket" => return Err(Refusal::Protocol),
        _ => {}
    }
    one_coding(&head.fields)?;
    let host = host(head, only)?;
    if !is_host(host.as_bytes()) {
        return Err(Refusal::InvalidHost);
    }
    origin_form(head, &host)?;
    Ok(host)
}

/// The one `Host`. That of HTTP/2 (`:authority`) is made one, in front (RFC 9113 §8.3.1).
fn host(head: &mut RequestHead, only: Option<&str>) -> Result<String, Refusal> {
    let text =
        |host: &[u8]| String::from_utf8(host.to_vec()).map_err(|_no_text| Refusal::InvalidHost);
    if head.fields.get_all("host").nth(1).is_some() {
        return Err(Refusal::SeveralHosts);
    }
    let host = match (head.fields.get("host"), &head.authority) {
        (Some(host), None) => return text(host),
        (Some(host), Some(authority)) if host.eq_ignore_ascii_case(authority) => return text(host),
        (Some(_), Some(_)) => return Err(Refusal::HostMismatch),
        (None, Some(authority)) => text(authority)?,
        (None, None) if head.version == Version::HTTP_10 => only.ok_or(Refusal::NoHost)?.to_owned(),
        (None, None) => return Err(Refusal::NoHost),
    };
    head.fields.prepend(b"Host", host.as_bytes());
    Ok(host)
}

fn one_coding(fields: &Fields) -> Result<(), Refusal> {
    let mut codings = fields.get_all("transfer-encoding");
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::TransferCoding),
    }
}

fn origin_form(head: &mut RequestHead, host: &str) -> Result<(), Refusal> {
    let target = head.target.as_bytes();
    let star = target == b"*" && head.method == Method::OPTIONS;
    if target.starts_with(b"/") || star {
        return Ok(());
    }
    let (scheme, rest) = split(target, b"://").ok_or(Refusal::Target)?;
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return Err(Refusal::Target);
    }
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
    if !host.as_bytes().eq_ignore_ascii_case(authority) {
        return Err(Refusal::HostMismatch);
    }
    // RFC 9112 §3.2.4: without a path, OPTIONS means the server.
    let path = match path {
        [] if head.method == Method::OPTIONS => b"*".to_vec(),
        [b'/', ..] => path.to_vec(),
        [] | [b'?', ..] => [b"/", path].concat(),
        _ => return Err(Refusal::Target),
    };
    head.target = Target::new(path);
    Ok(())
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = memchr::memmem::find(text, at)?;
    let (before, rest) = text.split_at(found);
    Some((before, rest.get(at.len()..)?))
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
    use crate::store::hosts;

    fn head(method: &str, target: &str, hosts: &[&str], version: Version) -> RequestHead {
        RequestHead {
            method: method.parse().unwrap(),
            target: target.into(),
            authority: None,
            protocol: None,
            version,
            fields: hosts.iter().map(|host| ("Host", host)).collect(),
        }
    }

    fn settled(method: &str, target: &str, hosts: &[&str]) -> Result<(String, String), Refusal> {
        let mut head = head(method, target, hosts, Version::HTTP_11);
        let host = settle(&mut head, Some("only.example"))?;
        let target = head.target.as_str().unwrap().to_owned();
        Ok((hosts::name(&host).to_owned(), target))
    }

    #[test]
    fn an_old_request_without_host_means_the_only_one() {
        let mut old = head("GET", "/", &[], Version::HTTP_10);
        assert_eq!(settle(&mut old.clone(), None), Err(Refusal::NoHost));
        assert_eq!(settle(&mut old, Some("a")), Ok("a".to_owned()));
        assert_eq!(old.fields.get("host"), Some(&b"a"[..]));
    }

    #[test]
    fn the_authority_of_http2_and_the_host_must_agree() {
        let with = |authority: &str, hosts: &[&str]| {
            let mut head = head("GET", "/", hosts, Version::HTTP_2);
            head.authority = Some(authority.as_bytes().to_vec());
            settle(&mut head, None).map(|host| (host, head.fields.len()))
        };
        assert_eq!(with("a", &[]), Ok(("a".to_owned(), 1)));
        assert_eq!(with("a", &["A"]), Ok(("A".to_owned(), 1)));
        assert_eq!(with("a", &["b"]), Err(Refusal::HostMismatch));
        assert_eq!(with("a", &["a", "a"]), Err(Refusal::SeveralHosts));
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
    fn beside_http_only_websocket_is_understood() {
        let with = |protocol: &[u8]| {
            let mut head = head("CONNECT", "/", &["a"], Version::HTTP_2);
            head.protocol = Some(protocol.to_vec());
            settle(&mut head, None)
        };
        assert_eq!(with(b"websocket"), Ok("a".to_owned()));
        assert_eq!(with(b"connect-udp"), Err(Refusal::Protocol));
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
            let fields = values.iter().map(|value| ("Transfer-Encoding", value));
            assert_eq!(one_coding(&fields.collect()).is_ok(), ok, "{values:?}");
        }
    }
}
