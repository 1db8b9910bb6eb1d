//! A response's head, beside httparse: what both accept is the same, and where only one
//! accepts, it is known why.
#![no_main]

use http::Version;
use httparse::Status;
use libfuzzer_sys::fuzz_target;
use refgate::message::ResponseHead;
use refgate::message::parse::{self, Fault};
use refgate_fuzz::{LIMITS, cuts, first_line, has_bare_lf, pairs};

fuzz_target!(|bytes: &[u8]| {
    let ours = parse::response(bytes, LIMITS);
    let mut fields = [httparse::EMPTY_HEADER; LIMITS.fields];
    let mut theirs = httparse::Response::new(&mut fields);
    let status = theirs.parse(bytes);
    match (ours, status) {
        (Ok(Some((head, taken))), Ok(Status::Complete(length))) => {
            assert_eq!(taken, length);
            assert_eq!(Some(head.status.as_u16()), theirs.code);
            let minor = u8::from(head.version == Version::HTTP_11);
            assert_eq!(Some(minor), theirs.version);
            // It gives no phrase that has bytes beyond ASCII.
            let reason = Some(head.reason()).filter(|reason| reason.is_ascii());
            assert_eq!(
                reason.unwrap_or_default(),
                theirs.reason.unwrap_or_default().as_bytes()
            );
            let fields = theirs.headers.iter();
            let fields = fields.map(|field| (field.name.as_bytes().to_vec(), field.value.to_vec()));
            assert_eq!(pairs(&head.fields), fields.collect::<Vec<_>>());
            written(&head);
            cut(&bytes[..taken]);
        }
        (Ok(Some((head, taken))), refused) => {
            let (line, _) = first_line(bytes);
            let known = !line.starts_with(b"HTTP/1.1") && !line.starts_with(b"HTTP/1.0");
            assert!(known, "{head:?} {refused:?}");
            written(&head);
            cut(&bytes[..taken]);
        }
        (Ok(None), Ok(Status::Complete(length))) => panic!("more is wanted than {length} bytes"),
        (Err(fault), Ok(Status::Complete(length))) => {
            let known = match fault {
                Fault::LongLine => length > LIMITS.bytes,
                Fault::Large => length > LIMITS.bytes || theirs.headers.len() >= LIMITS.fields,
                Fault::Line | Fault::Field => {
                    // Empty lines in front are for requests only (RFC 9112 §2.2).
                    let blank = bytes.starts_with(b"\r\n");
                    blank
                        || has_bare_lf(&bytes[..length])
                        || theirs.code.is_none_or(|code| code < 100)
                }
                Fault::Version => false,
            };
            assert!(known, "{fault:?}");
        }
        (Ok(None) | Err(_), _) => {}
    }
});

/// What is written of it is read as the same.
fn written(head: &ResponseHead) {
    let mut again = format!("{:?} {} ", head.version, head.status.as_str()).into_bytes();
    again.extend_from_slice(head.reason());
    again.extend_from_slice(b"\r\n");
    head.fields.write(&mut again);
    again.extend_from_slice(b"\r\n");
    let limits = parse::Limits {
        bytes: again.len(),
        ..LIMITS
    };
    let (read, taken) = parse::response(&again, limits).unwrap().unwrap();
    assert_eq!(taken, again.len());
    assert_eq!((read.status, read.version), (head.status, head.version));
    assert_eq!(
        (read.reason, &read.fields),
        (head.reason.clone(), &head.fields)
    );
}

/// The front of a head is neither whole nor wrong.
fn cut(head: &[u8]) {
    for cut in cuts(head) {
        assert!(
            matches!(parse::response(&head[..cut], LIMITS), Ok(None)),
            "{cut}"
        );
    }
}
