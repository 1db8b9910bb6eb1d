//! The fields of a head while it is read.

use super::{Fields, Line, Names, offset};

/// Fields that stand in a message as they are, while they are found.
#[derive(Debug, Default)]
pub(in crate::message) struct Index {
    lines: Vec<Line>,
    names: Names,
    /// Some do not stand as they are written.
    odd: bool,
}

impl Index {
    /// The next field: where its line begins, its name, the end of its line, and whether it
    /// stands there as it is written.
    pub(in crate::message) fn add(
        &mut self,
        start: usize,
        name: &[u8],
        end: usize,
        straight: bool,
    ) {
        /// What a browser's head has, or a little more.
        const USUAL: usize = 24;
        if self.lines.capacity() == 0 {
            self.lines.reserve(USUAL);
        }
        self.odd |= !straight;
        self.names.add(name);
        self.lines.push(Line {
            start: offset(start),
            name: offset(name.len()),
            end: offset(end),
        });
    }

    pub(in crate::message) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The fields that were found in `text`. There is room for a few more.
    pub(in crate::message) fn fields(self, text: &[u8]) -> Fields {
        const MORE: usize = 256;
        let mut fields = Fields::with_capacity(text.len() + MORE, 0);
        fields.text.extend_from_slice(text);
        fields.lines = self.lines;
        fields.names = self.names;
        if self.odd {
            fields.straighten(text);
        }
        fields
    }
}
