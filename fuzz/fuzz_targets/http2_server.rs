//! A client's frames on a whole HTTP/2 connection: what is said to it is well-formed, and h2 sees
//! the same requests with the same fields and bodies.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use refgate::accept::tls::Protocol;
use refgate_fuzz::serve::{self, Seen};
use refgate_fuzz::{frames, lower};

fuzz_target!(|bytes: &[u8]| {
    let bytes = frames::connection(bytes);
    let (seen, said) = serve::ours(Protocol::Http2, &bytes);
    well_formed(&said);
    let ours = by_path(&seen);
    let theirs = serve::h2(&bytes);
    for (path, theirs) in by_path(&theirs) {
        let Some(ours) = ours.get(&path) else {
            continue;
        };
        assert_eq!(ours.method, theirs.method);
        assert_eq!(fields(ours), fields(theirs));
        if let (Some(body), Some(other)) = (&ours.body, &theirs.body) {
            assert_eq!(body, other);
            assert_eq!(lower(ours.trailers.clone()), lower(theirs.trailers.clone()));
        }
    }
});

/// The requests whose path nobody else has, so that one of ours is found again among theirs.
fn by_path(seen: &[Seen]) -> BTreeMap<Vec<u8>, &Seen> {
    let mut found: BTreeMap<Vec<u8>, Vec<&Seen>> = BTreeMap::new();
    for one in seen {
        // Of an absolute URI the path alone.
        let uri = http::Uri::try_from(one.target.as_slice());
        let path = uri
            .ok()
            .and_then(|uri| Some(uri.path_and_query()?.as_str().to_owned()));
        found
            .entry(path.unwrap_or_default().into_bytes())
            .or_default()
            .push(one);
    }
    found
        .into_iter()
        .filter_map(|(path, all)| match all.as_slice() {
            [one] => Some((path, *one)),
            _ => None,
        })
        .collect()
}

/// In lower case, sorted, with cookies joined as RFC 9113 §8.2.3 has it.
fn fields(seen: &Seen) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (cookies, mut others): (Vec<_>, Vec<_>) = seen
        .fields
        .iter()
        .cloned()
        .partition(|(name, _)| name == b"cookie");
    if !cookies.is_empty() {
        let values: Vec<Vec<u8>> = cookies.into_iter().map(|(_, value)| value).collect();
        others.push((b"cookie".to_vec(), values.join(&b"; "[..])));
    }
    lower(others)
}

fn well_formed(said: &[u8]) {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const END_STREAM: u8 = 1;
    let frames = frames::said(said);
    assert!(
        matches!(frames.first(), None | Some((SETTINGS, 0, 0, _))),
        "SETTINGS first"
    );
    let mut ended = Vec::new();
    for (kind, flags, stream, payload) in frames {
        assert!(payload.len() <= 16_384, "nobody allowed larger frames");
        if kind == DATA || kind == HEADERS {
            assert!(stream % 2 == 1, "of the client's streams");
            assert!(
                !ended.contains(&stream),
                "stream {stream} goes on behind its end"
            );
            if flags & END_STREAM != 0 {
                ended.push(stream);
            }
        }
    }
}
