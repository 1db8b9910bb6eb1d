//! Access: one line for each request, when its response has ended.
//!
//! An [`Entry`] begins with the request and writes its line when it is let go: whoever has the
//! response's body holds it until that has ended. Where no log is kept there is no entry, and
//! nothing of this runs.
//!
//! A line has neither cookies nor any other field that a shopper's browser sent; its target is the
//! one that the shop saw, without our parameter.

mod line;

use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{Method, Version};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

use crate::clock::Time;
use crate::message::{RequestHead, ResponseHead, Target};
use crate::name::StoreName;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The Common Log Format.
    Common,
    /// One JSON object.
    Json,
}

/// Lines that wait for their reader; what comes beyond them is dropped and counted.
const WAITING: usize = 100_000;

/// Where lines go.
#[derive(Clone, Debug)]
pub struct Log {
    format: Format,
    lines: NonBlocking,
    /// Writes what waits when the last one is dropped.
    _guard: Arc<WorkerGuard>,
}

/// One request, until its response has ended.
#[derive(Debug)]
pub struct Entry {
    log: Log,
    began: Instant,
    line: Line,
}

/// What a line tells.
#[derive(Debug)]
struct Line {
    at: Time,
    client: IpAddr,
    method: Method,
    target: Target,
    version: Version,
    host: Option<Box<str>>,
    store: Option<StoreName>,
    request_id: Option<Box<str>>,
    /// None: the client went away before there was a response.
    status: Option<u16>,
    /// Of the response's body, as it was handed to the client's connection.
    bytes: u64,
    /// Whether the body came to its end.
    complete: bool,
}

impl Log {
    /// Lines to `writer`, written by a thread of its own: whoever reads them holds up no shopper.
    ///
    /// # Panics
    /// The system gives no thread.
    pub fn new(format: Format, writer: impl Write + Send + 'static) -> Self {
        let builder = NonBlockingBuilder::default()
            .lossy(true)
            .thread_name("access-log")
            .buffered_lines_limit(WAITING);
        let (lines, guard) = builder.finish(BufWriter::with_capacity(64 * 1024, writer));
        Self {
            format,
            lines,
            _guard: Arc::new(guard),
        }
    }

    /// Lines to standard output.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn to_stdout(format: Format) -> Self {
        Self::new(format, io::stdout())
    }

    /// The same writer, for lines of this format.
    #[must_use]
    pub fn with(&self, format: Format) -> Self {
        Self {
            format,
            ..self.clone()
        }
    }

    /// How many lines were dropped because nobody read fast enough.
    pub fn dropped(&self) -> ErrorCounter {
        self.lines.error_counter()
    }

    /// A request that has come. `client` is who asks, as far as that is believed.
    pub fn begin(&self, client: IpAddr, head: &RequestHead, now: Time) -> Box<Entry> {
        Box::new(Entry {
            log: self.clone(),
            began: Instant::now(),
            line: Line {
                at: now,
                client,
                method: head.method.clone(),
                target: head.target.clone(),
                version: head.version,
                host: None,
                store: None,
                request_id: None,
                status: None,
                bytes: 0,
                complete: false,
            },
        })
    }
}

impl Entry {
    /// Where it goes: the host as it was asked for, and the store that has it.
    pub fn routed(&mut self, host: &str, store: &StoreName) {
        self.line.host = Some(host.into());
        self.line.store = Some(store.clone());
    }

    /// What the shop is asked.
    pub fn asks(&mut self, target: &Target) {
        if self.line.target != *target {
            self.line.target = target.clone();
        }
    }

    /// By which id the shop's own log knows it.
    pub fn named(&mut self, request_id: &str) {
        self.line.request_id = Some(request_id.into());
    }

    /// What is answered.
    pub fn answered(&mut self, head: &ResponseHead) {
        let status = head.status.as_u16();
        self.line.status = Some(status);
        // RFC 9112 §6.3: these have no body, whatever their fields say.
        let bodiless = matches!(status, 100..200 | 204 | 304);
        self.line.complete |= bodiless || self.line.method == Method::HEAD;
    }

    /// What went to the client of the response's body, and whether it came to its end.
    pub fn ended(&mut self, bytes: u64, complete: bool) {
        self.line.bytes = bytes;
        self.line.complete |= complete;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let mut text = Vec::with_capacity(256);
        match self.log.format {
            Format::Common => line::common(&self.line, &mut text),
            Format::Json => line::json(&self.line, took, &mut text),
        }
        text.push(b'\n');
        // Never an error: what finds no room is counted.
        self.log.lines.write_all(&text).ok();
    }
}

#[cfg(test)]
mod tests;
