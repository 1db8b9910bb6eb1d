//! A request's head, beside httparse: what both accept is the same, and where only one
//! accepts, it is known why.
#![no_main]

use http::Version;
use httparse::Status;
use libfuzzer_sys::fuzz_target;
use refgate::message::RequestHead;
use refgate::message::parse::{self, Fault};
use refgate_fuzz::{LIMITS, cuts, has_bare_lf, pairs, text};

fuzz_target!(|bytes: &[u8]| {
    let ours = parse::request(bytes, LIMITS);
    let mut fields = [httparse::EMPTY_HEADER; LIMITS.fields];
    let mut theirs = httparse::Request::new(&mut fields);
    let status = theirs.parse(bytes);
    match (ours, status) {
        (Ok(Some((head, taken))), Ok(Status::Complete(length))) => {
            assert_eq!(taken, length);
            assert_eq!(Some(head.method.as_str()), theirs.method);
            assert_eq!(head.target.as_str(), theirs.path);
            let minor = u8::from(head.version == Version::HTTP_11);
            assert_eq!(Some(minor), theirs.version);
            let fields = theirs.headers.iter();
            let fields = fields.map(|field| (field.name.as_bytes().to_vec(), field.value.to_vec()));
            assert_eq!(pairs(&head.fields), fields.collect::<Vec<_>>());
            written(&head);
            cut(&bytes[..taken]);
        }
        (Ok(Some((head, taken))), refused) => {
            // It takes no target that is not UTF-8, and no minor version but 0 and 1.
            let known = head.target.as_str().is_none() || !is_minor_known(&bytes[..taken]);
            assert!(known, "{head:?} {refused:?}");
            written(&head);
            cut(&bytes[..taken]);
        }
        (Ok(None), Ok(Status::Complete(length))) => panic!("more is wanted than {length} bytes"),
        (Err(fault), Ok(Status::Complete(length))) => {
            let line = bytes[..length].trim_ascii_start();
            let known = match fault {
                Fault::LongLine => length > LIMITS.bytes,
                Fault::Large => length > LIMITS.bytes || theirs.headers.len() >= LIMITS.fields,
                Fault::Line | Fault::Field => has_bare_lf(&bytes[..length]),
                Fault::Version => false,
            };
            assert!(known, "{fault:?} {:?}", text(line));
        }
        (Ok(None) | Err(_), _) => {}
    }
});

fn is_minor_known(head: &[u8]) -> bool {
    let line = head.trim_ascii_start().split(|byte| *byte == b'\r').next();
    line.is_some_and(|line| line.ends_with(b"HTTP/1.1") || line.ends_with(b"HTTP/1.0"))
}

/// What is written of it is read as the same.
fn written(head: &RequestHead) {
    let mut again = format!("{} ", head.method).into_bytes();
    again.extend_from_slice(head.target.as_bytes());
    again.extend_from_slice(format!(" {:?}\r\n", head.version).as_bytes());
    let before = again.len();
    head.fields.write(&mut again);
    assert_eq!(again.len() - before, head.fields.written());
    again.extend_from_slice(b"\r\n");
    let limits = parse::Limits {
        bytes: again.len(),
        ..LIMITS
    };
    let (read, taken) = parse::request(&again, limits).unwrap().unwrap();
    assert_eq!(taken, again.len());
    assert_eq!(
        (read.method, read.target, read.version),
        (head.method.clone(), head.target.clone(), head.version)
    );
    assert_eq!(read.fields, head.fields);
}

/// The front of a head is neither whole nor wrong.
fn cut(head: &[u8]) {
    for cut in cuts(head) {
        assert!(
            matches!(parse::request(&head[..cut], LIMITS), Ok(None)),
            "{cut}"
        );
    }
}
