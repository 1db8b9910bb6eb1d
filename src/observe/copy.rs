//! The bounded copy of a body, filled while the shopper's bytes go by.

use bytes::{Bytes, BytesMut};

/// A copy of a body as sent. Beyond its limit it keeps nothing, and says so.
#[derive(Debug)]
pub struct Copy {
    kept: Kept,
    limit: usize,
}

#[derive(Debug)]
enum Kept {
    /// Most pages come in few pieces: what came is kept by reference until the end.
    Pieces(Vec<Bytes>, usize),
    OverLimit,
}

impl Copy {
    /// An empty copy that keeps at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            kept: Kept::Pieces(Vec::new(), 0),
            limit,
        }
    }

    /// Keeps `piece` unless the limit is passed by it, or was before.
    pub fn push(&mut self, piece: &Bytes) {
        let Kept::Pieces(pieces, length) = &mut self.kept else {
            return;
        };
        match length.checked_add(piece.len()) {
            Some(total) if total <= self.limit => {
                *length = total;
                join(pieces, piece);
            }
            _ => self.kept = Kept::OverLimit,
        }
    }

    /// Whether more came than the limit allows.
    pub fn is_over(&self) -> bool {
        matches!(self.kept, Kept::OverLimit)
    }

    /// The whole body, or nothing if it was larger than the limit.
    pub fn finish(self) -> Option<Bytes> {
        let Kept::Pieces(mut pieces, length) = self.kept else {
            return None;
        };
        if pieces.len() <= 1 {
            return Some(pieces.pop().unwrap_or_default());
        }
        let mut whole = BytesMut::with_capacity(length);
        for piece in &pieces {
            whole.extend_from_slice(piece);
        }
        Some(whole.freeze())
    }
}

/// A small piece of a large read buffer would keep that whole buffer alive, and
/// a body in single bytes would cost far more than its limit: small pieces are copied.
fn join(pieces: &mut Vec<Bytes>, piece: &Bytes) {
    const SMALL: usize = 4096;
    if piece.is_empty() {
        return;
    }
    if piece.len() >= SMALL {
        pieces.push(piece.clone());
        return;
    }
    match pieces.pop() {
        Some(last) if last.len() < SMALL => {
            let mut joined = BytesMut::from(last);
            joined.extend_from_slice(piece);
            pieces.push(joined.freeze());
        }
        last => {
            pieces.extend(last);
            pieces.push(Bytes::copy_from_slice(piece));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_limit_holds_to_the_byte() {
        let mut copy = Copy::new(4);
        copy.push(&Bytes::from_static(b"abcd"));
        copy.push(&Bytes::new());
        assert!(!copy.is_over());
        copy.push(&Bytes::from_static(b"e"));
        assert!(copy.is_over());
        copy.push(&Bytes::from_static(b""));
        assert_eq!(copy.finish(), None);
    }

    proptest! {
        #[test]
        fn pieces_come_out_as_one(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..6000), 0..20)) {
            let mut copy = Copy::new(usize::MAX);
            for piece in &pieces {
                copy.push(&Bytes::from(piece.clone()));
            }
            prop_assert_eq!(copy.finish().unwrap(), pieces.concat());
        }
    }
}
