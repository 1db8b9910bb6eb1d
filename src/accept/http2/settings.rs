//! Settings (RFC 9113 §6.5): ours as they are told, the client's as they are read.

use super::fault::{Code, Fault, protocol};
use super::flow::LARGEST;
use super::frame;

/// Streams at once; RFC 9113 §6.5.2 asks for no fewer than 100.
pub(super) const STREAMS: usize = 128;

/// What a client may send of a request's body before we have taken any of it.
pub(super) const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all requests of a connection together, which bounds what they hold.
pub(super) const CONNECTION_WINDOW: u32 = 1024 * 1024;

const HEADER_TABLE_SIZE: u16 = 0x1;
const ENABLE_PUSH: u16 = 0x2;
const MAX_CONCURRENT_STREAMS: u16 = 0x3;
const INITIAL_WINDOW_SIZE: u16 = 0x4;
const MAX_FRAME_SIZE: u16 = 0x5;
const MAX_HEADER_LIST_SIZE: u16 = 0x6;
/// RFC 8441 §3.
const ENABLE_CONNECT_PROTOCOL: u16 = 0x8;
/// RFC 9218 §2.1: the priorities of RFC 7540 are ignored, so that none need be sent.
const NO_RFC7540_PRIORITIES: u16 = 0x9;

/// Tells ours, and opens the connection's window.
pub(super) fn tell(out: &mut Vec<u8>, head_limit: usize) {
    let settings = [
        (MAX_CONCURRENT_STREAMS, number(STREAMS)),
        (INITIAL_WINDOW_SIZE, STREAM_WINDOW),
        (MAX_HEADER_LIST_SIZE, number(head_limit)),
        (ENABLE_CONNECT_PROTOCOL, 1),
        (NO_RFC7540_PRIORITIES, 1),
    ];
    frame::settings(out, &settings);
    frame::window_update(out, 0, CONNECTION_WINDOW - super::flow::INITIAL);
}

fn number(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// The client's, where they concern us.
#[derive(Debug)]
pub(super) struct Theirs {
    /// The send window of a new stream.
    pub(super) window: u32,
    /// The size of its HPACK table, where it has just said so.
    pub(super) table: Option<usize>,
}

impl Theirs {
    /// Until it says otherwise (RFC 9113 §6.5.2).
    pub(super) const fn new() -> Self {
        Self {
            window: super::flow::INITIAL,
            table: None,
        }
    }

    /// Reads a SETTINGS frame's payload, in its order. Unknown settings are ignored; a larger
    /// frame size than every peer accepts is of no use to us.
    ///
    /// # Errors
    /// The connection's, as RFC 9113 §6.5.2 says for each.
    pub(super) fn read(&mut self, payload: &[u8]) -> Result<(), Fault> {
        let (settings, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(super::fault::size("SETTINGS is no multiple of six bytes"));
        }
        for &[a, b, c, d, e, f] in settings {
            let value = u32::from_be_bytes([c, d, e, f]);
            match u16::from_be_bytes([a, b]) {
                HEADER_TABLE_SIZE => {
                    let size = usize::try_from(value).unwrap_or(usize::MAX);
                    // The smallest counts (RFC 7541 §4.2).
                    self.table = Some(self.table.map_or(size, |known| known.min(size)));
                }
                ENABLE_PUSH if value > 1 => {
                    return Err(protocol("ENABLE_PUSH is neither 0 nor 1"));
                }
                INITIAL_WINDOW_SIZE if value > LARGEST => {
                    let why = "INITIAL_WINDOW_SIZE is too large";
                    return Err(Fault::Connection(Code::FlowControl, why));
                }
                INITIAL_WINDOW_SIZE => self.window = value,
                MAX_FRAME_SIZE if !(16_384..=16_777_215).contains(&value) => {
                    return Err(protocol("MAX_FRAME_SIZE is out of range"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
