//! A sheet: a CSV file (RFC 4180) as a spreadsheet or a network wrote it, read row by row. What it takes of memory
//! is bounded by [`ROW`], however long the file is and wherever a quote is left open.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use crate::inert;

/// Longest row in bytes.
pub const ROW: u64 = 1 << 20;

/// How much of the file is looked at to see what it is.
const PEEK: u64 = 64 * 1024;

/// What may stand between two cells; of equally many the first one does.
const BETWEEN: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A file's beginning that was looked at, and its rest.
type Whole<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// A CSV file with its column names in the first row.
pub struct Sheet<R> {
    reader: csv::Reader<Bounded<Whole<R>>>,
    head: Vec<String>,
    record: StringRecord,
    /// Lines before the first row.
    before: u64,
}

/// Why a file is no sheet, or a row of it no row.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// Spreadsheets write it where they are asked for "Unicode text".
    #[error("it is UTF-16: save it as CSV in UTF-8")]
    Utf16,
    /// A workbook, which is a ZIP archive.
    #[error("it is a workbook, not CSV: save the sheet as CSV in UTF-8")]
    Workbook,
    /// There is no row in it.
    #[error("it is empty: its first line must name the columns")]
    Empty,
    /// Another charset.
    #[error("line {0} is not UTF-8: save the file as CSV in UTF-8")]
    Utf8(u64),
    /// A quote that is not closed, as a rule.
    #[error("the row at line {0} is longer than {ROW} bytes: is a quote left open?")]
    Long(u64),
    /// A cell too many or too few: all behind it would be read as another column's.
    #[error("line {line} has {found} cells where the first line names {wanted} columns")]
    Cells {
        /// Where.
        line: u64,
        /// As many as there are names.
        wanted: usize,
        /// As many as it has.
        found: usize,
    },
    /// Anything else.
    #[error("it cannot be read as CSV")]
    Csv(#[from] csv::Error),
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The line of the file at which it begins, from 1.
    pub line: u64,
    cells: &'a StringRecord,
}

impl Row<'_> {
    /// The cell in that column, trimmed, without what spreadsheets put around a text that they shall leave alone
    /// (`="0123"`, or an apostrophe before what begins like a formula).
    pub fn cell(&self, column: usize) -> &str {
        let cell = self.cells.get(column).unwrap_or_default().trim();
        let text = cell.strip_prefix("=\"");
        let text = text.and_then(|text| text.strip_suffix('"'));
        text.unwrap_or_else(|| inert::from_csv(cell)).trim()
    }

    /// Whether every cell is empty.
    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(|cell| cell.trim().is_empty())
    }
}

impl Sheet<File> {
    /// Opens a file. What stands between two cells is found in its first line, unless it is given.
    ///
    /// # Errors
    /// It cannot be read, or is no CSV.
    pub fn open(path: &Path, delimiter: Option<u8>) -> Result<Self, Fault> {
        Self::read(File::open(path)?, delimiter)
    }
}

impl<R: Read> Sheet<R> {
    /// The same from anywhere.
    ///
    /// # Errors
    /// As [`Sheet::open`].
    pub fn read(mut input: R, delimiter: Option<u8>) -> Result<Self, Fault> {
        let mut begins = Vec::new();
        input.by_ref().take(PEEK).read_to_end(&mut begins)?;
        look(&begins)?;
        if begins.starts_with(b"\xef\xbb\xbf") {
            begins.drain(..3);
        }
        let (stated, skip) = stated(&begins);
        begins.drain(..skip);
        let delimiter = delimiter.or(stated);
        let delimiter = delimiter.unwrap_or_else(|| between(&begins));
        let input = Bounded {
            input: Cursor::new(begins).chain(input),
            left: ROW,
            last: b'\n',
        };
        let mut sheet = Self {
            reader: ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(delimiter)
                .from_reader(input),
            head: Vec::new(),
            record: StringRecord::new(),
            before: u64::from(skip > 0),
        };
        let Some(head) = sheet.row()? else {
            return Err(Fault::Empty);
        };
        let names = head.cells.iter().map(|name| name.trim().to_owned());
        sheet.head = names.collect();
        Ok(sheet)
    }

    /// The names of the columns, trimmed.
    pub fn head(&self) -> &[String] {
        &self.head
    }

