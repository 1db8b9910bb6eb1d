//! What the fuzz targets share.

pub mod frames;
pub mod serve;
pub mod settings;

use std::cell::OnceCell;
use std::time::Duration;

use refgate::inert::acts;
use refgate::message::Fields;
use refgate::message::parse::Limits;

/// Bounds of heads and trailers: small, so that both sides of them are met.
pub const LIMITS: Limits = Limits {
    bytes: 2048,
    fields: 32,
};

/// Places to cut `length` bytes at: near their ends, in the middle, and at one that the bytes decide.
pub fn cuts(bytes: &[u8]) -> Vec<usize> {
    let length = bytes.len();
    let sum: usize = bytes.iter().map(|byte| usize::from(*byte)).sum();
    let decided = sum.checked_rem(length).unwrap_or(0);
    let mut cuts = vec![1, decided, length / 2];
    cuts.extend((1..6).filter_map(|back| length.checked_sub(back)));
    cuts.retain(|cut| *cut < length);
    cuts
}

/// Whether a line ends in LF without CR.
pub fn has_bare_lf(bytes: &[u8]) -> bool {
    let before = std::iter::once(&0).chain(bytes);
    bytes
        .iter()
        .zip(before)
        .any(|pair| matches!(pair, (b'\n', before) if *before != b'\r'))
}

/// Whether a version 1.2 to 1.9 stands there: for us the same as 1.1 (RFC 9110 §2.5), for httparse none.
pub fn has_other_minor(bytes: &[u8]) -> bool {
    let mut parts = bytes.windows(8);
    parts.any(|part| part.starts_with(b"HTTP/1.") && matches!(part.last(), Some(b'2'..=b'9')))
}

/// Whether it is one of the two highest lengths, which hyper keeps for itself.
pub fn is_huge(length: &[u8]) -> bool {
    let length = text(length).and_then(|length| length.parse::<u64>().ok());
    length.is_some_and(|length| length > u64::MAX - 2)
}

/// Names and values as they came.
pub fn pairs(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pairs = fields.iter();
    pairs
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}

/// Names in lower case, sorted: as a map gives them back.
pub fn lower(mut pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<(Vec<u8>, Vec<u8>)> {
    pairs
        .iter_mut()
        .for_each(|(name, _)| name.make_ascii_lowercase());
    pairs.sort();
    pairs
}

/// The bytes as UTF-8 text, where they are.
pub fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Looks at a line that a person reads on a terminal.
///
/// # Panics
/// When a terminal would act on it.
pub fn shown(line: &str) {
    let acting = line.chars().find(|c| acts(*c) && *c != '\n');
    assert_eq!(acting, None, "{line:?}");
}

/// The first line and what stands behind it.
pub fn first_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

thread_local! {
    static RUNTIME: OnceCell<tokio::runtime::Runtime> = const { OnceCell::new() };
}

/// Runs `future` on this thread's runtime. Its clock stands still while anything moves, so
/// that what hangs is over at once.
///
/// # Panics
/// When nothing moves any more.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    const LONG: Duration = Duration::from_secs(3600);
    RUNTIME.with(|cell| {
        let runtime = cell.get_or_init(|| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let built = builder.enable_all().start_paused(true).build();
            built.expect("a runtime")
        });
        runtime
            .block_on(async { tokio::time::timeout(LONG, future).await })
            .expect("it does not hang")
    })
}
