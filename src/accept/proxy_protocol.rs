//! The PROXY protocol, version 1 and 2: who a load balancer speaks for, said before all else.
//!
//! <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>. A listener either expects the
//! header on every connection or on none: where it is expected and is not there, or is not exactly
//! as the text has it, the connection is closed. Additional fields (TLVs) are passed over.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// Longest line of version 1, with its CR LF (§2.1).
const LINE_LIMIT: usize = 107;

/// What version 2 begins with (§2.2).
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family, length.
const FIXED: usize = 16;

/// Longest rest of a version 2 header: the addresses, and additional fields for which we have no use.
const BLOCK_LIMIT: usize = 4096;

/// Looked at at once: most headers are shorter.
const PIECE: usize = 256;

/// Why a connection has no client that can be believed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer stands in no trusted range, so it could claim any address.
    #[error("a PROXY header is not believed from {0}")]
    Untrusted(IpAddr),
    /// The first bytes are of something else.
    #[error("no PROXY header")]
    Absent,
    /// Version 1: not the line that the protocol has.
    #[error("a PROXY header's line is malformed")]
    Line,
    /// Version 2: another version, command or family than the protocol has.
    #[error("a PROXY header's kind is unknown")]
    Kind,
    /// Version 2: shorter than its addresses are.
    #[error("a PROXY header has no room for its addresses")]
    Short,
    /// Longer than any sensible header.
    #[error("a PROXY header is too long")]
    Long,
    /// It did not come whole in time.
    #[error("no PROXY header within {0:?}")]
    Late(Duration),
    /// The peer closed before it was whole.
    #[error("the connection ended within its PROXY header")]
    Ended,
    /// The connection is broken.
    #[error("the connection broke within its PROXY header")]
    Broken(#[source] io::Error),
}

/// A whole header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who it speaks for; none where the proxy speaks for itself (its health check), or does not know.
    pub client: Option<SocketAddr>,
    /// How many bytes it takes.
    pub length: usize,
}

/// Reads the header of a new connection, and not a byte of what comes behind it. Returns who
/// `peer` speaks for; none where it speaks for itself.
///
/// Only a peer within `trusted` is believed; where that is empty every peer is.
///
/// # Errors
/// The peer is not trusted, or sent no valid header within `limit`. The connection is to be closed then.
pub async fn read(
    socket: &mut TcpStream,
    peer: IpAddr,
    trusted: &[IpNet],
    limit: Duration,
) -> Result<Option<SocketAddr>, Error> {
    let peer = peer.to_canonical();
    if !trusted.is_empty() && !trusted.iter().any(|net| net.contains(&peer)) {
        return Err(Error::Untrusted(peer));
    }
    let reading = async {
        let mut taken = Vec::new();
        loop {
            let before = taken.len();
            taken.resize(before + PIECE, 0);
            let piece = taken.get_mut(before..).unwrap_or_default();
            let seen = socket.peek(piece).await.map_err(Error::Broken)?;
            if seen == 0 {
                return Err(Error::Ended);
            }
            taken.truncate(before + seen);
            let header = parse(&taken)?;
            // As long as it is not whole, all that is there belongs to it.
            let end = header.map_or(taken.len(), |header| header.length);
            let piece = taken.get_mut(before..end).unwrap_or_default();
            socket.read_exact(piece).await.map_err(Error::Broken)?;
            if let Some(header) = header {
                return Ok(header.client);
            }
        }
    };
    tokio::time::timeout(limit, reading)
        .await
        .unwrap_or(Err(Error::Late(limit)))
}

/// The header at the front of `bytes`; none while it is not whole. What was said of some bytes is
/// also said of more.
///
/// # Errors
/// It can become no valid header.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, Error> {
    if is_beginning(bytes, SIGNATURE) {
        return block(bytes);
    }
    if is_beginning(bytes, b"PROXY ") {
        return line(bytes);
    }
    Err(Error::Absent)
}

/// Whether `bytes` begins with `start`, as far as it goes.
fn is_beginning(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(byte, wanted)| byte == wanted)
}

