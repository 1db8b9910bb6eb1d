//! The names of a page's elements as numbers, with what is known of each.

use std::collections::HashMap;

use super::HtmlError;
use crate::html::kind::Kind;

/// Most different names of elements in a page.
pub(super) const NAME_LIMIT: usize = 4096;

/// No place.
pub(super) const NOWHERE: usize = usize::MAX;

/// The number of a name in its page.
pub(super) type Name = usize;

/// What is known of a name.
pub(super) struct Known {
    pub(super) kind: Kind,
    /// The innermost open element of this name in the stack, or [`NOWHERE`].
    pub(super) open: usize,
    /// Whether a selector asks for this type.
    pub(super) is_wanted: bool,
    /// How many of its elements a parent has so far, by the parent's number; the innermost last.
    pub(super) counts: Vec<(usize, i64)>,
}

/// A short name as it is written.
#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    name: Name,
}

/// The names of a page.
pub(super) struct Names {
    /// Short ones, each at its place: what is written most.
    slots: [Slot; SLOTS],
    /// All, in lower case.
    all: HashMap<Box<[u8]>, Name>,
    known: Vec<Known>,
}

const SLOTS: usize = 256;

/// No name is empty, so none has this key.
const EMPTY: Slot = Slot { key: 0, name: 0 };

impl Names {
    pub(super) fn new() -> Self {
        Self {
            slots: [EMPTY; SLOTS],
            all: HashMap::new(),
            known: Vec::with_capacity(32),
        }
    }

    /// What is known of a name; nothing of a number that is none.
    #[inline]
    pub(super) fn known(&mut self, name: Name) -> Option<&mut Known> {
        self.known.get_mut(name)
    }

    /// The number of `text`, whose [`key`](crate::html::scan::key) is `key`.
    ///
    /// # Errors
    ///
    /// More than [`NAME_LIMIT`] names.
    #[inline]
    pub(super) fn number(&mut self, text: &[u8], key: Option<u64>) -> Result<Name, HtmlError> {
        match key.and_then(|key| self.slots.get(place(key)).filter(|slot| slot.key == key)) {
            Some(slot) => Ok(slot.name),
            None => self.look_up(text, key),
        }
    }

    #[cold]
    fn look_up(&mut self, text: &[u8], key: Option<u64>) -> Result<Name, HtmlError> {
        let lower = text.to_ascii_lowercase().into_boxed_slice();
        let name = match self.all.get(&lower) {
            Some(name) => *name,
            None => {
                let name = self.enter(text)?;
                self.all.insert(lower, name);
                name
            }
        };
        if let Some(key) = key
            && let Some(slot) = self.slots.get_mut(place(key))
            && slot.key == 0
        {
            *slot = Slot { key, name };
        }
        Ok(name)
    }

    fn enter(&mut self, text: &[u8]) -> Result<Name, HtmlError> {
        let name = self.known.len();
        if name == NAME_LIMIT {
            return Err(HtmlError::Names);
        }
        self.known.push(Known {
            kind: Kind::of(text),
            open: NOWHERE,
            is_wanted: false,
            counts: Vec::new(),
        });
        Ok(name)
    }
}

/// Chosen so that the usual names of HTML share none.
#[inline]
fn place(key: u64) -> usize {
    let mixed = key.wrapping_mul(0xf9bd_dea5_d129_82e5) >> 56;
    usize::try_from(mixed).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::scan::key;

    fn number(names: &mut Names, text: &'static str) -> Name {
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
            "a\0",
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
    fn the_usual_names_have_places_of_their_own() {
        let usual = "html head title meta link style script body header nav main section article aside footer div \
                     span p a img ul ol li dl dt dd table caption thead tbody tfoot tr th td form label input button \
                     select option h1 h2 h3 h4 b i em strong small br hr svg path";
        let places: std::collections::HashSet<_> = usual
            .split_whitespace()
            .map(|text| place(key(text.as_bytes()).unwrap()))
            .collect();
        assert_eq!(places.len(), usual.split_whitespace().count());
    }
}
