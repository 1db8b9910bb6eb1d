//! A request's head as the shop gets it: what framing it has, and its bytes.
//!
//! How long the body is, is what the body itself says; the fields are made to
//! say the same. A body of unknown length is chunked. An extended CONNECT
//! (RFC 8441) becomes the upgrade that HTTP/1.1 has in its place.

use std::io;

use http::Method;

use super::headers::{Length, Stated};
use crate::message::{Body as _, Incoming, RequestHead};

/// How the end of the request's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no body.
    None,
    /// After so many bytes more.
    Length(u64),
    /// By the last chunk.
    Chunked,
}

/// What the response is judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// It was HEAD: no body comes.
    pub(super) head: bool,
    /// Whether it may switch protocols.
    pub(super) upgrade: Upgrade,
}

/// Whether a request asks for another protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// No.
    No,
    /// By `Upgrade`, and so is answered by a 101.
    Plain,
    /// By an extended CONNECT, and so is answered by a 200.
    Extended,
}

/// Settles the fields on the body's framing. What was asked, and how the body is framed.
pub(super) fn settle(head: &mut RequestHead, body: &Incoming) -> (Asked, Framing) {
    let fields = &mut head.fields;
    let mut asked = Asked {
        head: head.method == Method::HEAD,
        upgrade: Upgrade::No,
    };
    if head.protocol.is_some() {
        asked.upgrade = Upgrade::Extended;
        // What follows is the other protocol's.
        for name in ["content-length", "transfer-encoding", "sec-websocket-key"] {
            fields.remove(name);
        }
        return (asked, Framing::None);
    }
    let stated = Stated::of(fields);
    if stated.upgrade {
        asked.upgrade = Upgrade::Plain;
    }
    let framing = match body.left() {
        _ if stated.coded => {
            fields.remove("content-length");
            Framing::Chunked
        }
        Some(0) if stated.lengths == 0 => Framing::None,
        None if stated.lengths == 0 && body.is_end() => Framing::None,
        Some(length) => {
            if stated.lengths != 1 || stated.length != Length::Known(length) {
                fields.set("content-length", length.to_string().as_bytes());
            }
            Framing::Length(length)
        }
        None => {
            fields.remove("content-length");
            fields.append(b"Transfer-Encoding", b"chunked");
            Framing::Chunked
        }
    };
    (asked, framing)
}

/// Writes the head. The caller has seen to it that an extended CONNECT is for `websocket`.
///
/// # Errors
/// The system gives no random bytes.
pub(super) fn write(head: &RequestHead, out: &mut Vec<u8>) -> io::Result<()> {
    const VERSION: &[u8] = b" HTTP/1.1\r\n";
    let method = match &head.protocol {
        None => head.method.as_str(),
        Some(_) => "GET",
    };
    let target = head.target.as_bytes();
    out.reserve(method.len() + target.len() + VERSION.len() + head.fields.written() + 2);
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(target);
    out.extend_from_slice(VERSION);
    head.fields.write(out);
    if head.protocol.is_some() {
        // RFC 8441 §5: the nonce that HTTP/2 does without.
        out.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: websocket\r\n");
        out.extend_from_slice(b"Sec-WebSocket-Key: ");
        out.extend_from_slice(&nonce()?);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// 16 random bytes in base64 (RFC 6455 §4.1).
fn nonce() -> io::Result<[u8; 24]> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let number = u128::from_be_bytes(random);
    let mut text = [b'='; 24];
    for (n, letter) in (0_u32..22).zip(&mut text) {
        // 21 groups of six bits, and two bits more.
        let six = match n {
            0..=20 => number >> (122 - 6 * n),
            _ => number << 4,
        };
        let at = usize::try_from(six & 0x3f).unwrap_or_default();
        *letter = LETTERS.get(at).copied().unwrap_or_default();
    }
    Ok(text)
}
