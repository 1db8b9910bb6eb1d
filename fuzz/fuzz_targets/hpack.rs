//! Field blocks in HPACK (RFC 7541): two of them, so that the second finds what the first put into
//! the table; h2 reads the same fields from them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use refgate::accept::tls::Protocol;
use refgate_fuzz::serve::{self, Seen};
use refgate_fuzz::{first_line, frames, lower};

// The first line is the first block's end, what is behind it the second one's.
fuzz_target!(|bytes: &[u8]| {
    let (first, second) = first_line(bytes);
    let block = |path: u8, end: &[u8]| {
        // GET, https, a literal path, a literal authority.
        let front = [0x82, 0x87, 0x04, 2, b'/', path, 0x01, 1, b'a'];
        [&front, end].concat()
    };
    let mut bytes = frames::connection(&[]);
    bytes.extend(frames::frame(1, 5, 1, &block(b'1', first)));
    // Cut in two: the second half in a CONTINUATION.
    let second = block(b'3', second);
    let (front, rest) = second.split_at(second.len() / 2);
    bytes.extend(frames::frame(1, 1, 3, front));
    bytes.extend(frames::frame(9, 4, 3, rest));
    let (ours, _) = serve::ours(Protocol::Http2, &bytes);
    let theirs = serve::h2(&bytes);
    for path in [b"/1", b"/3"] {
        let of = |seen: &[Seen]| {
            let one = seen.iter().find(|one| one.target.ends_with(path))?;
            let others = one.fields.iter().filter(|(name, _)| name != b"cookie");
            Some(lower(others.cloned().collect()))
        };
        if let (Some(ours), Some(theirs)) = (of(&ours), of(&theirs)) {
            assert_eq!(ours, theirs);
        }
    }
});
