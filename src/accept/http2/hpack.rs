//! HPACK: how HTTP/2 writes fields (RFC 7541).

mod decode;
mod encode;
mod huffman;
mod table;

use super::name::Name;

pub(super) use decode::{Decoder, Fault};
pub(super) use encode::Encoder;
#[cfg(test)]
pub(super) use encode::integer;
#[cfg(test)]
pub(super) use huffman::encode as huffman;

/// A field as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// What its name means.
    pub(super) name: Name,
    /// Its name.
    pub(super) text: &'a [u8],
    pub(super) value: &'a [u8],
    /// A request may have it, with this value; see [`super::value::is_sound`].
    pub(super) sound: bool,
}

/// The dynamic table's size where nobody said anything else (RFC 9113 §6.5.2), in bytes
/// as RFC 7541 §4.1 counts them.
pub(super) const TABLE: usize = 4096;
