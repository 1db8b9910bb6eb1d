//! Where the log goes and how it looks.

use std::io;

use clap::ValueEnum;
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

/// Sends events to standard error (plain ones, as the demo's result, to standard output).
///
/// # Errors
/// A filter that cannot be understood.
pub fn start(format: Format, filter: &str) -> Result<(), Error> {
    let filter = EnvFilter::try_new(filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter);
    // A second subscriber in one process (tests) is of no consequence: the first stays.
    let _already_started = match format {
        Format::Text => lines.with_writer(io::stderr).with_ansi(false).try_init(),
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_writer(io::stderr)
            .try_init(),
        Format::Plain => lines
            .without_time()
            .with_level(false)
            .with_target(false)
            .with_ansi(false)
            .with_writer(io::stdout)
            .try_init(),
    };
    Ok(())
}
