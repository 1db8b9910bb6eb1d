//! Strangers' texts made harmless where a person reads them.

/// A text with everything escaped that a terminal would act on: see [`acts`].
pub fn inert(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Whether a character does something where it is shown: control characters, line separators, and
/// those that turn or hide what stands beside them (Unicode's default-ignorable and bidirectional ones).
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
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
    }
}
