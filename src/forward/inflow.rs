//! The response's body out of the connection's bytes: where it ends, told strictly
//! (RFC 9112 §6.3).

use http::{StatusCode, Version};

use super::headers::{Coding, Length, Told, may_trail};
use super::{Error, Fault};
use crate::message::chunked::{Decoder, Step};
use crate::message::parse::Limits;
use crate::message::{Fields, Frame};
use crate::wire::Wire;

/// Of a trailer section.
const TRAILERS: Limits = Limits {
    bytes: 16 * 1024,
    fields: 64,
};

/// A response's body, read as it is framed.
#[derive(Debug)]
pub(super) struct Inflow {
    framing: Framing,
    /// Read, not handed on yet.
    trailers: Option<Fields>,
}

#[derive(Debug)]
enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// By chunks.
    Chunked(Decoder),
    /// By the connection's end.
    Close,
    /// It is whole.
    Whole,
}

impl Inflow {
    /// No body.
    pub(super) const fn none() -> Self {
        Self {
            framing: Framing::Whole,
            trailers: None,
        }
    }

    /// The body behind a head of this kind; `to_head` if HEAD was asked.
    ///
    /// # Errors
    /// Two readers could see its end in different places.
    pub(super) fn of(
        status: StatusCode,
        version: Version,
        told: &Told,
        to_head: bool,
    ) -> Result<Self, Error> {
        if to_head || is_bodiless(status) {
            return Ok(Self::none());
        }
        let framing = match (told.coding, told.length) {
            // RFC 9112 §6.1: HTTP/1.0 knows of no transfer coding, so whoever sent it is mistaken.
            (Coding::Chunked, _) if version < Version::HTTP_11 => {
                return Err(Error::TransferCoding);
            }
            (Coding::Other, _) => return Err(Error::TransferCoding),
            (Coding::Chunked, _) => Framing::Chunked(Decoder::new(TRAILERS)),
            (Coding::None, Length::Invalid) => return Err(Error::Framing),
            (Coding::None, Length::Known(0)) => Framing::Whole,
            (Coding::None, Length::Known(length)) => Framing::Length(length),
            (Coding::None, Length::None) => Framing::Close,
        };
        Ok(Self {
            framing,
            trailers: None,
        })
    }

    /// What there is of it in the bytes that were read; none: it is whole, or more must be read.
    pub(super) fn next(&mut self, wire: &mut Wire) -> Result<Option<Frame>, Fault> {
        let data = match &mut self.framing {
            Framing::Whole => return Ok(self.trailers.take().map(Frame::Trailers)),
            Framing::Length(left) => {
                let data = wire.take(usize::try_from(*left).unwrap_or(usize::MAX));
                *left = left.saturating_sub(u64::try_from(data.len()).unwrap_or(u64::MAX));
                if *left == 0 {
                    self.framing = Framing::Whole;
                }
                data
            }
            Framing::Close => wire.take(usize::MAX),
            Framing::Chunked(_) => {
                let length = self.advance(wire)?;
                let data = wire.take(length);
                if let Framing::Chunked(decoder) = &mut self.framing
                    && !data.is_empty()
                {
                    decoder.data(u64::try_from(data.len()).unwrap_or(u64::MAX));
                    // The end may be there already. What is wrong with it is told when it is asked for.
                    self.advance(wire).ok();
                }
                data
            }
        };
        if data.is_empty() {
            return Ok(self.trailers.take().map(Frame::Trailers));
        }
        Ok(Some(Frame::Data(data)))
    }

    /// Passes over chunks' framing up to data or the end; how much data there is.
    fn advance(&mut self, wire: &mut Wire) -> Result<usize, Fault> {
        let Framing::Chunked(decoder) = &mut self.framing else {
            return Ok(0);
        };
        loop {
            match decoder.step(&wire.rest)? {
                Step::Skip(length) => wire.skip(length),
                Step::Data(length) => return Ok(usize::try_from(length).unwrap_or(usize::MAX)),
                Step::More => return Ok(0),
                Step::End(mut trailers, length) => {
                    wire.skip(length);
                    trailers.retain(|name, _| may_trail(name));
                    self.trailers = Some(trailers).filter(|trailers| !trailers.is_empty());
                    self.framing = Framing::Whole;
                    return Ok(0);
                }
            }
        }
    }

    /// The connection has ended cleanly.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        match self.framing {
            Framing::Close | Framing::Whole => {
                self.framing = Framing::Whole;
                Ok(())
            }
            Framing::Length(_) | Framing::Chunked(_) => Err(Fault::End),
        }
    }

    /// Whether nothing more of it is on the connection.
    pub(super) const fn is_whole(&self) -> bool {
        matches!(self.framing, Framing::Whole)
    }

    /// Its trailers, where they have come.
    pub(super) fn into_trailers(self) -> Option<Fields> {
        self.trailers
    }

    /// Bytes still to come, where the head told it.
    pub(super) const fn left(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(left) => Some(left),
            Framing::Chunked(_) | Framing::Close | Framing::Whole => None,
        }
    }

    /// How much may be read at once: 0 where nothing is known.
    pub(super) fn expected(&self) -> usize {
        match &self.framing {
            Framing::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
            Framing::Chunked(decoder) => usize::try_from(decoder.expected()).unwrap_or(usize::MAX),
            Framing::Close | Framing::Whole => 0,
        }
    }
}

/// Whether a response of this status has no body, whatever its fields say (RFC 9112 §6.3).
fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}
