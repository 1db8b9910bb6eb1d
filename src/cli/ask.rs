//! Asking the one that runs, by its admin listener.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::admin::{Address, Settings};

/// Who asks.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Whose token is shown, where several of `admin.tokens` can be read
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

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
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// Several tokens are at hand.
    #[error("which token? say --as with one of: {0}")]
    Which(String),
    /// None of that name is at hand.
    #[error("no token of {0:?} can be read: it must stand under `admin.tokens`")]
    NoToken(String),
}

/// How long the one that runs may take: it waits for its ledger, and for its workers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest answer that is read.
const LIMIT: u64 = 4 << 20;

/// A way to it.
trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// The answer's status and its text. `request` is a method and a path.
///
/// # Errors
/// It cannot be asked, or not by this user.
pub fn ask(
    admin: Option<&Settings>,
    args: &Args,
    (request, user): (&str, Option<&str>),
) -> Result<(u16, String), Error> {
    let settings = admin.ok_or(Error::NoAdmin)?;
    let unreachable = |source| Error::Unreachable {
        address: settings.listen.clone(),
        source,
    };
    let host = match &settings.listen {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(_) => "localhost".to_owned(),
    };
    let mut head = format!("{request} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n");
    if let Some(token) = token(settings, args.name.as_deref())? {
        head.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    if let Some(user) = user.filter(|user| user.bytes().all(|byte| byte.is_ascii_graphic())) {
        head.push_str(&format!("Refgate-Actor: {user}\r\n"));
    }
    head.push_str("\r\n");
    let mut stream = connect(&settings.listen).map_err(unreachable)?;
    exchange(&mut *stream, &head).map_err(unreachable)
}

/// The token to show, if any is wanted.
fn token<'s>(settings: &'s Settings, name: Option<&str>) -> Result<Option<&'s str>, Error> {
    let tokens = &settings.tokens;
    if let Some(name) = name {
        let named = tokens.iter().find(|token| token.name.as_str() == name);
        let named = named.ok_or_else(|| Error::NoToken(name.to_owned()))?;
        return Ok(Some(named.token.reveal()));
    }
    match tokens.as_slice() {
        [] => Ok(None),
        [own] => Ok(Some(own.token.reveal())),
        several => {
            let names = several.iter().map(|token| token.name.as_str());
            Err(Error::Which(names.collect::<Vec<_>>().join(", ")))
        }
    }
}

fn connect(address: &Address) -> io::Result<Box<dyn Stream>> {
    Ok(match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Box::new(stream)
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Box::new(stream)
        }
    })
}

fn exchange(stream: &mut dyn Stream, head: &str) -> io::Result<(u16, String)> {
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.take(LIMIT).read_to_string(&mut answer)?;
    let none = || io::Error::from(io::ErrorKind::InvalidData);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(none)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok((status.ok_or_else(none)?, body.to_owned()))
}
