//! Accept: listeners, protocol limits, drain.
//!
//! One [`Worker`] per thread, each on a `current_thread` runtime with a listener
//! of its own; what a connection asks is handed to one service function. This
//! module knows sockets, TLS and framing, and nothing of stores or shops.

mod bind;
mod http1;
mod http2;
pub mod passed;
pub mod proxy_protocol;
pub mod tls;
mod tunnel;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::current::Current;
use crate::event::{Counters, Event};
use crate::message::{Body, Request, Response, Tunnel};
use crate::store::Scheme;
use crate::wire::{Stream, Wire};

pub use bind::{Error as BindError, bind};

/// How long accepting rests after the system refused a connection (no more files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where and how connections are accepted.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where is listened, one socket per worker each (`SO_REUSEPORT`).
    pub listen: Vec<Listener>,
    /// How TLS is spoken, where it is.
    pub tls: tls::Settings,
    /// Worker threads; one per core by default.
    pub workers: usize,
    /// Connections at once, over all workers; a further one waits in the backlog.
    pub connections: usize,
    /// Load balancers whose PROXY headers are believed; empty: anybody's.
    pub trusted: Vec<IpNet>,
    /// Largest request head in bytes (431 above it).
    pub head_limit: usize,
    /// How long a client may take over a request head.
    pub head_timeout: Duration,
    /// How long an idle kept-alive connection stays open.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of an answer that is waiting for it.
    pub stall_timeout: Duration,
    /// How long requests in flight may take to finish when the process is told to end.
    pub drain: Duration,
}

/// An address listened on, and what is spoken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address.
    pub address: SocketAddr,
    /// Whether clients speak TLS.
    pub tls: bool,
    /// Whether connections begin with the PROXY protocol.
    pub proxy_protocol: bool,
    /// Every request is sent on to https, at this port.
    pub redirect: Option<u16>,
}

impl Listener {
    /// Plain HTTP, without more.
    pub const fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            tls: false,
            proxy_protocol: false,
            redirect: None,
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if self.tls {
            f.write_str(" (TLS)")?;
        }
        if self.proxy_protocol {
            f.write_str(" (PROXY protocol)")?;
        }
        if let Some(port) = self.redirect {
            write!(f, " (sends on to https, port {port})")?;
        }
        Ok(())
    }
}

/// What a listener's connections go through before they are served.
#[derive(Clone, Debug, Default)]
pub struct Door {
    /// They begin with the PROXY protocol.
    pub proxied: bool,
    /// Makes TLS of them.
    pub tls: Option<tls::Acceptor>,
    /// Sends every request on to https, at this port.
    pub redirect: Option<u16>,
}

impl Door {
    fn peer(&self, addr: SocketAddr) -> Peer {
        Peer {
            addr: plain(addr),
            scheme: match self.tls {
                Some(_) => Scheme::Https,
                None => Scheme::Http,
            },
            redirect: self.redirect,
            via: None,
        }
    }
}

/// Who is on the other side of an accepted connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Who asks: the TCP peer, or who a load balancer says by the PROXY protocol that it is.
    pub addr: SocketAddr,
    /// The load balancer that said so.
    pub via: Option<SocketAddr>,
    /// How it speaks to us.
    pub scheme: Scheme,
    /// It is only to be sent on to https, at this port.
    pub redirect: Option<u16>,
}

/// What a connection gets from its worker.
#[derive(Debug)]
struct Shared {
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    shutdown: CancellationToken,
}

/// What every worker shares: cloned into each thread.
#[derive(Clone, Debug)]
pub struct Worker {
    /// A connection goes by those that were current when it came.
    settings: Arc<Current<Settings>>,
    /// Connections at once.
    most: usize,
    limit: Arc<Semaphore>,
    counters: Arc<Counters>,
    shutdown: CancellationToken,
    tracker: TaskTracker,
    /// Connections that have switched protocols: nobody waits for their end.
    tunnels: TaskTracker,
}

