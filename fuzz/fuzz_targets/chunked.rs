//! A chunked body: the same in whatever pieces it comes, and hyper, which is more lenient,
//! reads the same and goes on at the same byte.
#![no_main]

use std::cell::RefCell;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use refgate::message::Fields;
use refgate::message::chunked::{self, Decoder, Fault, Step};
use refgate_fuzz::{LIMITS, lower, pairs, run};
use tokio::io::AsyncWriteExt as _;

/// A body and its trailers, and how many bytes they took.
#[derive(Debug, PartialEq)]
struct Whole {
    body: Vec<u8>,
    trailers: Fields,
    taken: usize,
}

fuzz_target!(|bytes: &[u8]| {
    let whole = decoded(bytes, bytes.len());
    for piece in [1, 2, 7] {
        let pieces = decoded(bytes, piece);
        // What is wrong in several places may be found in another one first.
        match &whole {
            Ok(_) => assert_eq!(pieces, whole, "in pieces of {piece}"),
            Err(_) => assert!(pieces.is_err(), "in pieces of {piece}"),
        }
    }
    if let Ok(Some(whole)) = whole {
        written(&whole);
        by_hyper(bytes, &whole);
    }
});

fn decoded(bytes: &[u8], piece: usize) -> Result<Option<Whole>, Fault> {
    let mut decoder = Decoder::new(LIMITS);
    let (mut body, mut at, mut have) = (Vec::new(), 0, 0);
    loop {
        match decoder.step(&bytes[at..have])? {
            Step::Skip(taken) => {
                assert!(taken > 0 && at + taken <= have);
                at += taken;
            }
            Step::Data(left) if at < have => {
                assert!(left > 0);
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(have - at);
                body.extend_from_slice(&bytes[at..at + taken]);
                decoder.data(taken as u64);
                at += taken;
            }
            Step::End(trailers, taken) => {
                let taken = at + taken;
                assert!(taken <= have);
                return Ok(Some(Whole {
                    body,
                    trailers,
                    taken,
                }));
            }
            Step::Data(_) | Step::More if have == bytes.len() => return Ok(None),
            Step::Data(_) | Step::More => have = (have + piece).min(bytes.len()),
        }
    }
}

/// What is written of it is read as the same.
fn written(whole: &Whole) {
    let mut out = Vec::new();
    for piece in whole.body.chunks(300) {
        chunked::begin(piece.len(), &mut out);
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
    chunked::finish(&whole.trailers, &mut out);
    let again = decoded(&out, out.len()).unwrap().unwrap();
    assert_eq!(
        (&again.body, &again.trailers),
        (&whole.body, &whole.trailers)
    );
    assert_eq!(again.taken, out.len());
}

/// A request as hyper saw it: target, body, trailers.
type Seen = (String, Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

fn by_hyper(bytes: &[u8], whole: &Whole) {
    let mut sent = b"POST /one HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    sent.extend_from_slice(&bytes[..whole.taken]);
    sent.extend_from_slice(b"GET /two HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let seen = RefCell::new(Vec::new());
    run(async {
        let (mut client, server) = tokio::io::duplex(sent.len() + 1024);
        client.write_all(&sent).await.unwrap();
        let service = service_fn(async |request: Request<Incoming>| {
            let target = request.uri().to_string();
            let collected = request.into_body().collect().await?;
            let trailers = collected.trailers().cloned().unwrap_or_default();
            let trailers = trailers.iter();
            let pair = |(name, value): (&HeaderName, &HeaderValue)| {
                (name.as_str().into(), value.as_bytes().to_vec())
            };
            let trailers: Vec<(Vec<u8>, Vec<u8>)> = trailers.map(pair).collect();
            let body = collected.to_bytes().to_vec();
            seen.borrow_mut().push((target, body, trailers));
            Ok::<_, hyper::Error>(Response::new(String::new()))
        });
        let server = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(server), service);
        server.await.expect("hyper accepts it too");
    });
    let trailers = lower(pairs(&whole.trailers));
    let expected: [Seen; 2] = [
        ("/one".to_owned(), whole.body.clone(), trailers),
        ("/two".to_owned(), Vec::new(), Vec::new()),
    ];
    let mut seen = seen.into_inner();
    for (_, _, trailers) in &mut seen {
        // Its map groups them by name.
        trailers.sort();
    }
    assert_eq!(seen, expected);
}
