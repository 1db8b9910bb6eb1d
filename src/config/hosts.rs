//! Host names and upstreams as texts.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::store::{Protocol, Upstream};

/// What a host looks like.
pub(super) const HOST: &str = "a host name like shop.example";

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HostError {
    #[error("a host without scheme, port and path")]
    More,
    #[error("not a host name: labels of letters, digits and '-', the others as in xn--…")]
    Label,
}

/// A host name as it stands in `Host`, in lower case.
pub(super) fn host(text: &str) -> Result<String, HostError> {
    if text.contains([':', '/', '@', '?']) {
        return Err(HostError::More);
    }
    let label = |label: &str| {
        let inner = label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    if text.len() > 253 || !text.split('.').all(label) {
        return Err(HostError::Label);
    }
    Ok(text.to_ascii_lowercase())
}

pub(super) const UPSTREAM: &str = "where the shop listens: http://HOST:PORT or https://HOST:PORT";

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UpstreamError {
    #[error("it begins with neither http:// nor https://")]
    Scheme,
    #[error("a path after the port: the shopper's own path is used")]
    Path,
    #[error("no port from 1 to 65535")]
    Port,
    #[error("no host name or address; an IPv6 address stands in brackets")]
    Host,
}

/// An upstream as it is written.
pub(super) struct Named {
    /// Without its TLS, and as if HTTP/1.1 were spoken there.
    pub(super) upstream: Upstream,
    /// Whether it is to be spoken to by TLS.
    pub(super) secure: bool,
}

pub(super) fn upstream(text: &str) -> Result<Named, UpstreamError> {
    let (rest, secure) = match text.strip_prefix("http://") {
        Some(rest) => (rest, false),
        None => (
            text.strip_prefix("https://").ok_or(UpstreamError::Scheme)?,
            true,
        ),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(UpstreamError::Path);
    }
    let (name, port) = match rest.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            let port = port.parse().map_err(|_no_number| UpstreamError::Port)?;
            (name, port)
        }
        _ if secure => (rest, 443),
        _ => (rest, 80),
    };
    if port == 0 {
        return Err(UpstreamError::Port);
    }
    let v6 = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let host = match v6 {
        Some(v6) => v6
            .parse::<Ipv6Addr>()
            .map_err(|_no_address| UpstreamError::Host)?
            .to_string(),
        None => host(name).map_err(|_no_host| UpstreamError::Host)?,
    };
    let upstream = Upstream {
        host,
        port,
        tls: None,
        protocol: Protocol::default(),
    };
    Ok(Named { upstream, secure })
}

/// Whether a connection to `upstream` would arrive at `own`.
pub(super) fn is_same(own: &SocketAddr, upstream: &Upstream) -> bool {
    if own.port() != upstream.port || own.port() == 0 {
        return false;
    }
    match upstream.host.parse::<IpAddr>() {
        Ok(address) => address == own.ip() || own.ip().is_unspecified() && address.is_loopback(),
        Err(_) => {
            is_loopback(&upstream.host) && (own.ip().is_loopback() || own.ip().is_unspecified())
        }
    }
}

/// Hosts that never leave the machine (RFC 6761 §6.3; also what browsers treat as secure).
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    address || host == "localhost" || host.ends_with(".localhost")
}
