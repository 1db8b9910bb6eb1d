//! Sheets as spreadsheets and networks write them, and bytes that are none.

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
    for text in [
        "a,b\r\n\r\n1,\"2\r\n3\"\r\n4,5\r\n",
        "a,b\n\n1,\"2\n3\"\n4,5",
        "a,b\r\r1,\"2\r3\"\r4,5",
    ] {
        let lines: Vec<u64> = rows(text.as_bytes())
            .unwrap()
            .iter()
            .map(|row| row.0)
            .collect();
        assert_eq!(lines, [0, 3, 5], "{text:?}");
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
