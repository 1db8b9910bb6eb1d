//! Looks at eight bytes at once: most texts and tags are short, and a call of a search costs more.

use memchr::memchr;

use super::attributes::is_space;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Eight bytes of `bytes`, the first one lowest; nothing where fewer are left.
#[inline]
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..at.checked_add(8)?)?;
    eight.try_into().ok().map(u64::from_le_bytes)
}

/// The high bits of the bytes that are `byte`, right up to the lowest of them.
#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * u64::from(byte)), 1)
}

/// The high bits of the bytes less than `limit`, right up to the lowest of them.
#[inline]
const fn below(word: u64, limit: u64) -> u64 {
    word.wrapping_sub(ONES * limit) & !word & HIGHS
}

/// Which byte the lowest bit is in.
#[inline]
fn lowest(bits: u64) -> usize {
    usize::try_from(bits.trailing_zeros() / 8).unwrap_or_default()
}

/// Where the next `byte` is, from `from` on.
#[inline]
pub(crate) fn find(page: &[u8], from: usize, byte: u8) -> Option<usize> {
    let mut at = from;
    for _ in 0..4 {
        let Some(word) = word(page, at) else {
            break;
        };
        let found = equal(word, byte);
        if found != 0 {
            return Some(at + lowest(found));
        }
        at += 8;
    }
    memchr(byte, page.get(at..)?).map(|found| at + found)
}

/// Where the first `>` or quote is, from `from` on, and which it is.
#[inline]
pub(crate) fn close(page: &[u8], from: usize) -> Option<(usize, u8)> {
    match word(page, from) {
        Some(head) => close_behind(page, from, head),
        None => close_of_rest(page, from),
    }
}

/// The same, where the eight bytes at `from` are known.
#[inline]
pub(crate) fn close_behind(page: &[u8], from: usize, head: u64) -> Option<(usize, u8)> {
    let (mut at, mut here) = (from, head);
    loop {
        let found = equal(here, b'>') | equal(here, b'"') | equal(here, b'\'');
        if found != 0 {
            at += lowest(found);
            return page.get(at).map(|byte| (at, *byte));
        }
        at += 8;
        here = match word(page, at) {
            Some(next) => next,
            None => return close_of_rest(page, at),
        };
    }
}

#[cold]
fn close_of_rest(page: &[u8], from: usize) -> Option<(usize, u8)> {
    let mut rest = page.get(from..)?.iter().zip(from..);
    let found = rest.find(|(byte, _)| matches!(byte, b'>' | b'"' | b'\''));
    found.map(|(byte, at)| (at, *byte))
}

/// The length of the name that begins at `from`, and its bytes (see [`key`]) if it is short;
/// nothing where the page ends in it.
#[inline]
pub(crate) fn name(page: &[u8], from: usize) -> Option<(usize, Option<u64>)> {
    if let Some(word) = word(page, from) {
        let ends = equal(word, b'>') | equal(word, b'/') | below(word, 0x21);
        let length = lowest(ends);
        if ends != 0 && page.get(from + length).is_some_and(|byte| ends_name(*byte)) {
            let mask = (1_u64 << (8 * length)) - 1;
            return Some((length, Some(word & mask)));
        }
    }
    let rest = page.get(from..)?;
    let length = rest.iter().position(|byte| ends_name(*byte))?;
    Some((length, key(rest.get(..length)?)))
}

#[inline]
const fn ends_name(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b'/' | b'>')
}

/// The bytes of a short name, the first one lowest; of a name of eight bytes or more, or with
/// control characters, there is none.
pub(crate) fn key(name: &[u8]) -> Option<u64> {
    let is_short = name.len() < 8 && name.iter().all(|byte| *byte >= 0x21);
    is_short.then(|| {
        name.iter()
            .rev()
            .fold(0, |key, byte| key << 8 | u64::from(*byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sought_is_found_at_every_place() {
        for length in 0..80 {
            for at in 0..length {
                let mut page = vec![b'='; length];
                page[at] = b'<';
                if at + 1 < length {
                    page[length - 1] = b'<';
                }
                assert_eq!(find(&page, 0, b'<'), Some(at), "{at} of {length}");
                assert_eq!(find(&page, at + 1, b'<').is_some(), at + 1 < length);
                for byte in [b'>', b'"', b'\''] {
                    page[at] = byte;
                    assert_eq!(close(&page, 0), Some((at, byte)), "{at} of {length}");
                }
            }
            assert_eq!(find(&vec![b';'; length], 0, b'<'), None);
            assert_eq!(close(&vec![b'?'; length], 0), None);
        }
    }

    #[test]
    fn a_name_ends_at_space_slash_or_bracket() {
        let short = |text: &str| Some((text.len(), key(text.as_bytes())));
        for end in [" ", "\t", "\n", "\x0c", "\r", "/", ">"] {
            for text in ["a", "h1", "x-y", "DIV", "strong", "section"] {
                for behind in ["", "b", "class=a b='<'>"] {
                    let page = format!("{text}{end}{behind}");
                    assert_eq!(name(page.as_bytes(), 0), short(text), "{page:?}");
                }
            }
            for text in ["textarea", "blockquote", "a\0", "a\x01b", "xxxxxxx\x02"] {
                let page = format!("{text}{end}class");
                assert_eq!(
                    name(page.as_bytes(), 0),
                    Some((text.len(), None)),
                    "{page:?}"
                );
            }
        }
        assert_eq!(name(b"span", 0), None);
        assert_eq!(name(b"spanspanspan", 0), None);
        assert_eq!(name("\u{e9}> class".as_bytes(), 0), Some((2, Some(0xa9c3))));
        assert_eq!(key(b"ab"), Some(0x6261));
    }
}
