//! Where the log goes and how it looks.
//!
//! Every event is one line, whatever strangers wrote into it: an order's id, a page, a network's
//! answer can neither begin another line nor do anything to a terminal. That is seen to in one
//! place, where the line is written.

use std::io::{self, Write};

use clap::ValueEnum;
use tracing::Subscriber;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::inert;

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
    // A second subscriber in one process (tests) is of no consequence: the first stays.
    let _already_started = subscriber(format, filter, writer).try_init();
    Ok(Guard(guard))
}

/// What makes lines of events, and writes each with one call.
fn subscriber<W>(format: Format, filter: EnvFilter, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines { writer, format });
    match format {
        Format::Text => Box::new(lines.with_ansi(false).finish()),
        Format::Json => Box::new(lines.json().flatten_event(true).finish()),
        Format::Plain => Box::new(
            lines
                .without_time()
                .with_level(false)
                .with_target(false)
                .with_ansi(false)
                .finish(),
        ),
    }
}

/// Makes each line inert.
struct Lines<W> {
    writer: W,
    format: Format,
}

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Lines<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        Line {
            writer: self.writer.make_writer(),
            format: self.format,
        }
    }
}

struct Line<W> {
    writer: W,
    format: Format,
}

impl<W: Write> Write for Line<W> {
    /// A whole event comes in one call.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let (line, end) = match text.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (&*text, ""),
        };
        let safe = match self.format {
            Format::Json => inert::json(line).into_owned(),
            Format::Text | Format::Plain => inert::inert(line),
        };
        self.writer.write_all(format!("{safe}{end}").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;
    use tracing::warn;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a stranger could write: a line of its own, a cleared screen, a text that runs backwards.
    const EVIL: &str = "1001\n2026-11-23T00:00:00Z ERROR refgate: all is lost\r\u{1b}[2J\u{9b}31m\u{202e}\u{2028}\u{85}x";

    fn logged(format: Format) -> String {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = subscriber(format, EnvFilter::new("info"), move || writer.clone());
        with_default(subscriber, || {
            warn!(order.id = %EVIL, words = EVIL, debug = ?EVIL, "seen {EVIL}");
            warn!("second");
        });
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_one_line_whatever_strangers_wrote() {
        for format in [Format::Text, Format::Json, Format::Plain] {
            let text = logged(format);
            let [first, second] = text.lines().collect::<Vec<_>>()[..] else {
                panic!("{text:?}")
            };
            assert!(second.contains("second"), "{second}");
            assert!(!first.chars().any(inert::acts), "{first:?}");
            assert!(first.contains("all is lost"), "{first}");
        }
    }

    #[test]
    fn a_line_of_json_is_the_same_value() {
        let text = logged(Format::Json);
        let first = text.lines().next().unwrap();
        let value: serde_json::Value = serde_json::from_str(first).unwrap();
        assert_eq!(value["order.id"], EVIL);
        assert_eq!(value["message"], format!("seen {EVIL}"));
    }
}
