//! Takes a page apart into text, tags and the rest (WHATWG HTML §13.2.5), without a copy.
//!
//! As far as reading needs it: nothing is repaired, a comment's text is of no use, and a
//! tag that the page ends in is no tag.

use std::ops::Range;

use memchr::memmem;

use super::attributes;
use super::raw::{self, Escape};
use super::scan;

/// What text stands for, and what ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Text among markup.
    Data,
    /// Of a `<title>` or `<textarea>`: character references, but no tags.
    Rc,
    /// Of a `<style>` and the like: as it stands.
    Raw,
    /// Of a `<script>`.
    Script,
    /// All that follows a `<plaintext>`.
    Plain,
}

/// A start or end tag: where its parts are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag<'p> {
    page: &'p [u8],
    /// Where its `<` is.
    pub(crate) from: usize,
    /// Where its name begins, and what is behind it.
    name: usize,
    behind: usize,
    /// Where its `>` is.
    pub(crate) to: usize,
    /// The bytes of the name, if it is short.
    pub(crate) key: Option<u64>,
}

impl<'p> Tag<'p> {
    /// The name as it is written.
    #[inline]
    pub(crate) fn name(&self) -> &'p [u8] {
        self.page.get(self.name..self.behind).unwrap_or_default()
    }

    /// Where what stands behind the name begins.
    pub(crate) const fn behind(&self) -> usize {
        self.behind
    }

    /// What stands behind the name, with the `>`.
    pub(crate) fn attributes(&self) -> &'p [u8] {
        self.page.get(self.behind..=self.to).unwrap_or_default()
    }
}

/// A piece of markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Markup {
    Start,
    End,
    /// A comment, a doctype, a CDATA section, `</>`: it parts two texts.
    Other,
    /// The page is over.
    Nothing,
}

/// A page that is taken apart.
pub(crate) struct Tokens<'p> {
    page: &'p [u8],
    /// Where the page goes on.
    at: usize,
    /// The text before the last piece of markup, and what it stands for.
    pub(crate) text: Range<usize>,
    pub(crate) content: Content,
    /// The last tag.
    pub(crate) tag: Tag<'p>,
    /// What the next text is.
    next: Content,
    /// The element that it belongs to, where only its own end tag ends it.
    owner: &'p [u8],
    /// Whether CDATA sections are read, as within `<svg>` and `<math>`.
    pub(crate) has_cdata: bool,
}

/// What stands at a `<`.
enum Found {
    /// Something that is no tag, and where the page goes on.
    Other(usize),
    /// No markup: the `<` is text.
    Text,
    /// The page ends in it.
    Cut,
}

impl<'p> Tokens<'p> {
    pub(crate) const fn new(page: &'p [u8]) -> Self {
        Self {
            page,
            at: 0,
            text: 0..0,
            content: Content::Data,
            tag: Tag {
                page,
                from: 0,
                name: 0,
                behind: 0,
                to: 0,
                key: None,
            },
            next: Content::Data,
            owner: &[],
            has_cdata: false,
        }
    }

    /// Goes on at `at`, where text among markup begins.
    pub(crate) const fn skip_to(&mut self, at: usize) {
        self.at = at;
    }

    /// What follows is the text of the element whose start tag came last.
    pub(crate) fn enter(&mut self, content: Content) {
        self.next = content;
        self.owner = self.tag.name();
    }