    /// The next row; none at the end.
    ///
    /// # Errors
    /// The row is none. Those behind it are not read.
    pub fn row(&mut self) -> Result<Option<Row<'_>>, Fault> {
        self.reader.get_mut().left = ROW;
        let at = self.before + self.reader.position().line();
        let more = self.reader.read_record(&mut self.record);
        if !more.map_err(|error| fault(at, error))? {
            return Ok(None);
        }
        let line = self.line();
        let (wanted, found) = (self.head.len(), self.record.len());
        if wanted > 0 && wanted != found {
            return Err(Fault::Cells {
                line,
                wanted,
                found,
            });
        }
        let cells = &self.record;
        Ok(Some(Row { line, cells }))
    }

    /// Where the row that was read begins: empty lines before it do not belong to it.
    fn line(&self) -> u64 {
        let within = self.record.iter().map(|cell| cell.matches('\n').count());
        let within = u64::try_from(within.sum::<usize>()).unwrap_or(0);
        let behind = self.before + self.reader.position().line();
        behind.saturating_sub(within + 1)
    }
}

impl<R> std::fmt::Debug for Sheet<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sheet").field("head", &self.head).finish()
    }
}

fn fault(line: u64, error: csv::Error) -> Fault {
    match error.kind() {
        ErrorKind::Utf8 { .. } => Fault::Utf8(line),
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => Fault::Long(line),
        _ => Fault::Csv(error),
    }
}

/// Gives so much of the input and no more, until more is granted; every line of it ends with a line feed, the last one too.
struct Bounded<R> {
    input: R,
    left: u64,
    /// The last byte that was read.
    last: u8,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.left == 0 {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            let read = self.input.by_ref().take(self.left).read(buffer)?;
            self.left -= u64::try_from(read).unwrap_or(self.left);
            let Some(found) = buffer.get(..read).filter(|found| !found.is_empty()) else {
                return self.end(buffer);
            };
            let text = self.lines(found);
            if !text.is_empty() {
                let kept = buffer.iter_mut().zip(&text);
                kept.for_each(|(place, byte)| *place = *byte);
                return Ok(text.len());
            }
        }
    }
}

impl<R> Bounded<R> {
    /// A carriage return ends a line as well as a line feed, and the two together end one.
    fn lines(&mut self, found: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(found.len());
        for &byte in found {
            match (self.last, byte) {
                (b'\r', b'\n') => {}
                (_, b'\r') => text.push(b'\n'),
                (_, byte) => text.push(byte),
            }
            self.last = byte;
        }
        text
    }

    fn end(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let open = !matches!(self.last, b'\n' | b'\r');
        let Some(first) = buffer.first_mut().filter(|_| open) else {
            return Ok(0);
        };
        (*first, self.last) = (b'\n', b'\n');
        Ok(1)
    }
}

/// What it is not.
fn look(begins: &[u8]) -> Result<(), Fault> {
    let utf16 = begins.starts_with(b"\xff\xfe") || begins.starts_with(b"\xfe\xff");
    if utf16 || begins.iter().take(512).any(|byte| *byte == 0) {
        return Err(Fault::Utf16);
    }
    if begins.starts_with(b"PK\x03\x04") {
        return Err(Fault::Workbook);
    }
    Ok(())
}

/// What the first line says of itself, as Excel writes it (`sep=;`), and how long that line is.
fn stated(begins: &[u8]) -> (Option<u8>, usize) {
    let line = begins.split_inclusive(|byte| *byte == b'\n').next();
    let line = line.unwrap_or_default();
    match line.trim_ascii() {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', between] => (Some(*between), line.len()),
        _ => (None, 0),
    }
}

/// What parts the first row into most cells.
fn between(begins: &[u8]) -> u8 {
    let line = begins.split(|byte| matches!(byte, b'\n' | b'\r')).next();
    let cells = |between: u8| {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .delimiter(between)
            .from_reader(line.unwrap_or_default());
        let first = reader.byte_records().next();
        first.and_then(Result::ok).map_or(0, |row| row.len())
    };
    // The last of equals is taken.
    let most = BETWEEN.into_iter().rev().max_by_key(|one| cells(*one));
    most.unwrap_or(b',')
}

#[cfg(test)]
mod tests;
