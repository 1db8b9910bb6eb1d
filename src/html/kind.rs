//! What an element means to reading a page on.

use super::foreign::Role;
use super::tokens::{Beginnings, Content};

/// What an element of some name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Whether nothing below matters to an element among HTML.
    pub(crate) is_plain: bool,
    /// Whether it has neither content nor end tag (WHATWG HTML §13.1.2).
    pub(crate) is_void: bool,
    /// What its text is.
    pub(crate) content: Content,
    /// What it does to the namespace.
    pub(crate) role: Role,
}

impl Kind {
    /// That of the elements with this name, in any case.
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut lower = [0; 16];
        let name = match lower.get_mut(..text.len()) {
            Some(lower) => {
                lower.copy_from_slice(text);
                lower.make_ascii_lowercase();
                &*lower
            }
            None => &[],
        };
        // Browsers still read the obsolete ones so too.
        let is_void = matches!(
            name,
            b"area"
                | b"base"
                | b"basefont"
                | b"bgsound"
                | b"br"
                | b"col"
                | b"embed"
                | b"hr"
                | b"img"
                | b"input"
                | b"keygen"
                | b"link"
                | b"meta"
                | b"param"
                | b"source"
                | b"track"
                | b"wbr"
        );
        let content = match name {
            b"title" | b"textarea" => Content::Rc,
            b"style" | b"iframe" | b"xmp" | b"noembed" | b"noframes" | b"noscript" => Content::Raw,
            b"script" => Content::Script,
            b"plaintext" => Content::Plain,
            _ => Content::Data,
        };
        let role = Role::of(name);
        Self {
            is_plain: !is_void
                && content == Content::Data
                && !matches!(role, Role::Svg | Role::Math),
            is_void,
            content,
            role,
        }
    }

    /// Whether its start tag changes nothing in how the page is read on.
    pub(crate) fn is_dull(self) -> bool {
        self.content == Content::Data && !matches!(self.role, Role::Svg | Role::Math)
    }

    /// What the names of all others begin with.
    pub(crate) fn telling() -> Beginnings {
        Beginnings::of(TELLING)
    }
}

/// The names that change how the page is read on.
const TELLING: [&str; 12] = [
    "iframe",
    "math",
    "noembed",
    "noframes",
    "noscript",
    "plaintext",
    "script",
    "style",
    "svg",
    "textarea",
    "title",
    "xmp",
];
