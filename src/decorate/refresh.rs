//! Where the address stands in `<meta http-equiv=refresh content="…">`.

use std::ops::Range;

/// The place of the address in a decoded `content`; none if there is none
/// (WHATWG HTML §4.2.5.3, "shared declarative refresh steps").
pub(super) fn address(content: &str) -> Option<Range<usize>> {
    let rest = spaces(content);
    let time = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    if time.len() == rest.len() && !rest.starts_with('.') {
        return None;
    }
    let rest = time.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if !rest.starts_with([';', ',']) && spaces(rest).len() == rest.len() {
        return None;
    }
    let rest = spaces(rest);
    let rest = spaces(rest.strip_prefix([';', ',']).unwrap_or(rest));
    let (quote, rest) = match named(rest) {
        Some(rest) if rest.starts_with(['"', '\'']) => rest.split_at_checked(1)?,
        Some(rest) => ("", rest),
        None => ("", rest),
    };
    let address = match quote {
        "" => rest,
        _ => rest.split_once(quote).map_or(rest, |(address, _)| address),
    };
    let start = content.len() - rest.len();
    Some(start..start + address.len())
}

/// What follows `url=`.
fn named(rest: &str) -> Option<&str> {
    let (name, rest) = rest.split_at_checked(3)?;
    let rest = spaces(rest).strip_prefix('=')?;
    name.eq_ignore_ascii_case("url").then(|| spaces(rest))
}

fn spaces(text: &str) -> &str {
    text.trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_where_browsers_find_it() {
        for (content, expected) in [
            ("0; url=//a/", Some("//a/")),
            ("0;URL=//a/", Some("//a/")),
            (" 12.5 ,\tUrl\n= //a/", Some("//a/")),
            ("0 url=//a/", Some("//a/")),
            (".5; url='//a/ b' c", Some("//a/ b")),
            ("5;url=\"//a/'", Some("//a/'")),
            ("0;//a/", Some("//a/")),
            ("0; '//a/'", Some("'//a/'")),
            ("0; url = ", Some("")),
            ("0", None),
            ("", None),
            ("0x; url=//a/", None),
            ("-1; url=//a/", None),
            ("url=//a/", None),
        ] {
            let found = address(content).map(|range| content.get(range).unwrap());
            assert_eq!(found, expected, "{content}");
        }
    }
}
