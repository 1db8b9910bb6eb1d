//! The chunked transfer coding (RFC 9112 §7.1), read strictly and written plainly.

use memchr::memchr;

use super::Fields;
use super::parse::{self, Limits};

/// A chunk's size line with its extensions; nobody needs more, and RFC 9112 §7.1.1 asks for a bound.
const LINE: usize = 256;

/// Extensions of all chunks together, in bytes: more than a body's own noise is an attack.
const EXTENSIONS: usize = 16 * 1024;

/// Why bytes are no chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A size line that is none: no hexadecimal number, a sign, a space, a bare LF, too long.
    #[error("a chunk's size is not valid")]
    Size,
    /// What stands behind a chunk's data is not CR LF.
    #[error("a chunk does not end where its size says")]
    End,
    /// The trailer section.
    #[error("the trailers are not valid")]
    Trailers,
}

/// What to do with the bytes at hand.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// So many bytes at the front are framing: pass over them.
    Skip(usize),
    /// So many bytes at the front are data, more of the chunk may follow. Told by [`Decoder::data`] when taken.
    Data(u64),
    /// More must come first.
    More,
    /// The body is whole; its trailers, and how many bytes they took.
    End(Fields, usize),
}

/// Reads a chunked body; holds no bytes itself.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    state: State,
    extensions: usize,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
}

impl Decoder {
    /// At the front of a body; `limits` bound its trailers.
    pub const fn new(limits: Limits) -> Self {
        Self {
            state: State::Size,
            extensions: 0,
            limits,
        }
    }

    /// What stands at the front of `bytes`.
    ///
    /// # Errors
    /// No chunked body goes on like this.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Step, Fault> {
        match self.state {
            State::Data(left) => Ok(Step::Data(left)),
            State::DataEnd => match bytes {
                [b'\r', b'\n', ..] => {
                    self.state = State::Size;
                    Ok(Step::Skip(2))
                }
                [] | [b'\r'] => Ok(Step::More),
                _ => Err(Fault::End),
            },
            State::Size => self.size(bytes),
            State::Trailers => {
                match parse::trailers(bytes, self.limits).map_err(|_fault| Fault::Trailers)? {
                    Some((fields, taken)) => Ok(Step::End(fields, taken)),
                    None => Ok(Step::More),
                }
            }
        }
    }

    /// So many bytes of data were taken.
    pub const fn data(&mut self, taken: u64) {
        if let State::Data(left) = self.state {
            let left = left.saturating_sub(taken);
            self.state = if left == 0 {
                State::DataEnd
            } else {
                State::Data(left)
            };
        }
    }

    /// Bytes that the current chunk still has, where its size is known.
    pub const fn expected(&self) -> u64 {
        match self.state {
            State::Data(left) => left,
            State::Size | State::DataEnd | State::Trailers => 0,
        }
    }

    fn size(&mut self, bytes: &[u8]) -> Result<Step, Fault> {
        let bounded = bytes.get(..LINE).unwrap_or(bytes);
        let Some(at) = memchr(b'\n', bounded) else {
            return if bounded.len() == LINE || !may_begin(bounded) {
                Err(Fault::Size)
            } else {
                Ok(Step::More)
            };
        };
        let (line, _) = bounded.split_at(at);
        let line = line.strip_suffix(b"\r").ok_or(Fault::Size)?;
        let (size, extension) = digits(line);
        let size = hexadecimal(size).ok_or(Fault::Size)?;
        if !is_extension(extension) {
            return Err(Fault::Size);
        }
        self.extensions += extension.len();
        if self.extensions > EXTENSIONS {
            return Err(Fault::Size);
        }
        self.state = match size {
            0 => State::Trailers,
            size => State::Data(size),
        };
        Ok(Step::Skip(at + 1))
    }
}

fn digits(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit());
    line.split_at(end.unwrap_or(line.len()))
}

/// Whether a size line may begin like this: at least its digits are seen to.
fn may_begin(bytes: &[u8]) -> bool {
    let (size, rest) = digits(bytes);
    size.len() <= 16
        && (!size.is_empty() || rest.is_empty())
        && matches!(rest.first(), None | Some(b';' | b' ' | b'\t' | b'\r'))
}

/// At most 16 digits, below 2^63: what some readers take for a negative number is no size.
fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let text = std::str::from_utf8(digits).ok()?;
    let size = u64::from_str_radix(text, 16).ok()?;
    (size <= u64::MAX / 2).then_some(size)
}

