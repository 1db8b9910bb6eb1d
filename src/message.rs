//! Message: HTTP heads and bodies, as every stage hands them on.
//!
//! A head keeps the bytes, the order and the spelling that came; what arrives by
//! HTTP/2 looks the same here as what arrives by HTTP/1.1. A body is polled for its
//! frames. Nothing here touches a socket.

pub mod body;
pub mod chunked;
pub mod fields;
pub mod form;
pub mod incoming;
pub mod interim;
pub mod parse;
mod target;
mod text;

use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite};

pub use body::{Body, Frame};
pub use fields::{Edit, Fields, Replaced};
pub use incoming::{Feed, Incoming};
pub use interim::Interim;
pub use target::Target;

/// A request's head.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// Its method, case-sensitive (RFC 9110 §9.1).
    pub method: Method,
    /// What it asks for, byte for byte: origin form, absolute form or `*` (RFC 9112 §3.2).
    pub target: Target,
    /// HTTP/2's `:authority`, where there was one; an HTTP/1.1 head has its `Host` only.
    pub authority: Option<Vec<u8>>,
    /// HTTP/2's `:protocol` (RFC 8441): an extended CONNECT that wants to speak this.
    pub protocol: Option<Vec<u8>>,
    /// What the client speaks.
    pub version: Version,
    /// Its fields.
    pub fields: Fields,
}

/// A request: its head, its body, and the way back beside the response.
#[derive(Debug)]
pub struct Request {
    /// Its head; on its way it is handed on many times.
    pub head: Box<RequestHead>,
    /// Its body.
    pub body: Incoming,
    /// Where interim responses (1xx) go.
    pub interim: Interim,
}

/// A response's head.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// Its status.
    pub status: StatusCode,
    /// Its reason phrase, where it is not the usual one; HTTP/2 has none.
    pub reason: Option<Box<[u8]>>,
    /// What the sender speaks.
    pub version: Version,
    /// Its fields.
    pub fields: Fields,
}

/// A response: its head, its body, and what comes after a 101.
#[derive(Debug)]
pub struct Response<B> {
    /// Its head. Framing fields other than `Content-Length` are the writer's business.
    pub head: ResponseHead,
    /// Its body.
    pub body: B,
    /// With a 101, or a 2xx to an extended CONNECT: the other protocol's far end.
    pub tunnel: Option<Tunnel>,
}

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The shop's side of a connection that has switched protocols.
pub struct Tunnel {
    /// Its bytes, beginning with what came behind its 101.
    pub far: Box<dyn Duplex>,
    /// How long both ways may be silent.
    pub limit: Duration,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl ResponseHead {
    /// An HTTP/1.1 head without fields.
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            reason: None,
            version: Version::HTTP_11,
            fields: Fields::default(),
        }
    }

    /// The reason phrase to write: its own, or the usual one.
    pub fn reason(&self) -> &[u8] {
        match &self.reason {
            Some(reason) => reason,
            None => self.status.canonical_reason().unwrap_or("").as_bytes(),
        }
    }
}

impl<B> Response<B> {
    /// A response without fields.
    pub fn new(status: StatusCode, body: B) -> Self {
        Self {
            head: ResponseHead::new(status),
            body,
            tunnel: None,
        }
    }

    /// The same with another body.
    pub fn map<C>(self, change: impl FnOnce(B) -> C) -> Response<C> {
        Response {
            head: self.head,
            body: change(self.body),
            tunnel: self.tunnel,
        }
    }
}
