//! What the client did wrong, and whom it costs: a stream or the connection (RFC 9113 §5.4).

/// An error code (RFC 9113 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    NoError,
    Protocol,
    Internal,
    FlowControl,
    SettingsTimeout,
    StreamClosed,
    FrameSize,
    RefusedStream,
    Cancel,
    Compression,
    Connect,
    EnhanceYourCalm,
}

impl Code {
    /// As it is written.
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::NoError => 0x0,
            Self::Protocol => 0x1,
            Self::Internal => 0x2,
            Self::FlowControl => 0x3,
            Self::SettingsTimeout => 0x4,
            Self::StreamClosed => 0x5,
            Self::FrameSize => 0x6,
            Self::RefusedStream => 0x7,
            Self::Cancel => 0x8,
            Self::Compression => 0x9,
            Self::Connect => 0xa,
            Self::EnhanceYourCalm => 0xb,
        }
    }
}

/// An error and its reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection ends with GOAWAY; the words go along for whoever looks for the reason.
    Connection(Code, &'static str),
    /// One stream ends with `RST_STREAM`.
    Stream(u32, Code),
}

/// Its framing cannot be trusted any more.
pub(super) const fn protocol(why: &'static str) -> Fault {
    Fault::Connection(Code::Protocol, why)
}

/// A frame whose length does not fit its type (RFC 9113 §4.2).
pub(super) const fn size(why: &'static str) -> Fault {
    Fault::Connection(Code::FrameSize, why)
}
