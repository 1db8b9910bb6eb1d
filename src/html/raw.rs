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
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// The next end tag ends it.
    None,
    /// After `<!--`: so it does, but a `<script>` comes first.
    Once,
    /// After `<!--` and `<script>`: the next end tag belongs to that one.
    Twice,
}

/// How many bytes the text of a `<script>` has; nothing if no end tag follows.
///
/// A script that has `<!--` and then `<script` goes on after the next `</script>`.
pub(crate) fn script(bytes: &[u8]) -> Option<usize> {
    const SCRIPT: &[u8] = b"script";
    let mut escape = Escape::None;
    let mut at = 0;
    loop {
        at += match escape {
            Escape::None => memchr(b'<', bytes.get(at..)?)?,
            Escape::Once | Escape::Twice => memchr2(b'<', b'-', bytes.get(at..)?)?,
        };
        let rest = bytes.get(at + 1..)?;
        if bytes.get(at) == Some(&b'-') {
            // `-->`: of the dashes the last two count.
            if rest.starts_with(b"->") {
                escape = Escape::None;
            }
            at += 1;
            continue;
        }
        match escape {
            Escape::None | Escape::Once if ends(rest, SCRIPT) => return Some(at),
            Escape::None if rest.starts_with(b"!--") => {
                escape = Escape::Once;
                // Its dashes may be those of `-->` already: `<!-->`.
                at += 1;
            }
            Escape::Once if is_word(rest, SCRIPT) => escape = Escape::Twice,
            Escape::Twice if ends(rest, SCRIPT) => escape = Escape::Once,
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
            assert_eq!(script(bytes.as_bytes()), Some(expected), "{bytes}");
        }
        for bytes in ["", "<", "</script", "<!--", "<!--<script></script>"] {
            assert_eq!(script(bytes.as_bytes()), None, "{bytes}");
        }
    }
}
