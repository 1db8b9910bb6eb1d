//! The names of a page's elements as numbers, with what each means to reading.

use std::collections::HashMap;

use super::HtmlError;
use super::foreign::Role;
use super::tokens::Content;

/// Most different names of elements in a page.
pub(super) const NAME_LIMIT: usize = 4096;

/// No place.
pub(super) const NOWHERE: usize = usize::MAX;

/// The number of a name in its page.
pub(super) type Name = usize;

/// What is known of a name.
pub(super) struct Known<'p> {
    text: &'p [u8],
    pub(super) kind: Kind,
    /// The innermost open element of this name in the stack, or [`NOWHERE`].
    pub(super) open: usize,
    /// Whether a selector asks for this type.
    pub(super) is_wanted: bool,
    /// How many of its elements a parent has so far, by the parent's number; the innermost last.
    pub(super) counts: Vec<(usize, i64)>,
}

/// What an element of some name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Whether nothing below matters to an element among HTML.
    pub(super) is_plain: bool,
    /// Whether it has neither content nor end tag (WHATWG HTML §13.1.2).
    pub(super) is_void: bool,
    /// What its text is.
    pub(super) content: Content,
    /// What it does to the namespace.
    pub(super) role: Role,
}

#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    length: usize,
    name: Name,
}

/// The names of a page.
pub(super) struct Names<'p> {
    /// A name stands at its place or the one beside it; else among the others.
    slots: [Slot; SLOTS],
    others: HashMap<Box<[u8]>, Name>,
    known: Vec<Known<'p>>,
}

const SLOTS: usize = 256;

const EMPTY: Slot = Slot {
    key: 0,
    length: 0,
    name: 0,
};

impl<'p> Names<'p> {
    pub(super) fn new() -> Self {
        Self {
            slots: [EMPTY; SLOTS],
            others: HashMap::new(),
            known: Vec::with_capacity(32),
        }
    }

    /// What is known of a name; nothing of a number that is none.
    pub(super) fn known(&mut self, name: Name) -> Option<&mut Known<'p>> {
        self.known.get_mut(name)
    }

    /// The number of `text`, whose last eight bytes in lower case are `key`.
    ///
    /// # Errors
    ///
    /// More than [`NAME_LIMIT`] names.
    pub(super) fn number(&mut self, text: &'p [u8], key: u64) -> Result<Name, HtmlError> {
        let place = place(key);
        for place in [place, place ^ 1] {
            let Some(slot) = self.slots.get(place).copied() else {
                continue;
            };
            if slot.key == key && slot.length == text.len() && self.is(slot.name, text) {
                return Ok(slot.name);
            }
            if slot.length == 0 {
                let name = self.enter(text)?;
                let slot = Slot {
                    key,
                    length: text.len(),
                    name,
                };
                if let Some(empty) = self.slots.get_mut(place) {
                    *empty = slot;
                }
                return Ok(name);
            }
        }
        let lower = text.to_ascii_lowercase().into_boxed_slice();
        if let Some(name) = self.others.get(&lower) {
            return Ok(*name);
        }
        let name = self.enter(text)?;
        self.others.insert(lower, name);
        Ok(name)
    }

    /// Whether a name with the same key and length is it: of a short one the key says all.
    fn is(&self, name: Name, text: &[u8]) -> bool {
        let same = |known: &Known<'_>| known.text.eq_ignore_ascii_case(text);
        text.len() <= 8 || self.known.get(name).is_some_and(same)
    }

    fn enter(&mut self, text: &'p [u8]) -> Result<Name, HtmlError> {
        let name = self.known.len();
        if name == NAME_LIMIT {
            return Err(HtmlError::Names);
        }
        self.known.push(Known {
            text,
            kind: kind(text),
            open: NOWHERE,
            is_wanted: false,
            counts: Vec::new(),
        });
        Ok(name)
    }
}

/// The last eight bytes of a name in lower case, as [`Names::number`] wants them.
pub(super) fn key(text: &[u8]) -> u64 {
    text.iter().fold(0, |key, byte| {
        key << 8 | u64::from(byte.to_ascii_lowercase())
    })
}

/// Chosen so that few of the names of HTML share a place.
fn place(key: u64) -> usize {
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    usize::try_from(mixed).unwrap_or_default()
}

fn kind(text: &[u8]) -> Kind {
    let mut lower = [0; 16];
    let name = match lower.get_mut(..text.len()) {
        Some(lower) => {
            lower.copy_from_slice(text);
            lower.make_ascii_lowercase();
            &*lower
        }
        None => &[],
    };
    // Those that lol_html and browsers know beside those of the standard are obsolete: browsers read them so still.
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
    Kind {
        is_plain: !is_void && content == Content::Data && !matches!(role, Role::Svg | Role::Math),
        is_void,
        content,
        role,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(names: &mut Names<'static>, text: &'static str) -> Name {
        names.number(text.as_bytes(), key(text.as_bytes())).unwrap()
    }

    #[test]
    fn a_name_has_one_number_in_any_case() {
        let mut names = Names::new();
        let all = [
            "a",
            "b",
            "div",
            "blockquote",
            "x-blockquote",
            "y-blockquote",
            "é",
            "\0a",
            "x:y",
        ];
        let numbers: Vec<_> = all.iter().map(|text| number(&mut names, text)).collect();
        assert_eq!(numbers, (0..all.len()).collect::<Vec<_>>());
        for (text, expected) in [("DIV", 2), ("BlockQuote", 3), ("X-blockQuote", 4), ("A", 0)] {
            assert_eq!(number(&mut names, text), expected, "{text}");
        }
    }

    #[test]
    fn as_many_names_as_may_be_are_told_apart() {
        let texts: Vec<String> = (0..=NAME_LIMIT).map(|n| format!("x{n}")).collect();
        let mut names = Names::new();
        for _ in 0..2 {
            for (expected, text) in texts.iter().take(NAME_LIMIT).enumerate() {
                let found = names.number(text.as_bytes(), key(text.as_bytes()));
                assert_eq!(found.unwrap(), expected, "{text}");
            }
        }
        let last = texts.last().unwrap().as_bytes();
        assert!(matches!(
            names.number(last, key(last)),
            Err(HtmlError::Names)
        ));
    }

    #[test]
    fn the_usual_names_stand_at_their_places() {
        let usual = "html head title meta link style script body header nav main section article aside footer div \
                     span p a img ul ol li dl dt dd table caption thead tbody tfoot tr th td form label input button \
                     select option textarea h1 h2 h3 h4 h5 h6 b i em strong small br hr svg path g use noscript \
                     iframe template picture source figure figcaption time address bdi ins del";
        let mut names = Names::new();
        for text in usual.split_whitespace() {
            number(&mut names, text);
        }
        assert!(names.others.len() <= 2, "{:?}", names.others.len());
    }
}
