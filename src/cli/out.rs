//! Where a command's answer goes: what strangers wrote into it does nothing to a terminal.
//!
//! Each place that shows such a text makes it inert by itself, ends of lines too; this is the second
//! look, at everything that is written.

use std::io::{self, Write};

use crate::inert;

/// Passes on what is written, inert.
#[derive(Debug)]
pub struct Inert<W> {
    writer: W,
    /// Whether it must stay JSON.
    json: bool,
}

impl<W: Write> Inert<W> {
    /// Before `writer`.
    pub const fn new(writer: W, json: bool) -> Self {
        Self { writer, json }
    }
}

impl<W: Write> Write for Inert<W> {
    /// Texts come whole, as they are formatted piece by piece.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let safe = match self.json {
            true => inert::json(&text),
            false => inert::lines(&text),
        };
        self.writer.write_all(safe.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_does_nothing_to_a_terminal() {
        let written = |json| {
            let mut written = Vec::new();
            let mut out = Inert::new(&mut written, json);
            let (one, other) = ("a\u{1b}[2J", "b\u{202e}\r");
            writeln!(out, "{one} {other}").unwrap();
            write!(out, "one\ttwo\r\n").unwrap();
            String::from_utf8(written).unwrap()
        };
        assert_eq!(written(false), "a\\u{1b}[2J b\\u{202e}\\r\none\ttwo\r\n");
        assert!(written(true).starts_with("a\\u001b[2J b\\u202e"));
    }
}
