//! Takes a page apart into text, tags and the rest (WHATWG HTML §13.2.5), without a copy.
//!
//! As far as reading needs it: nothing is repaired, a comment's text is of no use, and a
//! tag that the page ends in is no tag.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::attributes;
use super::raw;

/// What text stands for, and what ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
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

/// A start or end tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag<'p> {
    /// Where its `<` is.
    pub(super) from: usize,
    /// Where its `>` is.
    pub(super) to: usize,
    pub(super) name: &'p [u8],
    /// The last eight bytes of the name, in lower case.
    pub(super) key: u64,
    /// What stands behind the name, with the `>`.
    pub(super) attributes: &'p [u8],
}

/// A piece of markup.
#[derive(Clone, Copy, Debug)]
pub(super) enum Markup<'p> {
    Start(Tag<'p>),
    End(Tag<'p>),
    /// A comment, a doctype, a CDATA section, `</>`: it parts two texts.
    Other,
    /// The page is over.
    Nothing,
}

/// A piece of markup, and the text before it.
#[derive(Clone, Debug)]
pub(super) struct Token<'p> {
    pub(super) text: Range<usize>,
    pub(super) content: Content,
    pub(super) markup: Markup<'p>,
}

/// A page that is taken apart.
pub(super) struct Tokens<'p> {
    page: &'p [u8],
    at: usize,
    content: Content,
    /// The element that the text belongs to, where only its own end tag ends it.
    owner: &'p [u8],
    /// Whether CDATA sections are read, as within `<svg>` and `<math>`.
    pub(super) has_cdata: bool,
}

/// What stands at a `<`.
enum Found<'p> {
    /// It, and where the page goes on.
    Markup(Markup<'p>, usize),
    /// No markup: the `<` is text.
    Text,
    /// The page ends in it.
    Cut,
}

impl<'p> Tokens<'p> {
    pub(super) const fn new(page: &'p [u8]) -> Self {
        Self {
            page,
            at: 0,
            content: Content::Data,
            owner: &[],
            has_cdata: false,
        }
    }

    /// What follows is the text of an element `owner`.
    pub(super) const fn enter(&mut self, content: Content, owner: &'p [u8]) {
        self.content = content;
        self.owner = owner;
    }

    fn rest(&self, from: usize) -> &'p [u8] {
        self.page.get(from..).unwrap_or_default()
    }

    /// The next piece of markup. After the last one: [`Markup::Nothing`], for ever.
    pub(super) fn next(&mut self) -> Token<'p> {
        let (from, content) = (self.at, self.content);
        if content != Content::Data {
            return self.next_raw(from, content);
        }
        let mut looked = from;
        loop {
            let Some(before) = memchr(b'<', self.rest(looked)) else {
                return self.last(from..self.page.len(), content);
            };
            let open = looked + before;
            match self.markup(open) {
                Found::Markup(markup, next) => {
                    self.at = next;
                    return Token {
                        text: from..open,
                        content,
                        markup,
                    };
                }
                Found::Text => looked = open + 1,
                Found::Cut => return self.last(from..open, content),
            }
        }
    }

    fn last(&mut self, text: Range<usize>, content: Content) -> Token<'p> {
        self.at = self.page.len();
        Token {
            text,
            content,
            markup: Markup::Nothing,
        }
    }

    /// Text that only the end tag of its element ends.
    fn next_raw(&mut self, from: usize, content: Content) -> Token<'p> {
        self.content = Content::Data;
        let rest = self.rest(from);
        let length = match content {
            Content::Plain => None,
            Content::Script => raw::script(rest),
            _ => raw::text(rest, self.owner),
        };
        let Some(length) = length else {
            return self.last(from..self.page.len(), content);
        };
        let open = from + length;
        let Some(tag) = self.tag(open, open + 2) else {
            return self.last(from..open, content);
        };
        self.at = tag.to + 1;
        Token {
            text: from..open,
            content,
            markup: Markup::End(tag),
        }
    }

    fn markup(&self, open: usize) -> Found<'p> {
        let letter = |at: usize| self.page.get(at).is_some_and(u8::is_ascii_alphabetic);
        let name = match self.page.get(open + 1) {
            Some(byte) if byte.is_ascii_alphabetic() => open + 1,
            Some(b'/') if letter(open + 2) => open + 2,
            Some(b'/') if self.page.len() > open + 2 => return self.until(open + 2, b">"),
            Some(b'!') => return self.declaration(open + 2),
            Some(b'?') => return self.until(open + 2, b">"),
            _ => return Found::Text,
        };
        let Some(tag) = self.tag(open, name) else {
            return Found::Cut;
        };
        let markup = match name == open + 1 {
            true => Markup::Start(tag),
            false => Markup::End(tag),
        };
        Found::Markup(markup, tag.to + 1)
    }

    /// A tag whose name begins at `from`; nothing where the page ends in it.
    fn tag(&self, open: usize, from: usize) -> Option<Tag<'p>> {
        let rest = self.rest(from);
        let (mut key, mut length) = (0_u64, 0);
        for byte in rest {
            if attributes::is_space(*byte) || matches!(byte, b'/' | b'>') {
                break;
            }
            key = key << 8 | u64::from(byte.to_ascii_lowercase());
            length += 1;
        }
        let (name, behind) = rest.split_at_checked(length)?;
        let attributes = match behind.first()? {
            b'>' => 0,
            _ => attributes::length(behind)?,
        };
        Some(Tag {
            from: open,
            to: from + length + attributes,
            name,
            key,
            attributes: behind.get(..=attributes)?,
        })
    }

    /// What follows `<!`.
    fn declaration(&self, from: usize) -> Found<'p> {
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

    /// What follows `<!--`: up to `-->` or `--!>`, and `<!-->` and `<!--->` are whole.
    fn comment(&self, from: usize) -> Found<'p> {
        let rest = self.rest(from);
        for short in [b">".as_slice(), b"->"] {
            if rest.starts_with(short) {
                return Found::Markup(Markup::Other, from + short.len());
            }
        }
        let mut looked = 0;
        while let Some(found) = memmem::find(rest.get(looked..).unwrap_or_default(), b"--") {
            let dashes = looked + found;
            let behind = rest.get(dashes + 2..).unwrap_or_default();
            let length = match behind {
                [b'>', ..] => 3,
                [b'!', b'>', ..] => 4,
                _ => {
                    looked = dashes + 1;
                    continue;
                }
            };
            return Found::Markup(Markup::Other, from + dashes + length);
        }
        Found::Cut
    }

    fn until(&self, from: usize, end: &[u8]) -> Found<'p> {
        match memmem::find(self.rest(from), end) {
            Some(length) => Found::Markup(Markup::Other, from + length + end.len()),
            None => Found::Cut,
        }
    }
}
