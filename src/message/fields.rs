//! A head's fields in their order: bytes, spelling and repetition as they came.
//!
//! They stand in one buffer in the form in which they are written
//! (`Name: value\r\n`), with an index beside it, so that passing them on is a
//! copy and looking one up allocates nothing. The number of fields is small: those
//! that may be there (`names.rs`) are looked over one by one.

mod index;
mod names;

use std::ops::Range;

use super::parse::is_straight;
use super::text::trim;
use names::Names;

pub(super) use index::Index;

/// The fields of a head, or of a trailer section.
#[derive(Clone, Default)]
pub struct Fields {
    /// `Name: value\r\n`, one after the other; removed ones stay as gaps.
    text: Vec<u8>,
    lines: Vec<Line>,
    names: Names,
}

/// What becomes of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
    /// It has this value.
    Replace(Vec<u8>),
}

/// What stood in fields before it was replaced. Its text stays with them as long as they live.
#[derive(Debug, Default)]
pub struct Replaced {
    first: Option<Line>,
    /// Seldom any.
    more: Vec<Line>,
}

impl Replaced {
    /// Whether nothing was.
    pub const fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

/// Where a field stands in the text. Heads are bounded far below 4 GiB.
#[derive(Clone, Copy, Debug)]
struct Line {
    start: u32,
    name: u32,
    end: u32,
}

/// Between name and value.
const COLON: &[u8] = b": ";
/// Behind the value.
const CRLF: &[u8] = b"\r\n";

impl Line {
    fn name(self) -> Range<usize> {
        range(self.start, self.start.saturating_add(self.name))
    }

    fn value(self) -> Range<usize> {
        let start = self.start.saturating_add(self.name).saturating_add(2);
        range(start, self.end.saturating_sub(2))
    }

    fn whole(self) -> Range<usize> {
        range(self.start, self.end)
    }
}

fn range(start: u32, end: u32) -> Range<usize> {
    index(start)..index(end)
}

/// Lossless on every platform that tokio runs on.
fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Fields {
    /// No fields, with room for so many bytes and lines.
    pub fn with_capacity(bytes: usize, lines: usize) -> Self {
        Self {
            text: Vec::with_capacity(bytes),
            lines: Vec::with_capacity(lines),
            names: Names::default(),
        }
    }

    /// Adds a field behind all others. The caller has seen to it that `name` is a
    /// token and `value` has neither CR, LF nor NUL (RFC 9110 §5.1, §5.5).
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        self.text
            .reserve(name.len() + value.len() + COLON.len() + CRLF.len());
        self.append_by(name, |out| out.extend_from_slice(value));
    }

    /// Adds a field whose value `write` puts behind what is there, as by [`Self::append`].
    pub fn append_by(&mut self, name: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        self.names.add(name);
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(COLON);
        write(&mut self.text);
        self.text.extend_from_slice(CRLF);
        self.lines.push(Line {
            start: offset(start),
            name: offset(name.len()),
            end: offset(self.text.len()),
        });
    }

    /// Adds a field in front of all others; otherwise as [`Fields::append`].
    pub fn prepend(&mut self, name: &[u8], value: &[u8]) {
        self.append(name, value);
        self.lines.rotate_right(1);
    }

