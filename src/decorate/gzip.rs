//! gzip, undone and done again while it streams (RFC 1952).

use std::io::Write as _;
use std::mem;

use bytes::Bytes;
use flate2::write::GzEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use super::BLOCK;

const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The window of deflate, in bits (RFC 1951).
const WINDOW_BITS: u8 = 15;

/// Why there is no block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does not begin as gzip does: what was taken, to be given out as it is.
    None(Bytes),
    /// It is no gzip from here on, or breaks off.
    Broken,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The first member.
    Start,
    /// The same, or another one: the first byte of its magic was seen.
    StartHalf,
    Member,
    Between,
    BetweenHalf,
    /// No member: padding, which nobody reads.
    Padding,
    Broken,
}

/// Undoes it: all members, up to what is none.
#[derive(Debug)]
pub(super) struct Gunzip {
    inflate: Decompress,
    place: Place,
    block: Vec<u8>,
}

impl Default for Gunzip {
    fn default() -> Self {
        Self {
            inflate: Decompress::new_gzip(WINDOW_BITS),
            place: Place::Start,
            block: Vec::with_capacity(BLOCK),
        }
    }
}

impl Gunzip {
    /// The next block out of `queue`; none where there is no more in it.
    pub(super) fn next(
        &mut self,
        queue: &mut Bytes,
        is_ended: bool,
    ) -> Result<Option<&[u8]>, Fault> {
        self.block.clear();
        loop {
            match self.place {
                Place::Padding => queue.clear(),
                Place::Broken => return Err(Fault::Broken),
                Place::Member => self.inflate(queue),
                _ if queue.is_empty() => {}
                _ => self.magic(queue)?,
            }
            if !self.block.is_empty() {
                return Ok(Some(&self.block));
            }
            if queue.is_empty() && self.place != Place::Broken {
                break;
            }
        }
        match self.place {
            // A body without a byte has no coding.
            Place::Start if is_ended => Err(Fault::None(Bytes::new())),
            Place::StartHalf if is_ended => Err(Fault::None(Bytes::from_static(&[0x1f]))),
            Place::Member if is_ended => Err(Fault::Broken),
            _ => Ok(None),
        }
    }

    /// Inflates until the block is full or there is nothing left to do.
    fn inflate(&mut self, queue: &mut Bytes) {
        let before = self.inflate.total_in();
        let status = self
            .inflate
            .decompress_vec(queue, &mut self.block, FlushDecompress::None);
        let taken = self.inflate.total_in() - before;
        let taken = usize::try_from(taken).unwrap_or(usize::MAX);
        drop(queue.split_to(taken.min(queue.len())));
        match status {
            Ok(Status::StreamEnd) => self.place = Place::Between,
            // It has something to read, room to write, and does nothing.
            Ok(_) if taken == 0 && self.block.is_empty() && !queue.is_empty() => {
                self.place = Place::Broken;
            }
            Ok(_) => {}
            Err(_) => self.place = Place::Broken,
        }
    }

    /// One byte of what should be a member's magic.
    fn magic(&mut self, queue: &mut Bytes) -> Result<(), Fault> {
        let [first, second] = MAGIC;
        let byte = queue.first().copied();
        self.place = match self.place {
            Place::Start if byte == Some(first) => Place::StartHalf,
            Place::Start => return Err(Fault::None(mem::take(queue))),
            Place::StartHalf if byte != Some(second) => {
                let taken = mem::take(queue);
                return Err(Fault::None([&[first], &*taken].concat().into()));
            }
            Place::Between if byte == Some(first) => Place::BetweenHalf,
            Place::BetweenHalf if byte != Some(second) => Place::Padding,
            Place::StartHalf | Place::BetweenHalf => {
                self.begin();
                return Ok(());
            }
            _ => Place::Padding,
        };
        drop(queue.split_to(1.min(queue.len())));
        Ok(())
    }

    /// A member begins, of which the first byte is taken.
    fn begin(&mut self) {
        let [first, _] = MAGIC;
        self.inflate = Decompress::new_gzip(WINDOW_BITS);
        let mut none = Vec::with_capacity(1);
        let begun = self
            .inflate
            .decompress_vec(&[first], &mut none, FlushDecompress::None);
        self.place = match begun {
            Ok(_) if self.inflate.total_in() == 1 => Place::Member,
            _ => Place::Broken,
        };
    }
}

/// Does it again, in one member; what goes in comes out at once.
#[derive(Debug)]
pub(super) struct Gzip(GzEncoder<Vec<u8>>);

impl Default for Gzip {
    fn default() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::fast()))
    }
}

impl Gzip {
    /// `bytes`, encoded; nothing for nothing.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.is_empty() {
            return Bytes::new();
        }
        let done = self.0.write_all(bytes).and_then(|()| self.0.flush());
        self.taken(done)
    }

    /// The same, and the end.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Bytes {
        let done = self.0.write_all(bytes).and_then(|()| self.0.try_finish());
        self.taken(done)
    }

    fn taken(&mut self, done: std::io::Result<()>) -> Bytes {
        if let Err(error) = done {
            tracing::error!(%error, "writing to memory failed");
        }
        mem::take(self.0.get_mut()).into()
    }
}
