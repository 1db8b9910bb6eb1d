//! The postback URL as pasted from the network, filled in one pass.

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template {}
