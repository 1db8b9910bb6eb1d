//! HTML taken apart: tags, their attributes, the text between them (WHATWG HTML §13.2.5).
//!
//! Made for reading alone, so it costs little: tags are found, not copied, and attributes are
//! looked at where somebody asks.

pub(crate) mod attributes;
pub(crate) mod foreign;
pub(crate) mod kind;
pub(crate) mod raw;
pub(crate) mod scan;
pub(crate) mod tokens;
