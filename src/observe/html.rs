//! Reads HTML by CSS selector: all selectors of a rule in one pass.
//!
//! Text comes as `textContent` has it: joined across nodes and comments, without
//! scripts and styles; character references decoded, white space collapsed.
//!
//! Made for reading alone, so it costs little: tags are found, not copied, a name is looked
//! up once, attributes are looked at where a selector asks for what the tag's bytes have.

mod capture;
mod element;
mod matching;
mod names;
mod program;

use capture::Capture;
use matching::{DEPTH_LIMIT, Elements};
use names::NAME_LIMIT;
use program::Program;

use super::rule::Css;
use crate::html::foreign::{Namespace, Namespaces};
use crate::html::tokens::{Content, Markup, Tokens};

/// Most elements that one selector may match.
pub(crate) const MATCH_LIMIT: usize = 1000;

/// Longest text of an element in bytes; text nodes after that are left out.
const TEXT_LIMIT: usize = 8 * 1024;

/// What is wanted of the elements that a selector matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Their text.
    Text,
    /// An attribute of them.
    Attribute(String),
    /// The text of a `<script>`, as it stands.
    Script,
}

/// One selector and what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) selector: Css,
    pub(crate) part: Part,
}

/// What one query found, in document order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matches {
    /// How many elements matched.
    pub(crate) elements: usize,
    /// Their texts; an element without the attribute has none.
    pub(crate) texts: Vec<String>,
    /// Whether one of them has no end tag: its text may be cut, or be more than its own.
    pub(crate) is_cut: bool,
}

/// Why a page could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HtmlError {
    /// Elements within elements.
    #[error("the page has more than {DEPTH_LIMIT} elements within one another")]
    Deep,
    /// Elements of too many types.
    #[error("the page has elements of more than {NAME_LIMIT} names")]
    Names,
    /// Matched elements within matched elements, with long texts.
    #[error("the elements that were matched have more text than is kept")]
    Texts,
}

/// What is asked of a page at once.
#[derive(Debug)]
pub(crate) struct Queries {
    parts: Vec<Part>,
    program: Program,
}

impl Queries {
    pub(crate) fn new(queries: &[Query]) -> Self {
        Self {
            parts: queries.iter().map(|query| query.part.clone()).collect(),
            program: Program::new(queries),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Runs every query over `page`; the answers stand in the order of the queries.
    ///
    /// # Errors
    ///
    /// The limits. Markup is not repaired as browsers do it: an element without
    /// an end tag of its own runs on into what follows, so it counts as cut.
    pub(crate) fn read(&self, page: &str) -> Result<Vec<Matches>, HtmlError> {
        match self.pass(page, true)? {
            Some(matches) => Ok(matches),
            // An element around a match was needed after all, and nothing is known of it.
            None => Ok(self.pass(page, false)?.unwrap_or_default()),
        }
    }

    /// Reads the page; elements around a match are looked at only if they must be.
    fn pass(&self, page: &str, in_haste: bool) -> Result<Option<Vec<Matches>>, HtmlError> {
        let captures = self.parts.iter().map(|part| Capture::new(part, page.len()));
        let mut reader = Reader {
            elements: Elements::new(&self.program, page.as_bytes())?,
            namespaces: Namespaces::new(),
            captures: captures.collect(),
            is_capturing: false,
            is_lost: false,
        };
        let mut tokens = Tokens::new(page.as_bytes());
        while !reader.is_lost {
            if in_haste && reader.is_idle() {
                reader.elements.pass(&mut tokens);
            }
            let markup = tokens.next();
            if reader.is_capturing {
                let node = page.get(tokens.text.clone()).unwrap_or_default();
                reader.text(node, tokens.content)?;
            }
            match markup {
                Markup::Start => reader.start(&mut tokens)?,
                Markup::End => reader.end(&mut tokens)?,
                Markup::Other => {}
                Markup::Nothing => {
                    let captures = reader.captures.into_iter();
                    return Ok(Some(captures.map(Capture::finish).collect()));
                }
            }
        }
        Ok(None)
    }
}

/// A page that is read.
struct Reader<'p> {
    elements: Elements<'p>,
    namespaces: Namespaces,
    captures: Vec<Capture<'p>>,
    /// Whether the text here is wanted.
    is_capturing: bool,
    /// Whether an end tag came that may be of an element that was passed.
    is_lost: bool,
}

impl<'p> Reader<'p> {
    /// Whether nothing here depends on the elements around.
    #[inline]
    fn is_idle(&self) -> bool {
        !self.is_capturing && self.elements.is_idle() && self.namespaces.is_html()
    }

    fn text(&mut self, node: &str, content: Content) -> Result<(), HtmlError> {
        let mut open = self.captures.iter_mut().filter(|capture| capture.is_open());
        open.try_for_each(|capture| capture.text(node, content))
    }

    #[inline]
    fn start(&mut self, tokens: &mut Tokens<'p>) -> Result<(), HtmlError> {
        let tag = &tokens.tag;
        let (name, kind) = self.elements.name(tag)?;
        let among_html = self.namespaces.current() == Namespace::Html;
        let is_open = self.namespaces.start(kind, tag);
        self.elements.start(tag, name, self.namespaces.current());
        if is_open {
            self.elements.push(name)?;
        }
        if !self.elements.found.is_empty() {
            let depth = is_open.then_some(self.elements.depth());
            for query in &self.elements.found {
                if let Some(capture) = self.captures.get_mut(*query) {
                    capture.found(tag, depth);
                }
            }
            self.is_capturing = self.captures.iter().any(Capture::is_open);
        }
        if among_html && kind.is_plain {
            return Ok(());
        }
        if among_html && kind.content != Content::Data {
            tokens.enter(kind.content);
        }
        tokens.has_cdata = self.namespaces.current() != Namespace::Html;
        match self.namespaces.depth() > DEPTH_LIMIT {
            true => Err(HtmlError::Deep),
            false => Ok(()),
        }
    }

    #[inline]
    fn end(&mut self, tokens: &mut Tokens<'p>) -> Result<(), HtmlError> {
        let (name, kind) = self.elements.name(&tokens.tag)?;
        self.namespaces.end(kind.role);
        tokens.has_cdata = self.namespaces.current() != Namespace::Html;
        match self.elements.end(name) {
            Some(depth) if self.is_capturing => {
                self.captures
                    .iter_mut()
                    .for_each(|capture| capture.end(depth));
                self.is_capturing = self.captures.iter().any(Capture::is_open);
            }
            None if self.elements.has_gap => self.is_lost = !self.is_idle(),
            _ => {}
        }
        Ok(())
    }
}

/// Every run of white space (no-break spaces too) as one space, none at the ends.
pub(crate) fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
