//! Sessions of the shop's, as the ledger is told and asked of them.

use crate::clock::Time;
use crate::session::Mark;
use crate::visit::Visit;

/// A session that came with a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its marks; the first is written, every one may be there.
    pub marks: Vec<Mark>,
    /// The visit.
    pub visit: Visit,
    /// When they came together.
    pub at: Time,
    /// Until when that is remembered.
    pub until: Time,
}

/// What became of a session that is to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is remembered with its visit.
    Remembered,
    /// It came with another visit than before: from now on with none.
    Shared,
    /// It had come with two visits before.
    SharedBefore,
}

/// What is known of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It was not seen, or its time is over.
    Nothing,
    /// The one visit that it came with, as it was last.
    Visit(Visit),
    /// It came with two.
    Shared,
}
