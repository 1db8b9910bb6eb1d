//! A new connection to the shop.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::{TcpStream, lookup_host};
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::{Error, RequestBody, Sender, Settings};
use crate::store::Upstream;

/// Fields in a response's head; hyper's own 100 would turn a page that works into a 502.
const FIELDS: usize = 256;

/// Connects, and leaves the connection's own work to a task on `tracker`.
pub(super) async fn dial<B: RequestBody>(
    upstream: &Upstream,
    settings: &Settings,
    tracker: &TaskTracker,
) -> Result<Sender<B>, Error> {
    let limit = settings.connect_timeout;
    let stream = tokio::time::timeout(limit, connect(upstream))
        .await
        .unwrap_or(Err(Error::ConnectTimeout(limit)))?;
    prepare(&stream, settings.body_timeout).map_err(Error::Connect)?;
    let (sender, connection) = http1::Builder::new()
        .preserve_header_case(true)
        .max_headers(FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(Error::Broken)?;
    tracker.spawn(async move {
        // Whoever waits for an answer on it is told the same.
        if let Err(error) = connection.with_upgrades().await {
            debug!(%error, "a connection to the shop ended early");
        }
    });
    Ok(sender)
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

fn prepare(stream: &TcpStream, stall: Duration) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_user_timeout(Some(stall))
}
