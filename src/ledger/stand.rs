//! How a postback begins, as a row has it: the same in every engine.

use super::error::Error;
use super::row::to_word;
use crate::order::NewPostback;
use crate::postback::State;

/// How a postback that is entered or completed stands: due at once, or held.
pub(super) struct Stand<'a> {
    pub(super) state: State,
    pub(super) doubt: Option<String>,
    pub(super) cause: Option<&'a str>,
    pub(super) due: Option<i64>,
}

impl<'a> Stand<'a> {
    pub(super) fn of(postback: &'a NewPostback, at: i64) -> Result<Self, Error> {
        Ok(match &postback.held {
            None => Self {
                state: State::Due,
                doubt: None,
                cause: None,
                due: Some(at),
            },
            Some((doubt, cause)) => Self {
                state: State::Held,
                doubt: Some(to_word("postbacks.doubt", doubt)?),
                cause: Some(cause),
                due: None,
            },
        })
    }
}
