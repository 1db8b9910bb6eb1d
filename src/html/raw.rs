//! Where text ends that only an end tag of its own ends (WHATWG HTML §13.2.5.9 to §13.2.5.31).

use memchr::{memchr, memchr2};

use super::attributes::is_space;

/// How many bytes the text of an element `owner` has; nothing if no end tag follows.
pub(crate) fn text(bytes: &[u8], owner: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr(b'<', bytes.get(at..)?)?;
        let rest = bytes.get(at + 1..)?;
        if ends(rest, owner) {
            return Some(at);
        }
        at += 1;
    }
}

/// Whether an end tag of `owner` follows its `<`.
fn ends(rest: &[u8], owner: &[u8]) -> bool {
    rest.split_first()
        .is_some_and(|(slash, name)| *slash == b'/' && is_word(name, owner))
}

/// Whether `bytes` begin with a tag's name: `word`, and what ends it.
fn is_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes
        .split_at_checked(word.len())
        .is_some_and(|(name, behind)| {
            let end = behind.first();
            let ended = end.is_some_and(|byte| is_space(*byte) || matches!(byte, b'/' | b'>'));
            ended && name.eq_ignore_ascii_case(word)
        })
}

/// What `<!--` in a script does to its end tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// The next end tag ends it.
    None,
    /// After `<!--`: so it does, but a `<script>` comes first.
    Once,
    /// After `<!--` and `<script>`: the next end tag belongs to that one.
    Twice,
}

/// How many bytes the text of a `<script>` has.
///
/// A script that has `<!--` and then `<script` goes on after the next `</script>`: `escape` is how it
/// stands where the bytes begin, and then where they end.
///
/// # Errors
///
/// No end tag follows: after so many bytes it is to be looked for when there are more.
pub(crate) fn script(bytes: &[u8], escape: &mut Escape) -> Result<usize, usize> {
    const SCRIPT: &[u8] = b"script";
    // A slash before it, and what ends it.
    const LONGEST: usize = SCRIPT.len() + 2;
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let found = match escape {
            Escape::None => memchr(b'<', rest),
            Escape::Once | Escape::Twice => memchr2(b'<', b'-', rest),
        };
        at += found.ok_or(bytes.len())?;
        let rest = bytes.get(at + 1..).unwrap_or_default();
        if rest.len() < LONGEST {
            return Err(at);
        }
        if bytes.get(at) == Some(&b'-') {
            // `-->`: of the dashes the last two count.
            if rest.starts_with(b"->") {
                *escape = Escape::None;
            }
            at += 1;
            continue;
        }
        match escape {
            Escape::None | Escape::Once if ends(rest, SCRIPT) => return Ok(at),
            Escape::None if rest.starts_with(b"!--") => {
                *escape = Escape::Once;
                // Its dashes may be those of `-->` already: `<!-->`.
                at += 1;
            }
            Escape::Once if is_word(rest, SCRIPT) => *escape = Escape::Twice,
            Escape::Twice if ends(rest, SCRIPT) => *escape = Escape::Once,
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_tag_of_its_own_ends_text() {
        let cases = [
            ("a</title>", Some(1)),
            ("a</TITLE >", Some(1)),
            ("a</title/>", Some(1)),
            ("</title\n", Some(0)),
            ("a</titles>b</title>", Some(11)),
            ("a<b></b></ title></title>", Some(17)),
            ("<</title>", Some(1)),
            ("a</title", None),
            ("a</", None),
            ("a<", None),
            ("", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(text(bytes.as_bytes(), b"title"), expected, "{bytes}");
        }
    }

    #[test]
    fn a_script_in_a_comment_in_a_script_is_passed_over() {
        let cases = [
            ("a<b</script>", 3),
            ("<!--</script>", 4),
            ("<!--<script></script>--></script>", 24),
            ("<!--<script></script></script>", 21),
            ("<!--<SCRIPT/</Script ></script>", 22),
            ("<!--<scripts></script>", 13),
            ("<!--<script>--></script>", 15),
            ("<!--><script></script>", 13),
            ("<!---><script></script>", 14),
            ("<!-- -- ><script></script></script>", 26),
            ("<!----<script></script></script>", 23),
            ("<!-<script></script>", 11),
            ("<!--<script><!--></script>", 17),
        ];
        for (bytes, expected) in cases {
            let found = script(bytes.as_bytes(), &mut Escape::None);
            assert_eq!(found, Ok(expected), "{bytes}");
            // The same in pieces.
            for size in 1..bytes.len() {
                let (mut escape, mut from) = (Escape::None, 0);
                let found = (size..bytes.len() + size).step_by(size).find_map(|to| {
                    let piece = &bytes.as_bytes()[from..to.min(bytes.len())];
                    let found = script(piece, &mut escape);
                    from += found.unwrap_or_else(|passed| passed);
                    found.is_ok().then_some(from)
                });
                assert_eq!(found, Some(expected), "{bytes} by {size}");
            }
        }
        for bytes in ["", "<", "</script", "<!--", "<!--<script></script>"] {
            let found = script(bytes.as_bytes(), &mut Escape::None);
            assert!(found.is_err(), "{bytes}");
        }
    }
}