/// Version 1 (§2.1): `PROXY TCP4 client proxy port port`, or `PROXY UNKNOWN`, with CR LF.
fn line(bytes: &[u8]) -> Result<Option<Header>, Error> {
    let most = bytes.get(..LINE_LIMIT).unwrap_or(bytes);
    let Some(end) = memchr::memmem::find(most, b"\r\n") else {
        return match bytes.len() < LINE_LIMIT {
            true => Ok(None),
            false => Err(Error::Long),
        };
    };
    let text = most.get(..end).unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(|_not_ascii| Error::Line)?;
    let client = told(text).ok_or(Error::Line)?;
    let length = end + 2;
    Ok(Some(Header { client, length }))
}

/// What a line says; none if it is malformed.
fn told(text: &str) -> Option<Option<SocketAddr>> {
    let mut words = text.split(' ').skip(1);
    let client = match words.next()? {
        // Whatever comes behind it is to be ignored.
        "UNKNOWN" => return Some(None),
        "TCP4" => addresses::<Ipv4Addr>(&mut words)?,
        "TCP6" => addresses::<Ipv6Addr>(&mut words)?,
        _ => return None,
    };
    words.next().is_none().then_some(Some(client))
}

/// Client and proxy, then their ports; the client.
fn addresses<'a, A>(words: &mut impl Iterator<Item = &'a str>) -> Option<SocketAddr>
where
    A: FromStr + Into<IpAddr>,
{
    let client: A = words.next()?.parse().ok()?;
    let _proxy: A = words.next()?.parse().ok()?;
    let client_port = port(words.next()?)?;
    let _proxy_port = port(words.next()?)?;
    Some(SocketAddr::new(client.into().to_canonical(), client_port))
}

/// Digits without a leading zero.
fn port(word: &str) -> Option<u16> {
    let plain = word == "0" || !word.starts_with(['0', '+']);
    word.parse().ok().filter(|_| plain)
}

/// Version 2 (§2.2).
fn block(bytes: &[u8]) -> Result<Option<Header>, Error> {
    let Some(fixed) = bytes.first_chunk::<FIXED>() else {
        return Ok(None);
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > BLOCK_LIMIT {
        return Err(Error::Long);
    }
    let kind = Kind::of(command, family)?;
    if length < kind.room() {
        return Err(Error::Short);
    }
    let Some(block) = bytes.get(FIXED..FIXED + length) else {
        return Ok(None);
    };
    let client = kind.client(block);
    let length = FIXED + length;
    Ok(Some(Header { client, length }))
}

/// Whose addresses a version 2 header has.
#[derive(Clone, Copy)]
enum Kind {
    Inet,
    Inet6,
    /// The proxy's own connection (LOCAL), a family without IP addresses, or none stated.
    Nobody,
}

impl Kind {
    /// By version and command, family and transport.
    fn of(command: u8, family: u8) -> Result<Self, Error> {
        match (command, family) {
            // LOCAL: the family is to be passed over. UNSPEC and UNIX name nobody by address.
            (0x20, _) | (0x21, 0x00 | 0x31) => Ok(Self::Nobody),
            (0x21, 0x11) => Ok(Self::Inet),
            (0x21, 0x21) => Ok(Self::Inet6),
            _ => Err(Error::Kind),
        }
    }

    /// What the two addresses and ports take.
    const fn room(self) -> usize {
        match self {
            Self::Nobody => 0,
            Self::Inet => 2 * (4 + 2),
            Self::Inet6 => 2 * (16 + 2),
        }
    }

    /// The client: its address stands before the proxy's, and its port behind both.
    fn client(self, block: &[u8]) -> Option<SocketAddr> {
        let (addr, ports): (IpAddr, _) = match self {
            Self::Nobody => return None,
            Self::Inet => (Ipv4Addr::from(*block.first_chunk::<4>()?).into(), 8),
            Self::Inet6 => (Ipv6Addr::from(*block.first_chunk::<16>()?).into(), 32),
        };
        let port = block.get(ports..)?.first_chunk::<2>()?;
        let port = u16::from_be_bytes(*port);
        Some(SocketAddr::new(addr.to_canonical(), port))
    }
}

#[cfg(test)]
mod tests;