    /// Makes it the only field of this name, in the place of the first one.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        let Some(at) = self.position(name) else {
            self.append(name.as_bytes(), value);
            return;
        };
        self.replace(at, value);
        let mut seen = 0;
        let text = &self.text;
        self.lines.retain(|line| {
            let other = !is_named(text, *line, name);
            seen += usize::from(!other);
            other || seen == 1
        });
    }

    /// The first value under this name, given in lower case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let line = self.lines.get(self.position(name)?)?;
        Some(self.bytes(line.value()))
    }

    /// The first value under this name, where it is text in UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// Every value under this name, given in lower case, in their order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        debug_assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()));
        let named = move |line: &&Line| is_named(&self.text, **line, name);
        let lines = match self.names.may_have(name.as_bytes()) {
            true => self.lines.as_slice(),
            false => &[],
        };
        let lines = lines.iter().filter(named);
        lines.map(|line| self.bytes(line.value()))
    }

    /// Whether there is a field of this name, given in lower case.
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Every field: its name as it is spelt, its value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let both = |line: &Line| (self.bytes(line.name()), self.bytes(line.value()));
        self.lines.iter().map(both)
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Removes every field of this name, given in lower case; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        if !self.names.may_have(name.as_bytes()) {
            return false;
        }
        let before = self.lines.len();
        let text = &self.text;
        self.lines.retain(|line| !is_named(text, *line, name));
        self.lines.len() < before
    }

    /// Keeps the fields (name as it is spelt, value) that `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let text = &self.text;
        let part = |range| text.get::<Range<usize>>(range).unwrap_or_default();
        self.lines
            .retain(|line| keep(part(line.name()), part(line.value())));
    }

    /// Removes the fields that `keep` does not want (name as it is spelt, value), of those that
    /// `may` means by their names' first bytes and lengths: a quick look that spares most of them
    /// a closer one.
    pub fn retain_some(
        &mut self,
        may: impl Fn(u8, usize) -> bool,
        mut keep: impl FnMut(&[u8], &[u8]) -> bool,
    ) {
        let mut at = 0;
        while let Some(line) = self.lines.get(at).copied() {
            if self.looks(line, &may) && !keep(self.bytes(line.name()), self.bytes(line.value())) {
                self.lines.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// The fields (name as it is spelt, value) that `may` means, as by [`Self::retain_some`].
    pub fn some(&self, may: impl Fn(u8, usize) -> bool) -> impl Iterator<Item = (&[u8], &[u8])> {
        let lines = self.lines.iter().copied();
        let lines = lines.filter(move |line| self.looks(*line, &may));
        lines.map(|line| (self.bytes(line.name()), self.bytes(line.value())))
    }

    /// Does to each value under this name, given in lower case, what `change` says of it; what
    /// stood there before.
    pub fn edit(&mut self, name: &str, mut change: impl FnMut(&[u8]) -> Edit) -> Replaced {
        let mut replaced = Replaced::default();
        if !self.names.may_have(name.as_bytes()) {
            return replaced;
        }
        let mut at = 0;
        while let Some(line) = self.lines.get(at).copied() {
            if !is_named(&self.text, line, name) {
                at += 1;
                continue;
            }
            match change(self.bytes(line.value())) {
                Edit::Keep => {
                    at += 1;
                    continue;
                }
                Edit::Remove => drop(self.lines.remove(at)),
                Edit::Replace(value) => {
                    self.replace(at, &value);
                    at += 1;
                }
            }
            match replaced.first {
                None => replaced.first = Some(line),
                Some(_) => replaced.more.push(line),
            }
        }
        replaced
    }

    /// The values that an [`edit`](Self::edit) has replaced; it must have been of these very fields.
    pub fn replaced(&self, replaced: &Replaced) -> impl Iterator<Item = &[u8]> {
        let lines = replaced.first.iter().chain(&replaced.more);
        lines.map(|line| self.bytes(line.value()))
    }

    /// Gives a line another value. Written at the end, then put in its place: the index gives the order.
    fn replace(&mut self, at: usize, value: &[u8]) {
        let Some(line) = self.lines.get(at) else {
            return;
        };
        let spelt = self.bytes(line.name()).to_vec();
        self.append(&spelt, value);
        let Some(line) = self.lines.pop() else { return };
        if let Some(replaced) = self.lines.get_mut(at) {
            *replaced = line;
        }
    }

    /// Writes them as HTTP/1.1 does: `Name: value`, each with CR LF behind it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut lines = self.lines.iter().copied();
        let Some(mut run) = lines.next() else { return };
        for line in lines {
            // Neighbours are copied in one go.
            if line.start == run.end {
                run.end = line.end;
                continue;
            }
            out.extend_from_slice(self.bytes(run.whole()));
            run = line;
        }
        out.extend_from_slice(self.bytes(run.whole()));
    }

    /// What they take when written.
    pub fn written(&self) -> usize {
        self.lines.iter().map(|line| line.whole().len()).sum()
    }

    /// Writes anew, at the end, what does not stand in `text` as it is to be written.
    fn straighten(&mut self, text: &[u8]) {
        for line in std::mem::take(&mut self.lines) {
            let part = |range: Range<usize>| text.get(range).unwrap_or_default();
            let name = line.name();
            let rest = part(name.end + 1..index(line.end).saturating_sub(2));
            if is_straight(rest) {
                self.lines.push(line);
            } else {
                self.append(part(name), trim(rest));
            }
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        if !self.names.may_have(name.as_bytes()) {
            return None;
        }
        let mut lines = self.lines.iter();
        lines.position(|line| is_named(&self.text, *line, name))
    }

    fn looks(&self, line: Line, may: impl Fn(u8, usize) -> bool) -> bool {
        let first = self.text.get(index(line.start));
        first.is_some_and(|first| may(*first, index(line.name)))
    }

    fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.text.get(range).unwrap_or_default()
    }
}

fn is_named(text: &[u8], line: Line, name: &str) -> bool {
    index(line.name) == name.len()
        && text
            .get(line.name())
            .is_some_and(|own| own.eq_ignore_ascii_case(name.as_bytes()))
}

impl std::fmt::Debug for Fields {
    /// Names only: values may be a person's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.iter().map(|(name, _)| String::from_utf8_lossy(name));
        f.debug_list().entries(names).finish()
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Fields {
    /// As by [`Fields::append`].
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut all = Self::default();
        for (name, value) in fields {
            all.append(name.as_ref(), value.as_ref());
        }
        all
    }
}

#[cfg(test)]
mod tests;
