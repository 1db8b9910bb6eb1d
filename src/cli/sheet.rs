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
        wanted: u64,
        /// As many as it has.
        found: u64,
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
        text.map_or_else(|| inert::from_csv(cell), str::trim)
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
        };
        let mut sheet = Self {
            reader: ReaderBuilder::new()
                .has_headers(false)
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
        let at = self.reader.position().line();
        let more = self.reader.read_record(&mut self.record);
        let more = more.map_err(|error| self.fault(at, error))?;
        let line = self.record.position().map_or(at, csv::Position::line);
        Ok(more.then_some(Row {
            line: self.before + line,
            cells: &self.record,
        }))
    }

    fn fault(&self, at: u64, error: csv::Error) -> Fault {
        let line = |pos: &Option<csv::Position>| {
            self.before + pos.as_ref().map_or(at, csv::Position::line)
        };
        match error.kind() {
            ErrorKind::Utf8 { pos, .. } => Fault::Utf8(line(pos)),
            ErrorKind::UnequalLengths {
                pos,
                expected_len,
                len,
            } => Fault::Cells {
                line: line(pos),
                wanted: *expected_len,
                found: *len,
            },
            ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Fault::Long(line(&None))
            }
            _ => Fault::Csv(error),
        }
    }
}

impl<R> std::fmt::Debug for Sheet<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sheet").field("head", &self.head).finish()
    }
}

/// Gives so much of the input and no more, until more is granted.
struct Bounded<R> {
    input: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.input.by_ref().take(self.left).read(buffer)?;
        self.left -= u64::try_from(read).unwrap_or(self.left);
        Ok(read)
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
    let line = begins.split(|byte| *byte == b'\n').next();
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(bytes: &[u8]) -> Result<Vec<(u64, Vec<String>)>, Fault> {
        let mut sheet = Sheet::read(bytes, None)?;
        let columns = sheet.head().len();
        let mut rows = vec![(0, sheet.head().to_vec())];
        while let Some(row) = sheet.row()? {
            let cells = (0..columns).map(|at| row.cell(at).to_owned());
            rows.push((row.line, cells.collect()));
        }
        Ok(rows)
    }

    #[test]
    fn what_stands_between_the_cells_is_found() {
        for text in [
            "a,b\n1,\"2;3\"\n",
            "\u{feff}a;b\r\n1;\"2;3\"\r\n",
            "a\tb\n1\t2;3\n",
            "\"a\"|\"b\"\n1|2;3",
            "sep=;\na;b\n1;\"2;3\"",
        ] {
            let rows = rows(text.as_bytes()).unwrap();
            assert_eq!(rows[0].1, ["a", "b"], "{text}");
            assert_eq!(rows[1].1, ["1", "2;3"], "{text}");
        }
        assert_eq!(rows(b"sep=;\na;b\n1;2\n").unwrap()[1].0, 3);
        assert_eq!(rows(b"a;b,c\n").unwrap()[0].1, ["a;b", "c"]);
    }

    #[test]
    fn what_spreadsheets_put_around_a_text_is_taken_away() {
        let text = "a,b,c,d\n\"=\"\"0123\"\"\", '=1 ,'tis,\"two\nlines\"\n1,2,3,4\n";
        let rows = rows(text.as_bytes()).unwrap();
        assert_eq!(
            rows[1],
            (
                2,
                vec![
                    "0123".into(),
                    "=1".into(),
                    "'tis".into(),
                    "two\nlines".into()
                ]
            )
        );
        assert_eq!(rows[2].0, 4);
    }

    #[test]
    fn what_is_no_sheet_says_what_it_is() {
        let said = |bytes: &[u8]| rows(bytes).unwrap_err().to_string();
        let utf16: Vec<u8> = "\u{feff}a,b"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(said(&utf16).contains("UTF-16"));
        assert!(said(utf16.get(2..).unwrap()).contains("UTF-16"));
        assert!(said(b"PK\x03\x04xyz").contains("workbook"));
        assert!(said(b"").contains("empty"));
        assert!(said(b"a,b\n1,2\n1,\xe9\n").starts_with("line 3 is not UTF-8"));
        assert_eq!(
            said(b"a,b\n1,2\n1,2,3\n"),
            "line 3 has 3 cells where the first line names 2 columns"
        );
    }

    #[test]
    fn a_quote_that_is_left_open_ends_at_the_limit() {
        let long = usize::try_from(ROW).unwrap();
        let text = format!("a\n1\n\"{}", "x".repeat(long * 2));
        let fault = rows(text.as_bytes()).unwrap_err();
        assert!(matches!(fault, Fault::Long(3)), "{fault}");
        let text = format!("a\n{}\n2\n", "x".repeat(long / 2));
        assert_eq!(rows(text.as_bytes()).unwrap()[2].1, ["2"]);
    }

    proptest! {
        #[test]
        fn whatever_is_in_a_cell_it_is_read_as_it_was_written(
            cells in prop::collection::vec(prop::collection::vec("[ -~äß€]{0,12}", 3), 1..8),
            delimiter in prop::sample::select(&BETWEEN[..]),
        ) {
            let between = char::from(delimiter).to_string();
            let line = |cells: &Vec<String>| {
                let cells: Vec<_> = cells.iter().map(|cell| inert::csv(cell)).collect();
                cells.join(&between)
            };
            let lines: Vec<_> = cells.iter().map(line).collect();
            let text = format!("a{between}b{between}c\n{}\n", lines.join("\n"));
            let read = rows(text.as_bytes()).unwrap();
            prop_assert_eq!(read.len(), cells.len() + 1);
            for ((_, read), cells) in read[1..].iter().zip(&cells) {
                for (read, cell) in read.iter().zip(cells) {
                    prop_assert_eq!(read.trim(), cell.trim());
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            drop(rows(&bytes));
        }
    }
}
