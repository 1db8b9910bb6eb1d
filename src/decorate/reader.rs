//! Reads a page piece by piece, as far as links depend on it.
//!
//! Tags are found as `observe` finds them, and looked at where their name and their bytes may mean
//! a link. Between two pieces stands what the next bytes are; a tag that has not ended is read
//! again.

use std::sync::LazyLock;

use memchr::{memchr, memmem};

use super::attribute::may_lead_away;
use super::links::{self, Insertions, Links};
use crate::hand_over::url::Siblings;
use crate::html::foreign::{Namespace, Namespaces};
use crate::html::kind::Kind;
use crate::html::raw::{self, Escape};
use crate::html::tokens::{self, Beginnings, Content, Markup, Tag, Tokens};

/// Most namespaces within one another.
const DEPTH_LIMIT: usize = 4096;

/// What the names of the start tags begin with that are read.
static STARTS: LazyLock<Beginnings> = LazyLock::new(|| {
    let mut starts = Kind::telling();
    for name in ["a", "area", "button", "form", "input", "meta", "template"] {
        starts.add(name);
    }
    starts
});

/// The same of end tags.
static ENDS: LazyLock<Beginnings> = LazyLock::new(|| Beginnings::of(["form", "template"]));

/// What the next bytes of a page are.
#[derive(Debug)]
enum Text {
    /// Text and tags.
    Markup,
    /// The text of an element that only its own end tag ends: its name.
    Raw(Box<[u8]>),
    Script(Escape),
    Plain,
    Comment,
    /// Of a CDATA section.
    Section,
    /// A comment that ends at the first `>`.
    Bogus,
}

/// How far bytes were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// What stands from here on is to be read again, with what follows.
    pub(super) to: usize,
    /// Whether a tag begins there that has not ended.
    pub(super) is_tag: bool,
}

/// A page that is being read.
pub(super) struct Reader<S: ?Sized> {
    text: Text,
    namespaces: Namespaces,
    links: Links<S>,
}

impl<S: Siblings> Reader<S> {
    pub(super) const fn new(links: Links<S>) -> Self {
        Self {
            text: Text::Markup,
            namespaces: Namespaces::new(),
            links,
        }
    }
}

impl<S: Siblings + ?Sized> Reader<S> {
    /// Whether links to this host may get a token.
    pub(super) fn may_be(&self, host: &str) -> bool {
        self.links.siblings.may_be(host)
    }

