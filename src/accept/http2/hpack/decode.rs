//! A header block read (RFC 7541 §3, §6).

use std::cell::Cell;

use super::super::name::Name;
use super::super::value::is_sound;
use super::table::Table;
use super::{Field, TABLE, huffman};

/// The block is not valid; what comes behind it cannot be read any more (RFC 7541 §2.1,
/// RFC 9113 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::accept::http2) struct Fault(pub(in crate::accept::http2) &'static str);

/// Reads the blocks of one connection in their order.
#[derive(Debug)]
pub(in crate::accept::http2) struct Decoder {
    table: Table,
}

/// A string as it stands in a block.
#[derive(Clone, Copy)]
struct Text<'a> {
    coded: bool,
    bytes: &'a [u8],
}

/// Where strings are decoded: name and value.
#[derive(Default)]
struct Scratch {
    name: Vec<u8>,
    value: Vec<u8>,
}

thread_local! {
    /// No connection owns one.
    static SCRATCH: Cell<Scratch> = const {
        Cell::new(Scratch {
            name: Vec::new(),
            value: Vec::new(),
        })
    };
}

/// A scratch that a long string has made larger is not kept.
const KEPT: usize = 16 * 1024;

const SHORT: Fault = Fault("a header block ends within a field");

impl Decoder {
    /// With the table size that holds where no other was agreed.
    pub(in crate::accept::http2) const fn new() -> Self {
        Self {
            table: Table::new(TABLE),
        }
    }

    /// Reads a whole block and hands out its fields in their order. All of it must be read,
    /// wanted or not, or the tables of both sides differ.
    ///
    /// # Errors
    /// The block is not valid.
    pub(in crate::accept::http2) fn decode(
        &mut self,
        block: &[u8],
        field: impl FnMut(Field<'_>),
    ) -> Result<(), Fault> {
        let mut scratch = SCRATCH.take();
        let read = self.fields(block, &mut scratch, field);
        if scratch.name.capacity().max(scratch.value.capacity()) <= KEPT {
            SCRATCH.set(scratch);
        }
        read
    }

    fn fields(
        &mut self,
        mut block: &[u8],
        scratch: &mut Scratch,
        mut field: impl FnMut(Field<'_>),
    ) -> Result<(), Fault> {
        let mut begun = false;
        while let Some(first) = block.first().copied() {
            match first {
                0x80.. => {
                    let index = integer(&mut block, 7)?;
                    field(self.table.get(index).ok_or(UNKNOWN)?);
                }
                0x40.. => self.literal(&mut block, 6, scratch, &mut field)?,
                0x20.. => {
                    if begun {
                        return Err(Fault("a table size behind a field"));
                    }
                    self.resize(integer(&mut block, 5)?)?;
                    continue;
                }
                _ => self.literal(&mut block, 4, scratch, &mut field)?,
            }
            begun = true;
        }
        Ok(())
    }

    /// A literal; with a prefix of six bits it goes into the table (RFC 7541 §6.2).
    fn literal(
        &mut self,
        block: &mut &[u8],
        prefix: u32,
        scratch: &mut Scratch,
        field: &mut impl FnMut(Field<'_>),
    ) -> Result<(), Fault> {
        let indexed = prefix == 6;
        let index = integer(block, prefix)?;
        if index == 0 {
            let name = text(block)?.decoded(&mut scratch.name)?;
            let value = text(block)?.decoded(&mut scratch.value)?;
            let meaning = Name::of(name);
            let literal = Field {
                name: meaning,
                text: name,
                value,
                sound: is_sound(meaning, value),
            };
            field(literal);
            if indexed {
                self.table.insert(literal);
            }
            return Ok(());
        }
        let found = self.table.get(index).ok_or(UNKNOWN)?;
        let value = text(block)?.decoded(&mut scratch.value)?;
        let sound = is_sound(found.name, value);
        field(Field {
            value,
            sound,
            ..found
        });
        if indexed {
            self.table.insert_named(index, value, sound);
        }
        Ok(())
    }

    fn resize(&mut self, most: usize) -> Result<(), Fault> {
        if most > TABLE {
            return Err(Fault("a table size above the setting"));
        }
        self.table.resize(most);
        Ok(())
    }
}

const UNKNOWN: Fault = Fault("an index without a field");

impl<'a> Text<'a> {
    fn decoded(self, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], Fault> {
        if !self.coded {
            return Ok(self.bytes);
        }
        scratch.clear();
        if huffman::decode(self.bytes, scratch) {
            Ok(scratch)
        } else {
            Err(Fault("a string is not valid Huffman code"))
        }
    }
}

/// A string literal (RFC 7541 §5.2).
fn text<'a>(block: &mut &'a [u8]) -> Result<Text<'a>, Fault> {
    let coded = block.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(block, 7)?;
    let (bytes, rest) = block.split_at_checked(length).ok_or(SHORT)?;
    *block = rest;
    Ok(Text { coded, bytes })
}

/// An integer with a prefix of so many bits (RFC 7541 §5.1), below 2^28: no block is longer.
fn integer(block: &mut &[u8], prefix: u32) -> Result<usize, Fault> {
    let (first, mut rest) = block.split_first().ok_or(SHORT)?;
    let most = 0xff_u8 >> (8 - prefix);
    let start = first & most;
    let mut number = usize::from(start);
    if start == most {
        let mut shift = 0;
        loop {
            let (byte, behind) = rest.split_first().ok_or(SHORT)?;
            rest = behind;
            number += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > 21 {
                return Err(Fault("a number is too large"));
            }
        }
    }
    *block = rest;
    Ok(number)
}

#[cfg(test)]
mod tests;
