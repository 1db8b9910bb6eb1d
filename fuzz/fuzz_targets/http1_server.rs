//! A client's bytes on a whole HTTP/1.1 connection: each request that comes through is answered
//! in full and in turn, and hyper sees the same requests with the same bodies.
#![no_main]

use http::{Method, Uri, Version};
use httparse::Status;
use libfuzzer_sys::fuzz_target;
use refgate::accept::tls::Protocol;
use refgate::message::chunked::{Decoder, Step};
use refgate_fuzz::serve::{self, Seen};
use refgate_fuzz::{LIMITS, is_huge, lower, text};

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
            before.is_some_and(ends_for_hyper) || is_none_for_hyper(more, bytes),
            "hyper does not see {more:?} behind {before:?}"
        );
    }
});

fn same(ours: &Seen, theirs: &Seen) {
    assert_eq!(ours.method, theirs.method);
    assert_eq!(ours.version, theirs.version);
    assert_eq!(lower(ours.fields.clone()), lower(theirs.fields.clone()));
    if ours.target.starts_with(b"/") {
        // It leaves out what stands behind a number sign.
        let target = ours.target.split(|byte| *byte == b'#').next();
        assert_eq!(target, Some(theirs.target.as_slice()));
    } else {
        let target = Uri::try_from(ours.target.as_slice()).unwrap().to_string();
        assert_eq!(target.as_bytes(), theirs.target);
    }
    if let Some(body) = &ours.body {
        assert_eq!(Some(body), theirs.body.as_ref());
        assert_eq!(lower(ours.trailers.clone()), lower(theirs.trailers.clone()));
    }
}

/// Why hyper refuses a request that comes through here. What its parser (httparse) takes of a head is
/// looked at by `request_head`, of a chunked body by `chunked`: what is left is all that hyper itself refuses
/// (`proto/h1/role.rs`, `Server::parse`), but for bounds beyond ours.
fn is_none_for_hyper(request: &Seen, bytes: &[u8]) -> bool {
    let target = request.target.as_slice();
    // httparse: the whole of it is UTF-8; http: it is a URI, and what is behind a number sign is not looked at.
    let no_target = text(target).is_none() || Uri::try_from(target).is_err();
    let huge = values(request, b"content-length").any(is_huge);
    // A coding that nobody knows in front of `chunked`.
    let coding = values(request, b"transfer-encoding").any(|value| !is_visible(value));
    no_target || huge || coding || is_other_minor(target, bytes)
}

/// Whether a version 1.2 to 1.9 stands behind this target: for us the same as 1.1 (RFC 9110 §2.5), for
/// httparse none.
fn is_other_minor(target: &[u8], bytes: &[u8]) -> bool {
    let line = [target, b" HTTP/1."].concat();
    let mut parts = bytes.windows(line.len() + 1);
    parts.any(|part| part.starts_with(&line) && matches!(part.last(), Some(b'2'..=b'9')))
}

/// Why hyper takes this request for the last one.
fn ends_for_hyper(request: &Seen) -> bool {
    // A success makes a tunnel of it (RFC 9110 §9.3.6); that is for the service to say, and ours refuses it.
    let tunnel = request.method == Method::CONNECT;
    // It finds no `keep-alive` beside what is not visible.
    let old = request.version == Version::HTTP_10;
    tunnel || (old && values(request, b"connection").any(|value| !is_visible(value)))
}

/// The values of the fields with this name.
fn values<'a>(request: &'a Seen, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let fields = request.fields.iter();
    fields
        .filter_map(move |(own, value)| own.eq_ignore_ascii_case(name).then_some(value.as_slice()))
}

/// Whether `HeaderValue::to_str` takes it.
fn is_visible(value: &[u8]) -> bool {
    value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
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
