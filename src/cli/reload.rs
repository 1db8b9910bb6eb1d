//! `refgate reload`: the one that runs reads its configuration again.

use std::io::{self, Read as _, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::say::inert;

/// Why it did not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration has no `admin`, by which it would be asked.
    #[error("the configuration has no `admin` address to ask at: send SIGHUP to the process")]
    NoAdmin,
    /// Nobody is there, or it does not answer.
    #[error("refgate cannot be asked at {address}: does it run, and with this `admin`?")]
    Unreachable {
        /// Where it was looked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The one that runs has another opinion of its configuration.
    #[error("not reloaded, the configuration before stays in force:\n{0}")]
    Refused(String),
    /// Nobody reads what is written.
    #[error("cannot write the answer")]
    Write(#[from] io::Error),
}

/// How long the one that runs may take: it waits for its ledger, and for its workers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest answer that is read.
const LIMIT: u64 = 1 << 20;

/// Asks the one at `admin`, and says what came of it.
///
/// # Errors
/// It cannot be asked, or refuses.
pub fn run(admin: Option<SocketAddr>, json: bool, out: &mut dyn Write) -> Result<(), Error> {
    let address = admin.ok_or(Error::NoAdmin)?;
    let unreachable = |source| Error::Unreachable { address, source };
    let (status, words) = ask(address).map_err(unreachable)?;
    let words = words.lines().map(inert).collect::<Vec<_>>().join("\n");
    if status != 200 {
        return Err(Error::Refused(words));
    }
    if json {
        writeln!(out, "{}", serde_json::json!({ "reloaded": words }))?;
    } else {
        writeln!(out, "{words}")?;
    }
    Ok(())
}

/// The answer's status and its text.
fn ask(address: SocketAddr) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("POST /reload HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(LIMIT).read_to_string(&mut answer)?;
    let none = || io::Error::from(io::ErrorKind::InvalidData);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(none)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(none)?, body.to_owned()))
}
