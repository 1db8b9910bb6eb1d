//! One page on its way: its bytes pass, with tokens between them.
//!
//! The bytes that the shop sent are kept here, apart from what reads them, and pass from here. So
//! whatever becomes of the reader, the rest of the page passes.
//!
//! The reader lags behind: it is set on what has passed only where a piece may name a sibling. What
//! it would put in belongs behind that name, so it comes in time.

use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use memchr::memchr;
use memchr::memmem::Finder;

use super::BLOCK;
use super::around::Around;
use super::links::{Insertions, Links};
use super::named;
use super::reader::Reader;
use crate::hand_over::url::Siblings;
use crate::store::Scheme;

/// Most bytes in which the reader lags behind.
const LAG_LIMIT: usize = 128 * 1024;

/// Longest tag in bytes. Behind a longer one a page is not read any more.
const TAG_LIMIT: usize = 512 * 1024;

/// A page that is being read; without a reader the rest of it passes.
pub(super) struct Page {
    reader: Option<Box<Reader<dyn Siblings + Send>>>,
    slashes: Finder<'static>,
    /// What the reader has not read, or must read again.
    unread: Vec<u8>,
    /// How many bytes of that have passed.
    passed: usize,
    /// How much of that was there when the reader stopped.
    left: usize,
    /// Whether it is a tag that has not ended.
    is_tag: bool,
    /// Whether the reader panicked.
    has_panicked: bool,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("is_read", &self.reader.is_some())
            .field("unread", &self.unread.len())
            .field("passed", &self.passed)
            .finish_non_exhaustive()
    }
}

impl Page {
    pub(super) fn new(
        scheme: Scheme,
        parameter: &str,
        siblings: impl Siblings + Send + 'static,
    ) -> Self {
        let links = Links {
            scheme,
            parameter: parameter.to_owned(),
            around: Around::default(),
            insertions: Vec::new(),
            siblings,
        };
        Self {
            reader: Some(Box::new(Reader::new(links))),
            slashes: Finder::new(b"//"),
            unread: Vec::new(),
            passed: 0,
            left: 0,
            is_tag: false,
            has_panicked: false,
        }
    }

    /// Whether its reader has panicked since it was last asked.
    pub(super) fn has_panicked(&mut self) -> bool {
        std::mem::take(&mut self.has_panicked)
    }

    /// What passes of `bytes` and of what was kept back; none where it is `bytes` as they are.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.reader.as_ref()?;
        let before = self.unread.len();
        if before == 0 {
            self.unread.reserve(BLOCK);
        }
        let is_held = self.passed < before;
        self.unread.extend_from_slice(bytes);
        let looking = AssertUnwindSafe(|| self.look(before, is_held));
        let look = catch_unwind(looking).unwrap_or_else(|_panic| {
            self.has_panicked = true;
            Look::NONE
        });
        if look.is_last {
            self.reader = None;
        }
        let to = match look.is_last {
            true => self.unread.len(),
            false => look.to,
        };
        let end = match look.keeps {
            true => to.max(self.passed),
            false => self.unread.len(),
        };
        let is_same = !is_held && !look.keeps && look.insertions.is_empty();
        let out = (!is_same).then(|| spliced(&self.unread, self.passed..end, &look.insertions));
        drop(self.unread.drain(..to));
        self.passed = end - to;
        out
    }

    /// What was kept back.
    pub(super) fn end(&mut self) -> Vec<u8> {
        self.reader = None;
        let mut rest = std::mem::take(&mut self.unread);
        drop(rest.drain(..self.passed.min(rest.len())));
        rest
    }

    /// Reads on where it must: what is unread from `new` on has just come.
    fn look(&mut self, new: usize, is_held: bool) -> Look {
        let Some(reader) = &mut self.reader else {
            return Look::NONE;
        };
        let names = |reader: &Reader<_>, from: usize| {
            let rest = self.unread.get(from..).unwrap_or_default();
            named::is_in(rest, &self.slashes, |host| reader.may_be(host))
        };
        let is_named = is_held || names(reader, new.saturating_sub(named::LENGTH_LIMIT));
        let mut look = Look {
            to: 0,
            insertions: Vec::new(),
            keeps: is_named,
            is_last: false,
        };
        let new = self.unread.get(new..).unwrap_or_default();
        // A tag that has not ended does not end without this.
        let may_end = !self.is_tag || memchr(b'>', new).is_some();
        if may_end && (is_named || self.unread.len() - self.left > LAG_LIMIT) {
            let Some((read, insertions)) = reader.read(&self.unread) else {
                tracing::debug!("the rest of a page is not decorated: it is too deep");
                return Look::NONE;
            };
            self.is_tag = read.is_tag;
            self.left = self.unread.len() - read.to;
            look.to = read.to;
            look.insertions = insertions;
            look.keeps = read.is_tag && names(reader, read.to);
        }
        look.is_last = self.is_tag && self.unread.len() - look.to > TAG_LIMIT;
        if look.is_last {
            tracing::debug!("the rest of a page is not decorated: a tag is too long");
            look.keeps = false;
        }
        look
    }
}

/// What is to be done with what is unread.
struct Look {
    /// So much of it was read.
    to: usize,
    insertions: Insertions,
    /// Whether the rest is kept back.
    keeps: bool,
    /// Whether nothing is read any more.
    is_last: bool,
}

impl Look {
    /// All passes as it is.
    const NONE: Self = Self {
        to: 0,
        insertions: Vec::new(),
        keeps: false,
        is_last: true,
    };
}

/// These bytes, with what goes in before some of them.
fn spliced(bytes: &[u8], range: Range<usize>, insertions: &Insertions) -> Vec<u8> {
    let length: usize = insertions.iter().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(range.len() + length);
    let mut from = range.start;
    for (at, text) in insertions {
        // One that came too late would be before `from`.
        if let Some(before) = bytes.get(from..*at) {
            out.extend_from_slice(before);
            out.extend_from_slice(text.as_bytes());
            from = *at;
        }
    }
    out.extend_from_slice(bytes.get(from..range.end).unwrap_or_default());
    out
}
