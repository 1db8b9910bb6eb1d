//! Decorates a page: links and forms that lead to a sibling store get a token, while the page
//! streams.
//!
//! Nothing else of the page changes, not by a byte: what goes to the shopper is what the shop sent,
//! with the tokens put in between. It streams, and keeps back no more than a tag that names a sibling
//! and has not ended; where it gives up, the rest of the page passes as it is. A piece in
//! which no sibling is named is not even read.

mod around;
mod attribute;
mod gzip;
mod links;
mod named;
mod page;
mod reader;
mod refresh;

use std::mem;

use bytes::Bytes;
use encoding_rs::Encoding;

use crate::hand_over::url::{self, Siblings};
use crate::store::Scheme;
use gzip::{Gunzip, Gzip};
use page::Page;

/// Most bytes of a page that one call of [`Decorator::read`] reads, coded or not: a chunk of gzip
/// may be a thousand times as much.
const BLOCK: usize = 32 * 1024;

/// A `Refresh` field's value with the token in its address, as in the page's `<meta>`; none if it
/// gets none.
pub fn refreshed(
    value: &str,
    scheme: Scheme,
    parameter: &str,
    siblings: &mut impl Siblings,
) -> Option<String> {
    let range = refresh::address(value)?;
    let address = value.get(range.clone())?.trim_ascii_end();
    let decorated = url::decorate(address, scheme, parameter, siblings)?;
    let behind = value.get(range.start + address.len()..)?;
    Some([value.get(..range.start)?, &decorated, behind].concat())
}

/// In which coding the shop sends a page that can be decorated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Identity,
    /// `gzip` (RFC 1952), also called `x-gzip`; it is decoded, and encoded again.
    Gzip,
}

impl Coding {
    /// That of a page with this `Content-Type` and `Content-Encoding` (empty if there is none);
    /// none if it cannot be decorated: it is no HTML, its charset is not one in which tags are
    /// ASCII (UTF-16, ISO-2022-JP), or its coding is another one.
    #[must_use]
    pub fn of(content_type: &str, content_encoding: &str) -> Option<Self> {
        let mut parts = content_type.split(';').map(str::trim);
        let is_html = parts
            .next()
            .is_some_and(|essence| essence.eq_ignore_ascii_case("text/html"));
        let is_ascii = parts
            .filter_map(|part| part.split_once('='))
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
            .filter_map(|(_, label)| {
                Encoding::for_label(label.trim().trim_matches(['"', '\'']).as_bytes())
            })
            .all(Encoding::is_ascii_compatible);
        if !is_html || !is_ascii {
            return None;
        }
        match content_encoding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            _ => None,
        }
    }
}

/// The shop's body is not what its coding says, or it breaks off.
///
/// What could be read of it has been given out, so the shopper's body is to break off as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the page is not gzip, or it breaks off")]
pub struct Broken;

/// A page that is being decorated: what the shop sends goes in, what the shopper gets comes out.
///
/// The caller asks [`Self::read`] until there is nothing, and then waits for the shop:
///
/// ```text
/// while let Some(bytes) = decorator.read()? { … }    then    decorator.write(chunk)
///                                                    or      decorator.end()
/// ```
///
/// All that can be given out is, with each chunk; what is kept back is at most a tag.
#[derive(Debug)]
pub struct Decorator {
    page: Page,
    coder: Coder,
    /// What the shop sent and was not read yet.
    queue: Bytes,
    state: State,
}

#[derive(Debug)]
enum Coder {
    Identity,
    Gzip(Box<(Gunzip, Gzip)>),
    /// What calls itself gzip and is none: passed as it is.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The shop's body has ended.
    Ended,
    /// What was readable is given out, the rest is broken.
    Broken,
    /// All is given out.
    Done,
}

impl Decorator {
    /// `parameter` is what the token is called in a query, `scheme` that of the page itself, for
    /// links that leave it out.
    pub fn new(
        coding: Coding,
        scheme: Scheme,
        parameter: &str,
        siblings: impl Siblings + Send + 'static,
    ) -> Self {
        Self {
            page: Page::new(scheme, parameter, siblings),
            coder: match coding {
                Coding::Identity => Coder::Identity,
                Coding::Gzip => Coder::Gzip(Box::default()),
            },
            queue: Bytes::new(),
            state: State::Open,
        }
    }

    /// Whether what reads the page has panicked since this was last asked. The page passes on as it is.
    pub fn has_panicked(&mut self) -> bool {
        self.page.has_panicked()
    }

    /// The shop sent `chunk`; [`Self::read`] had nothing more, or it is copied.
    pub fn write(&mut self, chunk: Bytes) {
        self.queue = match self.queue.is_empty() {
            true => chunk,
            false => [mem::take(&mut self.queue), chunk].concat().into(),
        };
    }

    /// The shop's body has ended, as it should.
    pub fn end(&mut self) {
        if self.state == State::Open {
            self.state = State::Ended;
        }
    }

    /// What the shopper gets next, never empty; none where the shop must send more, or all is given
    /// out. The work of one call is bounded, however much a chunk decodes to.
    ///
    /// # Errors
    ///
    /// The body is broken; what was readable has come before.
    pub fn read(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            let (out, is_over) = match (self.state, &self.coder) {
                (State::Done, _) => return Ok(None),
                (State::Broken, _) => return Err(Broken),
                (_, Coder::Gzip(_)) => self.next_of_gzip(),
                (_, Coder::Identity) => self.next_of_identity(),
                (_, Coder::None) => (mem::take(&mut self.queue), self.queue.is_empty()),
            };
            if is_over && self.state == State::Ended {
                self.state = State::Done;
            }
            if !out.is_empty() {
                return Ok(Some(out));
            }
            if is_over && self.state == State::Open {
                return Ok(None);
            }
        }
    }

    /// A block, and whether there is no more.
    fn next_of_identity(&mut self) -> (Bytes, bool) {
        let block = self.queue.split_to(self.queue.len().min(BLOCK));
        if !block.is_empty() {
            let written = self.page.write(&block);
            return (written.map_or(block, Bytes::from), false);
        }
        let rest = match self.state {
            State::Ended => self.page.end(),
            _ => Vec::new(),
        };
        (rest.into(), true)
    }

    fn next_of_gzip(&mut self) -> (Bytes, bool) {
        let Coder::Gzip(coder) = &mut self.coder else {
            return (Bytes::new(), true);
        };
        let (gunzip, gzip) = &mut **coder;
        let is_ended = self.state == State::Ended;
        let block = match gunzip.next(&mut self.queue, is_ended) {
            Ok(block) => block,
            Err(gzip::Fault::None(bytes)) => {
                self.coder = Coder::None;
                return (bytes, false);
            }
            Err(gzip::Fault::Broken) => {
                self.state = State::Broken;
                return (gzip.write(&self.page.end()), false);
            }
        };
        match block {
            Some(block) => {
                let written = self.page.write(block);
                (gzip.write(written.as_deref().unwrap_or(block)), false)
            }
            None if is_ended => (gzip.end(&self.page.end()), true),
            None => (Bytes::new(), true),
        }
    }
}

#[cfg(test)]
mod tests;
