//! HTTP/2 frames whose lengths are right, whatever the bytes.

/// What a client says first (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An empty SETTINGS.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// From this kind on, what would be a payload stands there without a frame's head.
const BARE: u8 = 0xf0;

/// A connection's bytes: preface, settings, then one frame after the other. Each is told by its kind,
/// flags, stream and length, one byte each, with the payload behind.
pub fn connection(mut told: &[u8]) -> Vec<u8> {
    let mut bytes = [PREFACE, &SETTINGS].concat();
    while let [kind, flags, stream, length, rest @ ..] = told {
        let (payload, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        if *kind < BARE {
            bytes.extend_from_slice(&frame(*kind, *flags, *stream, payload));
        } else {
            bytes.extend_from_slice(payload);
        }
        told = rest;
    }
    bytes
}

/// One frame, shorter than 64 KiB.
pub fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .unwrap_or_default()
        .to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags, 0, 0, 0, stream]);
    bytes.extend_from_slice(payload);
    bytes
}

/// A frame as it was said: kind, flags, stream, payload.
pub type Frame<'a> = (u8, u8, u32, &'a [u8]);

/// The frames of a server.
///
/// # Panics
/// When the bytes are no whole frames.
pub fn said(mut bytes: &[u8]) -> Vec<Frame<'_>> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, flags, d, e, f, g, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]);
        let stream = u32::from_be_bytes([*d, *e, *f, *g]);
        let (payload, rest) = rest.split_at(usize::try_from(length).unwrap_or(usize::MAX));
        frames.push((*kind, *flags, stream, payload));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a frame's head");
    frames
}
