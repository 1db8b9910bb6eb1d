//! The texts of one query's elements as they come.

use std::borrow::Cow;

use memchr::memchr;

use super::element::attribute;
use super::{HtmlError, MATCH_LIMIT, Matches, Part, TEXT_LIMIT};
use crate::html::tokens::{Content, Tag};

/// What one query has found so far.
pub(super) struct Capture<'p> {
    part: &'p Part,
    elements: usize,
    texts: Vec<String>,
    /// Elements whose end has not come: their text, and how many elements are open in them.
    open: Vec<(usize, usize)>,
    /// Whether one ended only because something around it did. The standard lets
    /// `</td>`, `</li>` and others be left out, and then siblings seem to be within it.
    is_run_on: bool,
    /// How many more bytes may be kept.
    room: usize,
}

impl<'p> Capture<'p> {
    /// Of a page of `length` bytes: each text of it may be kept once, and many that are within one another.
    pub(super) const fn new(part: &'p Part, length: usize) -> Self {
        Self {
            part,
            elements: 0,
            texts: Vec::new(),
            open: Vec::new(),
            is_run_on: false,
            room: length.saturating_add(MATCH_LIMIT * TEXT_LIMIT),
        }
    }

    /// Whether text is wanted here.
    pub(super) const fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// An element was found; in it `depth` elements are open, or it has no content.
    pub(super) fn found(&mut self, tag: &Tag<'_>, depth: Option<usize>) {
        self.elements += 1;
        if self.elements > MATCH_LIMIT {
            return;
        }
        if let Part::Attribute(name) = self.part {
            self.texts.extend(attribute(tag, name).map(Cow::into_owned));
            return;
        }
        if let Some(depth) = depth {
            self.open.push((self.texts.len(), depth));
        }
        self.texts.push(String::new());
    }

    /// An end tag came: only `depth` elements are open now. If one more was, that one had its name.
    pub(super) fn end(&mut self, depth: usize) {
        while let Some((_, inner)) = self.open.last() {
            if *inner <= depth {
                return;
            }
            self.is_run_on |= *inner != depth + 1;
            self.open.pop();
        }
    }

    /// A text node goes to every open element.
    pub(super) fn text(&mut self, node: &str, content: Content) -> Result<(), HtmlError> {
        let is_script = *self.part == Part::Script;
        let wanted = match content {
            Content::Script => is_script,
            Content::Data | Content::Rc | Content::Plain => !is_script,
            Content::Raw => false,
        };
        if !wanted || node.is_empty() {
            return Ok(());
        }
        let has_references = matches!(content, Content::Data | Content::Rc);
        let text = match has_references && memchr(b'&', node.as_bytes()).is_some() {
            true => htmlize::unescape(node),
            false => Cow::Borrowed(node),
        };
        for (at, _) in &self.open {
            let Some(whole) = self.texts.get_mut(*at) else {
                continue;
            };
            if is_script || whole.len() < TEXT_LIMIT {
                self.room = self.room.checked_sub(text.len()).ok_or(HtmlError::Texts)?;
                whole.push_str(&text);
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Matches {
        let is_script = *self.part == Part::Script;
        let texts = self.texts.into_iter().map(|text| match is_script {
            true => text,
            false => super::collapsed(&text),
        });
        Matches {
            is_cut: self.is_run_on || !self.open.is_empty(),
            elements: self.elements,
            texts: texts.collect(),
        }
    }
}
