//! Asking the one that runs, by its admin listener.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Why nothing was answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration has no `admin`, by which it would be asked.
    #[error("the configuration has no `admin` address to ask at (SIGHUP reloads without one)")]
    NoAdmin,
    /// Nobody is there, or it does not answer.
    #[error("refgate cannot be asked at {address}: does it run, and with this `admin`?")]
    Unreachable {
        /// Where it was looked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// How long the one that runs may take: it waits for its ledger, and for its workers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest answer that is read.
const LIMIT: u64 = 4 << 20;

/// The answer's status and its text.
///
/// # Errors
/// It cannot be asked.
pub fn ask(admin: Option<SocketAddr>, request: &str) -> Result<(u16, String), Error> {
    let address = admin.ok_or(Error::NoAdmin)?;
    exchange(address, request).map_err(|source| Error::Unreachable { address, source })
}

fn exchange(address: SocketAddr, request: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!("{request} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.take(LIMIT).read_to_string(&mut answer)?;
    let none = || io::Error::from(io::ErrorKind::InvalidData);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(none)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok((status.ok_or_else(none)?, body.to_owned()))
}
