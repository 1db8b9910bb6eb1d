//! A client's bytes on a whole HTTP/1.1 connection: each request that comes through is answered
//! in full and in turn, and hyper sees the same requests with the same bodies.
#![no_main]

use http::{Method, Version};
use httparse::Status;
use libfuzzer_sys::fuzz_target;
use refgate::accept::tls::Protocol;
use refgate::message::chunked::{Decoder, Step};
use refgate_fuzz::serve::{self, Seen};
use refgate_fuzz::{LIMITS, has_other_minor, lower};

fuzz_target!(|bytes: &[u8]| {
    let (seen, said) = serve::ours(Protocol::Http1, bytes);
    answers(&said, &seen);
    let theirs = serve::hyper(bytes);
    for (ours, theirs) in seen.iter().zip(&theirs) {
        same(ours, theirs);
    }
    if let Some(more) = seen.get(theirs.len()) {
        let before = seen.get(..theirs.len()).unwrap().last();
        assert!(
            is_known(bytes, before, more),
            "hyper does not see {more:?} behind {before:?}"
        );
    }
});

fn same(ours: &Seen, theirs: &Seen) {
    assert_eq!(ours.method, theirs.method);
    assert_eq!(lower(ours.fields.clone()), lower(theirs.fields.clone()));
    if ours.target.starts_with(b"/") {
        // It leaves out what stands behind a number sign.
        let target = ours.target.split(|byte| *byte == b'#').next();
        assert_eq!(target, Some(theirs.target.as_slice()));
    }
    if let (Some(body), Some(other)) = (&ours.body, &theirs.body) {
        assert_eq!(body, other);
        assert_eq!(lower(ours.trailers.clone()), lower(theirs.trailers.clone()));
    }
}

/// Why hyper ends where we go on.
fn is_known(bytes: &[u8], before: Option<&Seen>, more: &Seen) -> bool {
    let no_uri = http::Uri::try_from(more.target.as_slice()).is_err();
    let minor = has_other_minor(bytes);
    // A success makes a tunnel of it (RFC 9110 §9.3.6); that is for the service to say, and ours refuses it.
    let tunnel = before.is_some_and(|before| before.method == Method::CONNECT);
    no_uri || minor || tunnel
}

/// Every answer, each of its request.
fn answers(mut said: &[u8], seen: &[Seen]) {
    for (at, one) in seen.iter().enumerate() {
        let Some(expected) = &one.body else {
            assert_eq!(at + 1, seen.len(), "a broken request is the last one");
            return;
        };
        let (status, body) = answer(&mut said, one);
        assert_eq!(status, serve::status(&one.target).as_u16());
        let is_bare = one.method == Method::HEAD || matches!(status, 204 | 304);
        let expected = if is_bare { &[] } else { expected.as_slice() };
        assert_eq!(body, expected);
    }
    if said.is_empty() {
        return;
    }
    let refused = Seen {
        method: Method::GET,
        ..blank()
    };
    let (status, _) = answer(&mut said, &refused);
    assert!((400..=505).contains(&status), "{status}");
    assert!(said.is_empty(), "something is said behind a refusal");
}

fn blank() -> Seen {
    Seen {
        method: Method::GET,
        target: Vec::new(),
        version: Version::HTTP_11,
        fields: Vec::new(),
        body: None,
        trailers: Vec::new(),
    }
}

/// The final response at the front, its status and its body.
fn answer(said: &mut &[u8], asked: &Seen) -> (u16, Vec<u8>) {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let mut head = httparse::Response::new(&mut fields);
        let Ok(Status::Complete(length)) = head.parse(said) else {
            panic!(
                "no answer to {asked:?} in {:?}",
                String::from_utf8_lossy(said)
            );
        };
        let status = head.code.unwrap();
        *said = &said[length..];
        if status < 200 {
            continue;
        }
        let field = |name: &str| {
            let mut named = head
                .headers
                .iter()
                .filter(|field| field.name.eq_ignore_ascii_case(name));
            let first = named
                .next()
                .map(|field| std::str::from_utf8(field.value).unwrap());
            assert!(named.next().is_none(), "two of {name}");
            first
        };
        let (sized, coded) = (field("content-length"), field("transfer-encoding"));
        assert!(sized.is_none() || coded.is_none());
        if asked.method == Method::HEAD || matches!(status, 204 | 304) {
            return (status, Vec::new());
        }
        if let Some(length) = sized {
            let (body, rest) = said.split_at(length.parse().unwrap());
            *said = rest;
            return (status, body.to_vec());
        }
        if coded.is_some() {
            assert_eq!((coded, asked.version), (Some("chunked"), Version::HTTP_11));
            return (status, chunks(said));
        }
        assert_eq!(field("connection"), Some("close"));
        return (status, std::mem::take(said).to_vec());
    }
}

fn chunks(said: &mut &[u8]) -> Vec<u8> {
    let (mut decoder, mut body) = (Decoder::new(LIMITS), Vec::new());
    loop {
        let taken = match decoder.step(said).unwrap() {
            Step::Skip(taken) => taken,
            Step::Data(left) => {
                let taken = usize::try_from(left).unwrap();
                decoder.data(left);
                body.extend_from_slice(&said[..taken]);
                taken
            }
            Step::End(_, taken) => {
                *said = &said[taken..];
                return body;
            }
            Step::More => panic!("an answer breaks off"),
        };
        *said = &said[taken..];
    }
}
