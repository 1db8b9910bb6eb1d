//! A test network that answers as TUNE does (domain.md §2): every verdict with HTTP 200, in the body.
//!
//! It records every call, and can be told to misbehave as real networks do: hang, reset, flood, lie.
//! One request per connection, spoken by hand, because a server library cannot break off on purpose.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

mod tune;

pub use tune::Conversion;

/// Largest request head in bytes.
const HEAD_LIMIT: usize = 16 * 1024;

/// Connections at once; a further one waits.
const CONNECTIONS: usize = 256;

/// How long a client may take over its request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls kept; the oldest go first.
const CALLS: usize = 100_000;

/// How the network treats a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As TUNE does.
    Honest,
    /// Reads the request, counts it, and never answers.
    Hang,
    /// Reads the request, counts it, and closes the connection.
    Close,
    /// Reads the request, counts it, and resets the connection.
    Reset,
    /// Counts it, and breaks off in the middle of the answer.
    Cut,
    /// Counts it, and answers without end.
    Flood,
    /// Does not count it, and answers this status and `Retry-After`.
    Busy(u16, Option<String>),
    /// Does not count it, and sends the caller elsewhere.
    Redirect(String),
    /// Counts it, and answers 200 with this instead of a verdict.
    Say(String),
}

/// One call as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The query, decoded.
    pub parameters: Vec<(String, String)>,
    /// The network's verdict, whether or not the caller was told.
    pub verdict: String,
}

impl Call {
    /// A parameter of the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.parameters.iter();
        let (_, value) = pairs.find(|(found, _)| found == name)?;
        Some(value)
    }
}

/// The network. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Network {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Held for a moment only, never over an await.
    state: Mutex<State>,
    called: Notify,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    books: tune::Books,
    always: Option<Manner>,
    next: Vec<Manner>,
}

impl Network {
    /// An honest network without any calls.
    pub fn new() -> Self {
        Self::default()
    }

    /// Treats every call so, from now on.
    pub fn always(&self, manner: Manner) {
        self.state(|state| state.always = Some(manner));
    }

    /// Treats the next calls so, one each; after them as before.
    pub fn next(&self, manners: impl IntoIterator<Item = Manner>) {
        self.state(|state| state.next.extend(manners));
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state(|state| state.calls.clone())
    }

    /// Every conversion counted, so every commission owed.
    pub fn conversions(&self) -> Vec<Conversion> {
        self.state(|state| state.books.conversions().to_vec())
    }

    /// Waits until there were `count` calls, and returns all.
    pub async fn wait_for(&self, count: usize) -> Vec<Call> {
        loop {
            let called = self.shared.called.notified();
            tokio::pin!(called);
            called.as_mut().enable();
            let calls = self.calls();
            if calls.len() >= count {
                return calls;
            }
            called.await;
        }
    }

    /// Serves until `shutdown`.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_ended) = connections.join_next() => {}
                accepted = listener.accept(), if connections.len() < CONNECTIONS => {
                    if let Ok((stream, _)) = accepted {
                        let network = self.clone();
                        connections.spawn(async move { network.connection(stream).await });
                    }
                }
            }
        }
        connections.shutdown().await;
    }

    async fn connection(&self, mut stream: TcpStream) -> io::Result<()> {
        let head = tokio::time::timeout(PATIENCE, read_head(&mut stream)).await??;
        let Some(call) = parse(&head) else {
            return answer(&mut stream, 400, "", "bad request").await;
        };
        let (manner, verdict) = self.take(call);
        misbehave(&mut stream, manner, &verdict).await
    }

    /// Records a call, with what the network makes of it.
    fn take(&self, mut call: Call) -> (Manner, String) {
        let taken = self.state(|state| {
            let manner = if state.next.is_empty() {
                state.always.clone().unwrap_or(Manner::Honest)
            } else {
                state.next.remove(0)
            };
            let counts = !matches!(manner, Manner::Busy(..) | Manner::Redirect(_));
            let verdict = if counts {
                state.books.judge(&call)
            } else {
                String::new()
            };
            call.verdict.clone_from(&verdict);
            if state.calls.len() >= CALLS {
                state.calls.remove(0);
            }
            state.calls.push(call);
            (manner, verdict)
        });
        self.shared.called.notify_waiters();
        taken
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        let state = self.shared.state.lock();
        look(&mut state.unwrap_or_else(PoisonError::into_inner))
    }
}

/// Up to the empty line.
async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_LIMIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn parse(head: &[u8]) -> Option<Call> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let mut request = lines.next()?.split(' ');
    let (method, target) = (request.next()?, request.next()?);
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let query = target.split_once('?').map_or("", |(_, query)| query);
    Some(Call {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: headers.collect(),
        parameters: crate::message::form::pairs(query),
        verdict: String::new(),
    })
}

async fn misbehave(stream: &mut TcpStream, manner: Manner, verdict: &str) -> io::Result<()> {
    match manner {
        Manner::Honest => answer(stream, 200, "", verdict).await,
        Manner::Say(words) => answer(stream, 200, "", &words).await,
        Manner::Busy(status, None) => answer(stream, status, "", "busy").await,
        Manner::Busy(status, Some(after)) => {
            let field = format!("Retry-After: {after}\r\n");
            answer(stream, status, &field, "busy").await
        }
        Manner::Redirect(to) => {
            let field = format!("Location: {to}\r\n");
            answer(stream, 302, &field, "").await
        }
        // The caller ends it.
        Manner::Hang => stream.read_u8().await.map(drop),
        Manner::Close => Ok(()),
        Manner::Reset => socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO)),
        Manner::Cut => {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(verdict.as_bytes()).await
        }
        Manner::Flood => {
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{verdict}\n");
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(&[b'x'; 4096]).await?;
            }
        }
    }
}

async fn answer(stream: &mut TcpStream, status: u16, fields: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: text/html; charset=utf-8\r\n{fields}\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}
