//! A raw socket with a time limit: the client's side, or the shop's.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::message::Message;

/// Nothing on loopback takes longer; a test that waits in vain ends with words.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What bytes go through: the socket itself, or TLS on it.
pub(crate) trait Bytes: Read + Write + Send {}

impl<T: Read + Write + Send> Bytes for T {}

/// One connection and every byte that came in on it.
pub(crate) struct Wire {
    stream: TcpStream,
    bytes: Box<dyn Bytes>,
    /// TLS ended without saying so.
    pub(crate) truncated: bool,
    /// What came and was not yet asked for.
    ahead: Vec<u8>,
    /// All that ever came.
    pub(crate) seen: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        let bytes = stream.try_clone().unwrap();
        Self::through(stream, bytes)
    }

    /// Bytes go through `bytes`, which is on top of `stream`.
    pub(crate) fn through(stream: TcpStream, bytes: impl Bytes + 'static) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            bytes: Box::new(bytes),
            truncated: false,
            ahead: Vec::new(),
            seen: Vec::new(),
        }
    }

    pub(crate) fn to(addr: SocketAddr) -> Self {
        Self::new(TcpStream::connect(addr).unwrap())
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        assert!(self.try_say(bytes), "nobody reads on");
    }

    /// Like `say`, where the other side may be gone already.
    pub(crate) fn try_say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.bytes.write_all(bytes.as_ref()).is_ok() && self.bytes.flush().is_ok()
    }

    /// No more from us; the other way stays open.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Up to and including `end`; what came until the connection's end, if that comes first.
    pub(crate) fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            let found = self.ahead.windows(end.len()).position(|part| part == end);
            if let Some(at) = found {
                return self.ahead.drain(..at + end.len()).collect();
            }
            if !self.more() {
                return std::mem::take(&mut self.ahead);
            }
        }
    }

    pub(crate) fn head(&mut self) -> Vec<u8> {
        self.until(b"\r\n\r\n")
    }

    pub(crate) fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.ahead.len() < length {
            assert!(
                self.more(),
                "{} of {length} bytes, then the end",
                self.ahead.len()
            );
        }
        self.ahead.drain(..length).collect()
    }

    /// What is there, at most `limit`; call after `is_over` said no.
    pub(crate) fn ahead_or_one(&mut self, limit: usize) -> Vec<u8> {
        let length = self.ahead.len().min(limit);
        self.ahead.drain(..length).collect()
    }

    /// Everything to the connection's end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.ahead)
    }

    /// One message as it is framed; `bodiless` for the answer to HEAD.
    pub(crate) fn message(&mut self, bodiless: bool) -> Message {
        let head = self.head();
        assert!(
            head.ends_with(b"\r\n\r\n"),
            "no head: {:?}",
            String::from_utf8_lossy(&head)
        );
        Message::read(&head, bodiless, self)
    }

    /// False at the end, clean or not.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 65536];
        match self.bytes.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.seen.extend_from_slice(&buffer[..length]);
                self.ahead.extend_from_slice(&buffer[..length]);
                true
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
                ) =>
            {
                false
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.truncated = true;
                false
            }
            Err(error) => panic!(
                "{error} after {:?}",
                String::from_utf8_lossy(&self.ahead[..self.ahead.len().min(500)])
            ),
        }
    }

    /// Whether the other side has closed, cleanly or by reset, and sent nothing more.
    pub(crate) fn is_over(&mut self) -> bool {
        self.ahead.is_empty() && !self.more()
    }

    /// Reads to the end; true if it was a reset.
    pub(crate) fn ends_by_reset(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.bytes.read_to_end(&mut rest) {
            Ok(_) => false,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}
