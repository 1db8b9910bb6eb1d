//! A response's head and trailers as HEADERS and CONTINUATION (RFC 9113 §8.1, §8.3.2).

use super::frame::{HEAD, Head, LARGEST, flag, kind};
use super::hpack::Encoder;
use crate::message::{Fields, ResponseHead};

/// Writes a head, final or interim; with `end` nothing comes behind it. `length` becomes its
/// `content-length`, where it has none.
pub(super) fn head(
    encoder: &mut Encoder,
    out: &mut Vec<u8>,
    (stream, end): (u32, bool),
    head: &ResponseHead,
    length: Option<u64>,
) {
    block(out, stream, end, |out| {
        encoder.begin(out);
        Encoder::status(out, head.status);
        let mut has_length = false;
        for (name, value) in head.fields.iter() {
            has_length |= Encoder::field(out, name, value);
        }
        if let Some(length) = length.filter(|_| !has_length) {
            Encoder::field(out, b"content-length", length.to_string().as_bytes());
        }
    });
}

/// Writes the trailer section, which ends the stream.
pub(super) fn trailers(encoder: &mut Encoder, out: &mut Vec<u8>, stream: u32, fields: &Fields) {
    block(out, stream, true, |out| {
        encoder.begin(out);
        for (name, value) in fields.iter() {
            Encoder::field(out, name, value);
        }
    });
}

/// Writes a header block in as many frames as it needs.
fn block(out: &mut Vec<u8>, stream: u32, end: bool, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    write(out);
    let length = out.len() - start - HEAD;
    let rest = (length > LARGEST).then(|| out.split_off(start + HEAD + LARGEST));
    let last = |flags| {
        if rest.is_none() {
            flags | flag::END_HEADERS
        } else {
            flags
        }
    };
    let first = Head {
        length: length.min(LARGEST),
        kind: kind::HEADERS,
        flags: last(if end { flag::END_STREAM } else { 0 }),
        stream,
    };
    if let Some(place) = out.get_mut(start..start + HEAD) {
        place.copy_from_slice(&first.bytes());
    }
    let rest = rest.unwrap_or_default();
    let mut fragments = rest.chunks(LARGEST).peekable();
    while let Some(fragment) = fragments.next() {
        let head = Head {
            length: fragment.len(),
            kind: kind::CONTINUATION,
            flags: if fragments.peek().is_none() {
                flag::END_HEADERS
            } else {
                0
            },
            stream,
        };
        out.extend_from_slice(&head.bytes());
        out.extend_from_slice(fragment);
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::super::hpack::Decoder;
    use super::*;

    #[test]
    fn a_long_head_goes_on_in_further_frames() {
        for size in [10, LARGEST - 100, LARGEST, 3 * LARGEST] {
            let mut response = ResponseHead::new(StatusCode::OK);
            let value = "v".repeat(size);
            response.fields.append(b"A", value.as_bytes());
            let mut out = vec![7; 3];
            let mut encoder = Encoder::default();
            head(&mut encoder, &mut out, (5, true), &response, Some(9));
            let mut rest = &out[3..];
            let (mut block, mut frames) = (Vec::new(), Vec::new());
            while let Some(head) = Head::parse(rest) {
                block.extend_from_slice(&rest[HEAD..HEAD + head.length]);
                rest = &rest[HEAD + head.length..];
                assert_eq!(head.stream, 5);
                frames.push((head.kind, head.flags));
            }
            assert!(rest.is_empty());
            let count = block.len().div_ceil(LARGEST);
            let mut expected = vec![(kind::CONTINUATION, 0); count];
            expected[0] = (kind::HEADERS, flag::END_STREAM);
            expected[count - 1].1 |= flag::END_HEADERS;
            assert_eq!(frames, expected);
            let mut fields = Vec::new();
            let read = Decoder::new().decode(&block, |field| {
                fields.push((field.text.to_vec(), field.value.to_vec()));
            });
            assert_eq!(read, Ok(()));
            assert_eq!(fields[1], (b"a".to_vec(), value.into_bytes()));
            assert_eq!(fields[2], (b"content-length".to_vec(), b"9".to_vec()));
        }
    }
}