impl Worker {
    /// `shutdown` ends accepting; `tracker` gets every connection.
    pub fn new(
        settings: Settings,
        counters: Arc<Counters>,
        shutdown: CancellationToken,
        tracker: TaskTracker,
    ) -> Self {
        let most = settings.connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            settings: Arc::new(Current::new(settings)),
            most,
            limit: Arc::new(Semaphore::new(most)),
            counters,
            shutdown,
            tracker,
            tunnels: TaskTracker::new(),
        }
    }

    /// Accepts until shutdown, each connection as a task of its own on this runtime.
    ///
    /// Returns once nothing more is accepted; connections may still be finishing:
    /// see [`Worker::drain`].
    pub async fn serve<S, F, B>(&self, listener: TcpListener, door: Door, service: S)
    where
        S: Fn(Peer, Request) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + 'static,
    {
        // A token of this worker's own: polls of many connections do not meet on one lock.
        let shutdown = self.shutdown.child_token();
        while let Some((socket, addr, permit)) = self.next(&listener).await {
            let shared = Shared {
                settings: self.settings.get(),
                counters: Arc::clone(&self.counters),
                shutdown: shutdown.clone(),
            };
            let (door, service) = (door.clone(), service.clone());
            let tunnels = self.tunnels.clone();
            self.tracker.spawn(async move {
                let mut peer = door.peer(addr);
                let Some((stream, protocol)) = open(socket, door, &mut peer, &shared).await else {
                    return;
                };
                let wire = Wire::new(stream);
                let switched = speak(wire, protocol, peer, shared, service).await;
                if let Some((wire, tunnel)) = switched {
                    tunnels.spawn(async move {
                        tunnel::run(wire, tunnel).await;
                        drop(permit);
                    });
                }
            });
        }
    }

    /// Serves one connection that somebody else has accepted and opened, to its end or until it
    /// has switched protocols: what it then speaks is between the wire and the far end of the tunnel.
    pub async fn converse<S, F, B>(
        &self,
        wire: Wire,
        protocol: tls::Protocol,
        peer: Peer,
        service: S,
    ) -> Option<(Wire, Tunnel)>
    where
        S: Fn(Peer, Request) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + 'static,
    {
        let shared = Shared {
            settings: self.settings.get(),
            counters: Arc::clone(&self.counters),
            shutdown: self.shutdown.clone(),
        };
        speak(wire, protocol, peer, shared, service).await
    }

    /// Goes by these settings from the next connection on. How many connections there may be at
    /// once stays as it is.
    pub fn adopt(&self, settings: Settings) {
        self.settings.set(settings);
    }

    /// How many connections are open. Every listener holds a place of its own while it waits for one.
    pub fn open(&self) -> usize {
        self.most.saturating_sub(self.limit.available_permits())
    }

    /// Waits until accepting is to end.
    pub async fn ended(&self) {
        self.shutdown.cancelled().await;
    }

    /// Waits until every tracked task has ended, at most the settings' `drain`.
    ///
    /// Returns how many were still running when the time was over.
    pub async fn drain(&self) -> usize {
        self.tracker.close();
        match tokio::time::timeout(self.settings.get().drain, self.tracker.wait()).await {
            Ok(()) => 0,
            Err(_elapsed) => self.tracker.len(),
        }
    }

    /// The next connection, once there is room for it; none after shutdown.
    async fn next(
        &self,
        listener: &TcpListener,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        loop {
            let accepted = async {
                let permit = Arc::clone(&self.limit).acquire_owned().await.ok()?;
                Some((listener.accept().await, permit))
            };
            // Cancel-safe: a permit that is dropped goes back, and `accept` loses no connection.
            let (accepted, permit) = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return None,
                accepted = accepted => accepted?,
            };
            match accepted {
                Ok((stream, addr)) => return Some((stream, addr, permit)),
                Err(error) => {
                    warn!(%error, "could not accept a connection");
                    drop(permit);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Serves a connection to its end, or until it has switched protocols.
//
// No `async fn`: it would hold its arguments twice for as long as the connection lives.
fn speak<S, F, B>(
    wire: Wire,
    protocol: tls::Protocol,
    peer: Peer,
    shared: Shared,
    service: S,
) -> impl Future<Output = Option<(Wire, Tunnel)>> + Send
where
    S: Fn(Peer, Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + 'static,
{
    match protocol {
        tls::Protocol::Http1 => Either::Left(http1::serve(wire, peer, shared, service)),
        tls::Protocol::Http2 => Either::Right(Box::pin(async move {
            http2::serve(wire, peer, shared, service).await;
            None
        })),
    }
}

/// Through the door, each step of it within the time for a head; none if it came to nothing.
async fn open(
    mut socket: TcpStream,
    door: Door,
    peer: &mut Peer,
    shared: &Shared,
) -> Option<(Stream, tls::Protocol)> {
    if door.proxied {
        Box::pin(introduce(&mut socket, peer, shared)).await?;
    }
    let Some(tls) = door.tls else {
        return Some((Stream::Plain(socket), tls::Protocol::Http1));
    };
    let limit = shared.settings.head_timeout;
    // Boxed: who is served needs no room for it any more.
    let accepting = Box::pin(tls.accept(socket));
    let opened = tokio::select! {
        opened = tokio::time::timeout(limit, accepting) => opened,
        // Nothing was asked yet.
        () = shared.shutdown.cancelled() => return None,
    };
    match opened {
        Ok(Ok(opened)) => return opened,
        // Scanners and old clients: nothing to be loud about.
        Ok(Err(error)) => debug!(%error, "a TLS handshake failed"),
        Err(_elapsed) => debug!("a TLS handshake took too long"),
    }
    shared.counters.add(Event::HandshakeFailed);
    None
}

/// The load balancer says whom it speaks for; none if it does not, as the protocol has it.
async fn introduce(socket: &mut TcpStream, peer: &mut Peer, shared: &Shared) -> Option<()> {
    let settings = &shared.settings;
    let (addr, limit) = (peer.addr, settings.head_timeout);
    let reading = proxy_protocol::read(socket, addr.ip(), &settings.trusted, limit);
    let told = tokio::select! {
        told = reading => told,
        // Nothing was asked yet.
        () = shared.shutdown.cancelled() => return None,
    };
    match told {
        Ok(Some(client)) => {
            (peer.addr, peer.via) = (client, Some(addr));
            Some(())
        }
        // It speaks for itself.
        Ok(None) => Some(()),
        Err(error) => {
            shared.counters.add(Event::ProxyHeaderRefused);
            debug!(peer = %addr, %error, "a connection was not introduced as it must be");
            None
        }
    }
}

/// An IPv4 peer on an IPv6 listener is an IPv4 peer.
fn plain(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
