//! Which characters a decoded body's bytes are.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use memchr::memmem;

/// How far into a page its `<meta charset>` is looked for, in bytes (WHATWG HTML §13.2.3.2).
const PRESCAN: usize = 1024;

/// The body as text: by its byte order mark, else the charset of `Content-Type`, else (HTML)
/// the one of `<meta>`, else UTF-8, the order in which browsers decide (WHATWG HTML §13.2.3).
/// Bytes that mean nothing become U+FFFD.
pub(crate) fn text<'b>(body: &'b [u8], content_type: &str) -> Cow<'b, str> {
    let labelled =
        parameter(content_type, "charset").and_then(|label| Encoding::for_label(label.as_bytes()));
    let encoding = labelled.or_else(|| {
        let head = body.get(..PRESCAN).unwrap_or(body);
        is_html(content_type).then(|| meta(head)).flatten()
    });
    encoding.unwrap_or(UTF_8).decode(body).0
}

/// Whether character references are read in it: HTML, XML, or what says no type.
pub(super) fn is_html(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence.is_empty() || essence.ends_with("html") || essence.ends_with("xml")
}

/// The media type without parameters, in lower case.
pub(crate) fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

fn parameter<'t>(content_type: &'t str, name: &str) -> Option<&'t str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let is_it = key.trim().eq_ignore_ascii_case(name);
        is_it.then(|| value.trim().trim_matches(['"', '\'']))
    })
}

/// The charset that a page's head names: `<meta charset=…>`, or
/// `<meta http-equiv=content-type content="text/html; charset=…">`.
fn meta(head: &[u8]) -> Option<&'static Encoding> {
    let head = head.to_ascii_lowercase();
    memmem::find(&head, b"charset")?;
    let head = String::from_utf8_lossy(&head);
    let head = without_comments(&head);
    let mut rest = head.as_str();
    while let Some((_, after)) = rest.split_once("<meta") {
        let (tag, next) = after.split_once('>').unwrap_or((after, ""));
        rest = next;
        if let Some(encoding) = label(tag).and_then(|label| Encoding::for_label(label.as_bytes())) {
            // The bytes were readable as ASCII, so UTF-16 cannot be meant.
            let is_utf_16 = encoding.name().starts_with("UTF-16");
            return Some(if is_utf_16 { UTF_8 } else { encoding });
        }
    }
    None
}

fn label(tag: &str) -> Option<&str> {
    let (_, after) = tag.split_once("charset")?;
    let after = after.trim_start().strip_prefix('=')?.trim_start();
    let after = after.trim_start_matches(['"', '\'']);
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '/' | '>');
    Some(after.split(ends).next().unwrap_or_default())
}

fn without_comments(head: &str) -> String {
    let mut kept = String::new();
    let mut rest = head;
    while let Some((before, after)) = rest.split_once("<!--") {
        kept.push_str(before);
        rest = after.split_once("-->").map_or("", |(_comment, rest)| rest);
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charset_is_found_where_browsers_find_it() {
        let latin: &[u8] = b"<p>caf\xe9 \x80</p>";
        let meta = [b"<META charset=\"ISO-8859-1\">".as_slice(), latin].concat();
        let equiv = b"<meta http-equiv=content-type content='text/html; charset=windows-1252'>";
        let equiv = [equiv.as_slice(), latin].concat();
        let comment = [b"<!-- <meta charset=koi8-r> -->".as_slice(), &meta].concat();
        let late = [" ".repeat(1024).as_bytes(), &meta].concat();
        let bom = "\u{feff}<p>café €</p>".as_bytes();
        let cases: [(&str, &[u8], bool); 9] = [
            ("text/html; charset=iso-8859-1", latin, true),
            ("text/html;charset=\"windows-1252\"", latin, true),
            ("text/html", &meta, true),
            ("text/html; charset=nonsense", &meta, true),
            ("text/html", &equiv, true),
            ("text/html", &comment, true),
            ("text/html", &late, false),
            ("text/html; charset=iso-8859-1", bom, true),
            ("text/html", "<p>café €</p>".as_bytes(), true),
        ];
        for (content_type, body, readable) in cases {
            let text = text(body, content_type);
            assert_eq!(text.contains("café €"), readable, "{content_type}: {text}");
        }
    }

    #[test]
    fn a_page_that_calls_itself_utf_16_in_ascii_is_utf_8() {
        let page = "<meta charset=utf-16><p>café</p>";
        assert_eq!(text(page.as_bytes(), "text/html"), page);
    }

    #[test]
    fn bytes_that_mean_nothing_are_replaced() {
        assert_eq!(text(b"a\xff", "text/html; charset=utf-8"), "a\u{fffd}");
    }
}