/// Nothing, or `;` and text; white space before it is bad (RFC 9112 §7.1.1 lets senders not do it).
fn is_extension(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b';', rest @ ..] => parse::is_text(rest),
        _ => false,
    }
}

/// Writes the front of a chunk of `length` bytes; CR LF follows its data.
pub fn begin(length: usize, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut started = false;
    for shift in (0..usize::BITS / 4).rev() {
        let digit = (length >> (shift * 4)) & 0xf;
        started |= digit != 0;
        if started && let Some(digit) = DIGITS.get(digit) {
            out.push(*digit);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes the last chunk with its trailers and the empty line.
pub fn finish(trailers: &Fields, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    trailers.write(out);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 1024,
        fields: 16,
    };

    /// The body in `text` when it comes in pieces of `piece` bytes, its trailers, and what is left over.
    fn decoded(text: &[u8], piece: usize) -> Result<Option<(Vec<u8>, usize, usize)>, Fault> {
        let mut decoder = Decoder::new(LIMITS);
        let (mut body, mut at, mut have) = (Vec::new(), 0, 0);
        loop {
            match decoder.step(&text[at..have])? {
                Step::Skip(taken) => at += taken,
                Step::Data(left) if at < have => {
                    let taken = (have - at).min(usize::try_from(left).unwrap_or(usize::MAX));
                    body.extend_from_slice(&text[at..at + taken]);
                    decoder.data(u64::try_from(taken).unwrap());
                    at += taken;
                }
                Step::End(trailers, taken) => {
                    return Ok(Some((body, trailers.len(), text.len() - at - taken)));
                }
                Step::Data(_) | Step::More if have == text.len() => return Ok(None),
                Step::Data(_) | Step::More => have = (have + piece).min(text.len()),
            }
        }
    }

    #[test]
    fn a_body_is_the_same_in_whatever_pieces_it_comes() {
        let text = b"4;a=b;c=\"d\"\r\nWiki\r\n00A\r\n0123456789\r\n0\r\nA: b\r\nC: d\r\n\r\nGET";
        for piece in 1..text.len() {
            let expected = (b"Wiki0123456789".to_vec(), 2, 3);
            assert_eq!(decoded(text, piece), Ok(Some(expected)), "{piece}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for (text, fault) in [
            ("\r\n", Fault::Size),
            ("x\r\n", Fault::Size),
            ("-1\r\n", Fault::Size),
            ("+1\r\n", Fault::Size),
            ("0x1\r\n", Fault::Size),
            (" 1\r\n", Fault::Size),
            ("1 \r\n", Fault::Size),
            ("1 ;a\r\n", Fault::Size),
            ("1\n", Fault::Size),
            ("1;a\n", Fault::Size),
            ("1;a\rb\r\n", Fault::Size),
            ("1;\0\r\n", Fault::Size),
            ("8000000000000000\r\n", Fault::Size),
            ("00000000000000001\r\n", Fault::Size),
            ("1\r\nab\r\n", Fault::End),
            ("1\r\na\n", Fault::End),
            ("0\r\na\r\n\r\n", Fault::Trailers),
            ("0\r\n\n", Fault::Trailers),
        ] {
            for piece in [1, 2, text.len()] {
                assert_eq!(decoded(text.as_bytes(), piece), Err(fault), "{text:?}");
            }
        }
        let long = format!("1;{}", "a".repeat(LINE));
        assert_eq!(decoded(long.as_bytes(), 1), Err(Fault::Size));
        let many = format!("1;{}\r\nx\r\n", "a".repeat(200)).repeat(100);
        assert_eq!(decoded(many.as_bytes(), 4096), Err(Fault::Size));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..600), 0..8), piece in 1_usize..700) {
            let mut text = Vec::new();
            for data in &pieces {
                begin(data.len(), &mut text);
                text.extend_from_slice(data);
                text.extend_from_slice(b"\r\n");
            }
            finish(&Fields::default(), &mut text);
            prop_assert_eq!(decoded(&text, piece), Ok(Some((pieces.concat(), 0, 0))));
        }

        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'5'), Just(b';'), any::<u8>()], 0..64)) {
            let whole = decoded(&text, 64);
            prop_assert_eq!(decoded(&text, 1).is_ok(), whole.is_ok());
        }
    }
}
