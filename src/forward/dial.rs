//! A new connection to the shop.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::{TlsConnector, TlsStream};

use super::clock::Clock;
use super::pool::Connection;
use super::{Error, Settings};
use crate::store::{Protocol, Upstream};
use crate::wire::{Stream, Wire};

/// HTTP/2 inside TLS, as ALPN calls it (RFC 9113 §3.2).
pub(super) const HTTP2: &[u8] = b"h2";

/// Connects within `connect_timeout`, TLS and all.
pub(super) async fn dial(upstream: &Upstream, settings: &Settings) -> Result<Connection, Error> {
    let limit = settings.connect_timeout;
    let stream = tokio::time::timeout(limit, open(upstream, settings))
        .await
        .unwrap_or(Err(Error::ConnectTimeout(limit)))?;
    Ok(Connection {
        wire: Wire::new(stream),
        clock: Clock::default(),
    })
}

/// Connects, TLS and all, in as much time as it takes; by TLS, what is spoken then is offered.
pub(super) async fn open(upstream: &Upstream, settings: &Settings) -> Result<Stream, Error> {
    let socket = connect(upstream).await?;
    prepare(&socket, settings.body_timeout).map_err(Error::Connect)?;
    let Some(tls) = &upstream.tls else {
        return Ok(Stream::Plain(socket));
    };
    let connector = TlsConnector::from(Arc::clone(tls.client()));
    let name = tls.name().clone();
    let opening = match upstream.protocol {
        Protocol::Http1 => connector.connect(name, socket),
        Protocol::Http2 => {
            let connector = connector.with_alpn(vec![HTTP2.to_vec()]);
            connector.connect(name, socket)
        }
    };
    let stream = opening.await.map_err(Error::Tls)?;
    Ok(Stream::Tls(Box::new(TlsStream::Client(stream))))
}

async fn connect(upstream: &Upstream) -> Result<TcpStream, Error> {
    if let Ok(ip) = upstream.host.parse::<IpAddr>() {
        let address = SocketAddr::new(ip, upstream.port);
        return TcpStream::connect(address).await.map_err(Error::Connect);
    }
    let mut last = None;
    let addresses = lookup_host((upstream.host.as_str(), upstream.port))
        .await
        .map_err(Error::Lookup)?;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(
        || Error::Lookup(std::io::ErrorKind::NotFound.into()),
        Error::Connect,
    ))
}

fn prepare(socket: &TcpStream, stall: Duration) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    SockRef::from(socket).set_tcp_user_timeout(Some(stall))
}
