//! Accept: listeners, protocol limits, drain.

use std::net::SocketAddr;
use std::time::Duration;

use crate::store::Scheme;

/// Where and how connections are accepted.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The addresses listened on, one listener per worker each (`SO_REUSEPORT`).
    pub listen: Vec<SocketAddr>,
    /// Worker threads; one per core by default.
    pub workers: usize,
    /// Connections at once, over all workers; a further one waits in the backlog.
    pub connections: usize,
    /// Largest request head in bytes (431 above it).
    pub head_limit: usize,
    /// How long a client may take over a request head.
    pub head_timeout: Duration,
    /// How long an idle kept-alive connection stays open.
    pub idle_timeout: Duration,
    /// How long requests in flight may take to finish when the process is told to end.
    pub drain: Duration,
}

/// Who is on the other side of an accepted connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The TCP peer.
    pub addr: SocketAddr,
    /// How it speaks to us.
    pub scheme: Scheme,
}
