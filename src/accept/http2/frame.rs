//! Frames: their heads read, the small ones written (RFC 9113 §4.1, §6).

use super::fault::Code;

/// Bytes before a frame's payload.
pub(super) const HEAD: usize = 9;

/// The largest payload that we accept, and the largest that we send: what every peer
/// must accept (RFC 9113 §6.5.2).
pub(super) const LARGEST: usize = 16_384;

/// Frame types (RFC 9113 §6); others are passed over (§5.5).
pub(super) mod kind {
    pub(crate) const DATA: u8 = 0x0;
    pub(crate) const HEADERS: u8 = 0x1;
    pub(crate) const PRIORITY: u8 = 0x2;
    pub(crate) const RST_STREAM: u8 = 0x3;
    pub(crate) const SETTINGS: u8 = 0x4;
    pub(crate) const PUSH_PROMISE: u8 = 0x5;
    pub(crate) const PING: u8 = 0x6;
    pub(crate) const GOAWAY: u8 = 0x7;
    pub(crate) const WINDOW_UPDATE: u8 = 0x8;
    pub(crate) const CONTINUATION: u8 = 0x9;
}

/// Frame flags (RFC 9113 §6).
pub(super) mod flag {
    /// On DATA and HEADERS.
    pub(crate) const END_STREAM: u8 = 0x1;
    /// On SETTINGS and PING.
    pub(crate) const ACK: u8 = 0x1;
    /// On HEADERS and CONTINUATION.
    pub(crate) const END_HEADERS: u8 = 0x4;
    /// On DATA and HEADERS.
    pub(crate) const PADDED: u8 = 0x8;
    /// On HEADERS.
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of payload.
    pub(super) length: usize,
    /// See [`kind`].
    pub(super) kind: u8,
    /// See [`flag`].
    pub(super) flags: u8,
    /// 0: the connection.
    pub(super) stream: u32,
}

impl Head {
    /// The head at the front of `bytes`, if all of it is there.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[a, b, c, kind, flags, d, e, f, g], _payload) = bytes.split_first_chunk::<HEAD>()?;
        Some(Self {
            length: usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX),
            kind,
            flags,
            // The reserved bit is ignored (RFC 9113 §4.1).
            stream: u32::from_be_bytes([d & 0x7f, e, f, g]),
        })
    }

    /// Whether `flag` is set.
    pub(super) const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// As it is written.
    pub(super) fn bytes(self) -> [u8; HEAD] {
        let [_, a, b, c] = u32::try_from(self.length).unwrap_or(u32::MAX).to_be_bytes();
        let [d, e, f, g] = self.stream.to_be_bytes();
        [a, b, c, self.kind, self.flags, d, e, f, g]
    }
}

/// Without padding (RFC 9113 §6.1, §6.2); none if there is more padding than payload.
pub(super) fn unpadded(head: Head, payload: &[u8]) -> Option<&[u8]> {
    if !head.has(flag::PADDED) {
        return Some(payload);
    }
    let (padding, rest) = payload.split_first()?;
    let length = rest.len().checked_sub(usize::from(*padding))?;
    rest.get(..length)
}

fn head(out: &mut Vec<u8>, kind: u8, flags: u8, length: usize, stream: u32) {
    let head = Head {
        length,
        kind,
        flags,
        stream,
    };
    out.extend_from_slice(&head.bytes());
}

/// The head of a DATA frame.
pub(super) fn data(out: &mut Vec<u8>, stream: u32, length: usize, end: bool) {
    let flags = if end { flag::END_STREAM } else { 0 };
    head(out, kind::DATA, flags, length, stream);
}

/// Settings, each an identifier and a value.
pub(super) fn settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    head(out, kind::SETTINGS, 0, settings.len().saturating_mul(6), 0);
    for (name, value) in settings {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// The client's settings are in force.
pub(super) fn settings_ack(out: &mut Vec<u8>) {
    head(out, kind::SETTINGS, flag::ACK, 0, 0);
}

/// A question, or with `ack` its answer.
pub(super) fn ping(out: &mut Vec<u8>, ack: bool, payload: [u8; 8]) {
    let flags = if ack { flag::ACK } else { 0 };
    head(out, kind::PING, flags, payload.len(), 0);
    out.extend_from_slice(&payload);
}

/// The end of a stream.
pub(super) fn rst_stream(out: &mut Vec<u8>, stream: u32, code: Code) {
    head(out, kind::RST_STREAM, 0, 4, stream);
    out.extend_from_slice(&code.number().to_be_bytes());
}

/// The client may send so many bytes more; `by` is not 0.
pub(super) fn window_update(out: &mut Vec<u8>, stream: u32, by: u32) {
    head(out, kind::WINDOW_UPDATE, 0, 4, stream);
    out.extend_from_slice(&by.to_be_bytes());
}

/// No stream above `last` is, or will be, looked at.
pub(super) fn goaway(out: &mut Vec<u8>, last: u32, code: Code, why: &str) {
    head(out, kind::GOAWAY, 0, 8 + why.len(), 0);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&code.number().to_be_bytes());
    out.extend_from_slice(why.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let head = Head {
            length: 0x01_02_03,
            kind: kind::HEADERS,
            flags: flag::END_HEADERS | flag::PADDED,
            stream: 0x7fff_fffe,
        };
        assert_eq!(Head::parse(&head.bytes()), Some(head));
        assert_eq!(Head::parse(&head.bytes()[..8]), None);
        let mut reserved = head.bytes();
        reserved[5] |= 0x80;
        assert_eq!(Head::parse(&reserved), Some(head));
    }

    #[test]
    fn padding_is_taken_off_and_never_more_than_there_is() {
        let head = |flags| Head {
            length: 0,
            kind: kind::DATA,
            flags,
            stream: 1,
        };
        for (payload, expected) in [
            (&b"\x00ab"[..], Some(&b"ab"[..])),
            (b"\x02ab\0\0", Some(b"ab")),
            (b"\x02\0\0", Some(b"")),
            (b"\x03\0\0", None),
            (b"", None),
        ] {
            assert_eq!(unpadded(head(flag::PADDED), payload), expected);
        }
        assert_eq!(unpadded(head(0), b"\x02ab"), Some(&b"\x02ab"[..]));
    }
}
