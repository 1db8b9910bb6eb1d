//! HPACK: how HTTP/2 writes fields (RFC 7541).

mod decode;
mod encode;
mod huffman;
mod table;

pub(super) use decode::{Decoder, Fault};
pub(super) use encode::Encoder;
#[cfg(test)]
pub(super) use encode::integer;
#[cfg(test)]
pub(super) use huffman::encode as huffman;

/// The dynamic table's size where nobody said anything else (RFC 9113 §6.5.2), in bytes
/// as RFC 7541 §4.1 counts them.
pub(super) const TABLE: usize = 4096;