    /// Reads on in these bytes, which begin where it has read to; the places of what it says to put in
    /// count from there. None where it gives up.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<(Read, Insertions)> {
        let mut at = 0;
        let read = loop {
            let rest = bytes.get(at..)?;
            if matches!(self.text, Text::Markup) {
                let mut page = Tokens::new(bytes);
                page.has_cdata = self.namespaces.current() != Namespace::Html;
                page.skip_to(at);
                match self.markup(&mut page)? {
                    Some(next) => at = next,
                    None => break self.cut(bytes, page.text.end),
                }
                continue;
            }
            match self.end_of_text(rest) {
                Ok(length) => {
                    at += length;
                    self.text = Text::Markup;
                }
                Err(passed) => {
                    break Read {
                        to: at + passed,
                        is_tag: false,
                    };
                }
            }
        };
        Some((read, std::mem::take(&mut self.links.insertions)))
    }

    /// Reads tags up to text of another kind: where it begins. None within: there is no more.
    fn markup(&mut self, page: &mut Tokens<'_>) -> Option<Option<usize>> {
        let (starts, ends) = (&*STARTS, &*ENDS);
        let telling = |is_end: bool, first, second| match is_end {
            true => ends.has(first, second),
            false => starts.has(first, second),
        };
        loop {
            if self.namespaces.is_html() {
                page.pass(usize::MAX, telling, is_dull);
            }
            match page.next() {
                Markup::Start => {
                    if self.start(&page.tag)? {
                        return Some(Some(page.tag.to + 1));
                    }
                }
                Markup::End => self.end(&page.tag),
                Markup::Other => {}
                Markup::Nothing => return Some(None),
            }
            page.has_cdata = self.namespaces.current() != Namespace::Html;
        }
    }

    /// Whether the text behind is of another kind; none where it is too deep.
    fn start(&mut self, tag: &Tag<'_>) -> Option<bool> {
        let kind = Kind::of(tag.name());
        let among_html = self.namespaces.current() == Namespace::Html;
        self.namespaces.start(kind, tag);
        if self.namespaces.depth() > DEPTH_LIMIT {
            return None;
        }
        if self.namespaces.current() == Namespace::Html
            && let Some(kind) = links::Kind::of(tag.name())
        {
            self.links.start(kind, tag);
        }
        if !among_html {
            return Some(false);
        }
        self.text = match kind.content {
            Content::Data => return Some(false),
            Content::Rc | Content::Raw => Text::Raw(tag.name().into()),
            Content::Script => Text::Script(Escape::None),
            Content::Plain => Text::Plain,
        };
        Some(true)
    }

    fn end(&mut self, tag: &Tag<'_>) {
        if self.namespaces.current() == Namespace::Html
            && let Some(kind) = links::Kind::of(tag.name())
        {
            self.links.end(kind);
        }
        self.namespaces.end(Kind::of(tag.name()).role);
    }

    /// How long the text of another kind is in these bytes; or how much of them, without an end, need not
    /// be read again.
    fn end_of_text(&mut self, bytes: &[u8]) -> Result<usize, usize> {
        let (found, again) = match &mut self.text {
            Text::Script(escape) => return raw::script(bytes, escape),
            // What ends it may have begun: `</`, and the name.
            Text::Raw(owner) => (raw::text(bytes, owner), owner.len() + 2),
            Text::Comment => (tokens::comment(bytes), 3),
            Text::Section => (memmem::find(bytes, b"]]>").map(|at| at + 3), 2),
            Text::Bogus => (memchr(b'>', bytes).map(|at| at + 1), 0),
            Text::Plain => (None, 0),
            Text::Markup => (Some(0), 0),
        };
        found.ok_or(bytes.len().saturating_sub(again))
    }

    /// No whole markup is left in these bytes: what begins at `at` has no end.
    fn cut(&mut self, bytes: &[u8], at: usize) -> Read {
        // A `<` or `</` at the end was taken for text.
        let at = match bytes.get(at..) {
            Some([]) if bytes.ends_with(b"<") => at - 1,
            Some([]) if bytes.ends_with(b"</") => at - 2,
            _ => at,
        };
        let rest = bytes.get(at..).unwrap_or_default();
        let mut read = Read {
            to: at,
            is_tag: false,
        };
        let (text, length) = match rest {
            [b'<', b'!', rest @ ..] if may_begin(b"--", rest) => return read,
            [b'<', b'!', b'-', b'-', rest @ ..] if rest.len() < 2 => return read,
            [b'<', b'!', b'-', b'-', ..] => (Text::Comment, 4),
            [b'<', b'!', rest @ ..] if self.has_sections() && may_begin(b"[CDATA[", rest) => {
                return read;
            }
            [b'<', b'!', rest @ ..] if self.has_sections() && rest.starts_with(b"[CDATA[") => {
                (Text::Section, 9)
            }
            [b'<', b'!' | b'?', ..] => (Text::Bogus, 2),
            [b'<', b'/', letter, ..] if !letter.is_ascii_alphabetic() => (Text::Bogus, 2),
            rest => {
                read.is_tag = !rest.is_empty();
                return read;
            }
        };
        self.text = text;
        read.to += length;
        read
    }

    fn has_sections(&self) -> bool {
        self.namespaces.current() != Namespace::Html
    }
}

/// Whether `bytes` are the beginning of `word`, and not all of it.
fn may_begin(word: &[u8], bytes: &[u8]) -> bool {
    bytes.len() < word.len() && word.starts_with(bytes)
}

/// Whether nothing depends on the tag, in HTML.
fn is_dull(tag: &Tag<'_>) -> bool {
    match links::Kind::of(tag.name()) {
        Some(links::Kind::Form | links::Kind::Template) => false,
        Some(_) => !may_lead_away(tag.attributes()),
        None => Kind::of(tag.name()).is_dull(),
    }
}
