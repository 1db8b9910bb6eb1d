//! Forward: a request to the shop, its response back, pooled and streamed.

use std::time::Duration;

use ipnet::IpNet;

/// How the shop is spoken to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Peers whose `X-Forwarded-*` fields are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// For a TCP connection to the shop.
    pub connect_timeout: Duration,
    /// From the request's last byte to the response's head.
    pub response_timeout: Duration,
    /// Between two pieces of a body, either way.
    pub body_timeout: Duration,
    /// How long a connection to the shop is kept unused; below the shop's own keep-alive.
    pub pool_idle: Duration,
    /// Unused connections kept per upstream and worker.
    pub pool_size: usize,
    /// How long a tunnel (WebSocket) may be silent.
    pub tunnel_timeout: Duration,
}