    fn rest(&self, from: usize) -> &'p [u8] {
        self.page.get(from..).unwrap_or_default()
    }

    #[inline]
    fn is_letter(&self, at: usize) -> bool {
        self.page.get(at).is_some_and(u8::is_ascii_alphabetic)
    }

    /// The next piece of markup. After the last one: [`Markup::Nothing`], for ever.
    #[inline]
    pub(crate) fn next(&mut self) -> Markup {
        self.text.start = self.at;
        self.content = self.next;
        if self.next != Content::Data {
            return self.next_raw();
        }
        let mut looked = self.at;
        loop {
            let Some(open) = scan::find(self.page, looked, b'<') else {
                return self.last(self.page.len());
            };
            let is_end = self.page.get(open + 1) == Some(&b'/');
            let name = open + 1 + usize::from(is_end);
            if self.is_letter(name) {
                if !self.take(open, name) {
                    return self.last(open);
                }
                self.text.end = open;
                return if is_end { Markup::End } else { Markup::Start };
            }
            match self.other(open) {
                Found::Other(next) => {
                    self.text.end = open;
                    self.at = next;
                    return Markup::Other;
                }
                Found::Text => looked = open + 1,
                Found::Cut => return self.last(open),
            }
        }
    }

    /// Passes tags up to the first that ends behind `until`, or whose first two letters are
    /// `telling` (of an end tag, if the first is so) and that is not `dull`. Text is passed too,
    /// other markup is not. Whether any was.
    #[inline]
    pub(crate) fn pass(
        &mut self,
        until: usize,
        telling: impl Fn(bool, u8, u8) -> bool,
        mut dull: impl FnMut(&Tag<'p>) -> bool,
    ) -> bool {
        if self.next != Content::Data {
            return false;
        }
        let page = self.page;
        let from = self.at;
        let mut at = from;
        while let Some(open) = scan::find(page, at, b'<')
            && let Some(head) = scan::word(page, open)
        {
            let is_end = head.to_le_bytes().get(1) == Some(&b'/');
            let name = open + 1 + usize::from(is_end);
            let [first, second, ..] = (head >> if is_end { 16 } else { 8 }).to_le_bytes();
            if !first.is_ascii_alphabetic() {
                break;
            }
            if !telling(is_end, first, second) {
                match attributes::end(page, open, name, head) {
                    Some(to) if to <= until => at = to + 1,
                    _ => break,
                }
                continue;
            }
            if !self.take(open, name) || self.tag.to > until || !dull(&self.tag) {
                break;
            }
            at = self.tag.to + 1;
        }
        self.at = at;
        at != from
    }

    /// The page is over, and its last text ends at `end`.
    #[cold]
    fn last(&mut self, end: usize) -> Markup {
        self.text.end = end;
        self.at = self.page.len();
        Markup::Nothing
    }

    /// Text that only the end tag of its element ends.
    #[cold]
    fn next_raw(&mut self) -> Markup {
        let rest = self.rest(self.at);
        let length = match self.next {
            Content::Plain => None,
            Content::Script => raw::script(rest, &mut Escape::None).ok(),
            _ => raw::text(rest, self.owner),
        };
        self.next = Content::Data;
        let Some(length) = length else {
            return self.last(self.page.len());
        };
        let open = self.at + length;
        if !self.take(open, open + 2) {
            return self.last(open);
        }
        self.text.end = open;
        Markup::End
    }

    /// Takes the tag whose name begins at `name`; not if the page ends in it.
    #[inline]
    fn take(&mut self, open: usize, name: usize) -> bool {
        let Some((length, key)) = scan::name(self.page, name) else {
            return false;
        };
        let behind = name + length;
        let to = match self.page.get(behind) {
            Some(b'>') => behind,
            _ => match attributes::end_behind(self.page, behind) {
                Some(to) => to,
                None => return false,
            },
        };
        self.tag.from = open;
        self.tag.name = name;
        self.tag.behind = behind;
        self.tag.to = to;
        self.tag.key = key;
        self.at = to + 1;
        true
    }

    /// What begins with `<` and is no tag.
    #[cold]
    fn other(&self, open: usize) -> Found {
        match self.page.get(open + 1) {
            Some(b'/') if self.page.len() > open + 2 => self.until(open + 2, b">"),
            Some(b'!') => self.declaration(open + 2),
            Some(b'?') => self.until(open + 2, b">"),
            _ => Found::Text,
        }
    }

    /// What follows `<!`.
    #[cold]
    fn declaration(&self, from: usize) -> Found {
        let rest = self.rest(from);
        if rest.starts_with(b"--") {
            return self.comment(from + 2);
        }
        if self.has_cdata && rest.starts_with(b"[CDATA[") {
            return self.until(from + 7, b"]]>");
        }
        // A doctype ends at the first `>`, even in quotes; a bogus comment does too.
        self.until(from, b">")
    }

    /// What follows `<!--`; `<!-->` and `<!--->` are whole.
    fn comment(&self, from: usize) -> Found {
        let rest = self.rest(from);
        for short in [b">".as_slice(), b"->"] {
            if rest.starts_with(short) {
                return Found::Other(from + short.len());
            }
        }
        comment(rest).map_or(Found::Cut, |length| Found::Other(from + length))
    }

    #[cold]
    fn until(&self, from: usize, end: &[u8]) -> Found {
        match memmem::find(self.rest(from), end) {
            Some(length) => Found::Other(from + length + end.len()),
            None => Found::Cut,
        }
    }
}

/// How long a comment is, with the `-->` or `--!>` that ends it; nothing if none does.
pub(crate) fn comment(bytes: &[u8]) -> Option<usize> {
    let mut looked = 0;
    loop {
        let dashes = looked + memmem::find(bytes.get(looked..)?, b"--")?;
        match bytes.get(dashes + 2..)? {
            [b'>', ..] => return Some(dashes + 3),
            [b'!', b'>', ..] => return Some(dashes + 4),
            _ => looked = dashes + 1,
        }
    }
}

/// What some names begin with: their first two letters.
pub(crate) struct Beginnings {
    /// The second letters, by the first one.
    seconds: [u32; 32],
}

impl Beginnings {
    pub(crate) fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut all = Self { seconds: [0; 32] };
        names.into_iter().for_each(|name| all.add(name));
        all
    }

    pub(crate) fn add(&mut self, name: &str) {
        let mut letters = name.bytes().map(low);
        let first = letters.next().unwrap_or_default();
        // What follows a name of one letter may be anything.
        let second = letters.next().map_or(u32::MAX, |letter| 1 << letter);
        if let Some(seconds) = self.seconds.get_mut(usize::from(first)) {
            *seconds |= second;
        }
    }

    /// Whether a name with these letters may be one of them.
    #[inline]
    pub(crate) fn has(&self, first: u8, second: u8) -> bool {
        let seconds = self.seconds.get(usize::from(low(first)));
        seconds.is_some_and(|seconds| seconds >> low(second) & 1 != 0)
    }
}

/// What a letter has in common in both cases.
const fn low(letter: u8) -> u8 {
    letter & 31
}

#[cfg(test)]
mod tests;
