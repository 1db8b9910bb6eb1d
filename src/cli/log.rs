//! Where the log goes and how it looks.

use std::io;

use clap::ValueEnum;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
    /// The message and its fields alone, as in the demo.
    Plain,
}

/// A filter that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("--log takes a level (error, warn, info, debug, trace) or a list of module=level")]
pub struct Error(#[from] tracing_subscriber::filter::ParseError);

/// Lines that wait for the log's reader; what comes beyond them is dropped.
const WAITING: usize = 10_000;

/// Writes what waits when it is dropped.
#[must_use]
#[derive(Debug)]
pub struct Guard(#[expect(dead_code, reason = "it is there to be dropped")] WorkerGuard);

/// Sends events to standard error (plain ones, as the demo's result, to standard output).
///
/// A thread of its own writes them: a pipe that nobody reads must not stop a shopper.
///
/// # Errors
/// A filter that cannot be understood.
pub fn start(format: Format, filter: &str) -> Result<Guard, Error> {
    let filter = EnvFilter::try_new(filter)?;
    let builder = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING);
    let (writer, guard) = match format {
        Format::Plain => builder.finish(io::stdout()),
        Format::Text | Format::Json => builder.finish(io::stderr()),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    // A second subscriber in one process (tests) is of no consequence: the first stays.
    let _already_started = match format {
        Format::Text => lines.with_ansi(false).try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
        Format::Plain => lines
            .without_time()
            .with_level(false)
            .with_target(false)
            .with_ansi(false)
            .try_init(),
    };
    Ok(Guard(guard))
}
