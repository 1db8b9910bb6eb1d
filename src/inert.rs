//! Strangers' texts made harmless where a person, a terminal or a spreadsheet reads them.

use std::borrow::Cow;

/// A text with everything escaped that a terminal would act on: see [`acts`].
pub fn inert(text: &str) -> String {
    escaped(text, acts, debug).into_owned()
}

/// The same, but for tabs and the ends of lines: of a text that is several lines by itself.
pub fn lines(text: &str) -> Cow<'_, str> {
    let safe = |line| escaped(line, |c| !matches!(c, '\n' | '\t') && acts(c), debug);
    if !text.contains("\r\n") {
        return safe(text);
    }
    let lines: Vec<Cow<'_, str>> = text.split("\r\n").map(safe).collect();
    Cow::Owned(lines.join("\r\n"))
}

/// JSON with everything escaped that a terminal would act on; it stays the same value. The ends of
/// lines are its own, as a serializer escapes those in its strings.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c| c != '\n' && acts(c),
        |c, safe| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        },
    )
}

/// A text as one cell of CSV (RFC 4180), in quotes, which a spreadsheet shows and does not work out.
///
/// A cell that begins like a formula gets an apostrophe before it: spreadsheets take that for "a text"
/// (OWASP, CSV injection). Spaces before it do not help an attacker: some programs trim them.
pub fn csv(text: &str) -> String {
    let mark = if is_formula(text) { "'" } else { "" };
    format!("\"{mark}{}\"", inert(text).replace('"', "\"\""))
}

/// What [`csv()`] was given, of the cell as a reader of CSV has it; what it escaped stays so.
pub fn from_csv(cell: &str) -> &str {
    let rest = cell.strip_prefix('\'');
    rest.filter(|rest| is_formula(rest)).unwrap_or(cell)
}

/// Whether a text begins like a formula; also behind apostrophes, so that one can be put before it and taken away again.
fn is_formula(text: &str) -> bool {
    let first = text.chars().find(|c| !matches!(c, ' ' | '\''));
    first.is_some_and(|c| {
        matches!(
            c,
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'
        )
    })
}

/// Whether a character does something where it is shown: control characters, line separators, and
/// those that turn or hide what stands beside them (Unicode's default-ignorable and bidirectional ones).
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn escaped(
    text: &str,
    acts: impl Fn(char) -> bool,
    escape: impl Fn(char, &mut String),
) -> Cow<'_, str> {
    if !text.chars().any(&acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            escape(c, &mut safe);
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

fn debug(c: char, safe: &mut String) {
    safe.extend(c.escape_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_escaped() {
        assert_eq!(inert("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(inert("two\r\nlines\u{9b}"), "two\\r\\nlines\\u{9b}");
        assert_eq!(inert("1\u{202e}5"), "1\\u{202e}5");
        assert_eq!(inert("Grüße, 1 249,95 €"), "Grüße, 1 249,95 €");
        assert_eq!(
            lines("one\r\ntwo\tx\r\u{9b}\n"),
            "one\r\ntwo\tx\\r\\u{9b}\n"
        );
    }

    #[test]
    fn json_stays_the_same_value() {
        let text = "a\u{1b}\u{9b}\u{202e}\u{e0041}\n\"".to_owned();
        let written = serde_json::to_string_pretty(&[&text]).unwrap();
        let safe = json(&written);
        assert!(safe.is_ascii(), "{safe}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&safe).unwrap(), [text]);
    }

    #[test]
    fn a_spreadsheet_works_nothing_out() {
        for (text, cell) in [
            (
                "=HYPERLINK(\"http://x\",\"y\")",
                "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"",
            ),
            ("+1", "\"'+1\""),
            ("-2+3+cmd|' /C calc'!A0", "\"'-2+3+cmd|' /C calc'!A0\""),
            ("@SUM(1)", "\"'@SUM(1)\""),
            ("\t=1", "\"'\\t=1\""),
            ("\r=1", "\"'\\r=1\""),
            ("\n=1", "\"'\\n=1\""),
            ("  =1", "\"'  =1\""),
            ("＝1", "\"'＝1\""),
            ("1001", "\"1001\""),
            ("a,b;\"c\"", "\"a,b;\"\"c\"\"\""),
            ("two\nlines", "\"two\\nlines\""),
            ("", "\"\""),
            ("'=1", "\"''=1\""),
            ("it's", "\"it's\""),
        ] {
            assert_eq!(csv(text), cell);
            let read = cell.trim_matches('"').replace("\"\"", "\"");
            if !text.contains(acts) && !text.contains('"') {
                assert_eq!(from_csv(&read), text);
            }
        }
    }
}
