//! Answers of our own to what is no request.

use super::framing::Doubt;
use super::writer::decimal;
use crate::message::parse::Fault;

/// Why a head is not answered by the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It did not come in time.
    #[error("The request did not come in time.")]
    Late,
    /// It is none.
    #[error("The request is not valid.")]
    Invalid,
    /// Its end is in doubt.
    #[error(transparent)]
    Doubt(#[from] Doubt),
    /// Its first line is beyond the limit.
    #[error("The request's target is too long.")]
    LongTarget,
    /// It is beyond the limit.
    #[error("The request's head is too large.")]
    Large,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    #[error("This HTTP version is not spoken here.")]
    Version,
}

/// How much of the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// All of it.
    Whole,
    /// Its head: HEAD was asked.
    Head,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::LongLine => Self::LongTarget,
            Fault::Large => Self::Large,
            Fault::Version => Self::Version,
            Fault::Line | Fault::Field => Self::Invalid,
        }
    }
}

impl Refusal {
    const fn status(self) -> &'static str {
        match self {
            Self::Invalid | Self::Doubt(_) => "400 Bad Request",
            Self::Late => "408 Request Timeout",
            Self::LongTarget => "414 URI Too Long",
            Self::Large => "431 Request Header Fields Too Large",
            Self::Version => "505 HTTP Version Not Supported",
        }
    }

    /// Writes the answer.
    pub(super) fn write(self, shape: Shape, out: &mut Vec<u8>) {
        let text = format!("{self}\n");
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status().as_bytes());
        out.extend_from_slice(
            b"\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n",
        );
        out.extend_from_slice(b"Content-Length: ");
        decimal(u64::try_from(text.len()).unwrap_or_default(), out);
        out.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
        if shape == Shape::Whole {
            out.extend_from_slice(text.as_bytes());
        }
    }
}
