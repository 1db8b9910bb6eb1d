//! The tables behind HPACK's indices (RFC 7541 §2.3).
//!
//! The dynamic table is one buffer with an index beside it: a field that comes in is
//! two copies and no allocation. What its name means is kept with it, so that a field
//! which comes again by its index is not looked at again; and so is whether its value may be.

use std::collections::VecDeque;
use std::ops::Range;

use super::super::name::Name;
use super::super::value::is_sound;
use super::Field;

/// What an entry counts beyond its bytes (RFC 7541 §4.1).
pub(super) const OVERHEAD: usize = 32;

/// The static table (RFC 7541 Appendix A); its first index is 1.
pub(super) static FIXED: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// What the names of the static table mean.
static NAMES: [Name; FIXED.len()] = names();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses an index out of bounds"
)]
const fn names() -> [Name; FIXED.len()] {
    let mut names = [Name::Plain; FIXED.len()];
    let mut at = 0;
    while at < FIXED.len() {
        names[at] = Name::of(FIXED[at].0.as_bytes());
        at += 1;
    }
    names
}

/// The fields that the other side has written and may point at.
#[derive(Debug)]
pub(super) struct Table {
    /// Names and values, the oldest in front.
    bytes: Vec<u8>,
    /// The newest in front: its index is the first behind the static table.
    entries: VecDeque<Entry>,
    /// As RFC 7541 §4.1 counts.
    size: usize,
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    name: usize,
    value: usize,
    meaning: Name,
    sound: bool,
}

impl Entry {
    fn name(self) -> Range<usize> {
        self.start..self.start + self.name
    }

    fn value(self) -> Range<usize> {
        let start = self.start + self.name;
        start..start + self.value
    }

    const fn size(self) -> usize {
        self.name + self.value + OVERHEAD
    }
}

impl Table {
    /// Empty, and never larger than `most`.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            bytes: Vec::new(),
            entries: VecDeque::new(),
            size: 0,
            most,
        }
    }

    /// The field of this index, from 1.
    pub(super) fn get(&self, index: usize) -> Option<Field<'_>> {
        let place = index.checked_sub(1)?;
        if let Some((name, value)) = FIXED.get(place) {
            let (meaning, value) = (*NAMES.get(place)?, value.as_bytes());
            return Some(Field {
                name: meaning,
                text: name.as_bytes(),
                value,
                sound: is_sound(meaning, value),
            });
        }
        let entry = *self.entries.get(place - FIXED.len())?;
        Some(Field {
            name: entry.meaning,
            text: self.bytes.get(entry.name())?,
            value: self.bytes.get(entry.value())?,
            sound: entry.sound,
        })
    }

    /// Puts a field in front, and the oldest ones out until it fits (RFC 7541 §4.4).
    pub(super) fn insert(&mut self, field: Field<'_>) {
        let entry = Entry {
            start: self.bytes.len(),
            name: field.text.len(),
            value: field.value.len(),
            meaning: field.name,
            sound: field.sound,
        };
        if !self.make_room(entry.size()) {
            return;
        }
        self.bytes.extend_from_slice(field.text);
        self.add(entry, field.value);
    }

    /// The same with the name of the field of this index; nothing happens if there is none.
    pub(super) fn insert_named(&mut self, index: usize, value: &[u8], sound: bool) {
        let Some(place) = index.checked_sub(1) else {
            return;
        };
        if let (Some((text, _)), Some(name)) = (FIXED.get(place), NAMES.get(place)) {
            return self.insert(Field {
                name: *name,
                text: text.as_bytes(),
                value,
                sound,
            });
        }
        let Some(named) = self.entries.get(place - FIXED.len()).copied() else {
            return;
        };
        let entry = Entry {
            start: self.bytes.len(),
            name: named.name,
            value: value.len(),
            meaning: named.meaning,
            sound,
        };
        // Its name may be put out by this; the bytes still stand there until `add`.
        if self.make_room(entry.size()) && named.name().end <= self.bytes.len() {
            self.bytes.extend_from_within(named.name());
            self.add(entry, value);
        }
    }

    /// Changes the largest size (RFC 7541 §4.3).
    pub(super) fn resize(&mut self, most: usize) {
        self.most = most;
        self.evict(most);
        self.compact();
    }

    /// Whether an entry of this size has room now; if not, the table is empty (RFC 7541 §4.4).
    fn make_room(&mut self, size: usize) -> bool {
        let Some(left) = self.most.checked_sub(size) else {
            self.evict(0);
            self.compact();
            return false;
        };
        self.evict(left);
        true
    }

    fn add(&mut self, entry: Entry, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.size += entry.size();
        self.entries.push_front(entry);
        self.compact();
    }

    fn evict(&mut self, most: usize) {
        while self.size > most {
            let Some(oldest) = self.entries.pop_back() else {
                return;
            };
            self.size -= oldest.size();
        }
    }

    /// Lets go of what was put out, once it is as much as what is kept may be.
    fn compact(&mut self) {
        let unused = match self.entries.back() {
            Some(oldest) => oldest.start,
            None => self.bytes.len(),
        };
        if unused == 0 || (unused < self.most && !self.entries.is_empty()) {
            return;
        }
        self.bytes.drain(..unused);
        for entry in &mut self.entries {
            entry.start -= unused;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<'a>(text: &'a [u8], value: &'a [u8]) -> Field<'a> {
        Field {
            name: Name::Plain,
            text,
            value,
            sound: true,
        }
    }

    fn listed(table: &Table) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (62..)
            .map_while(|index| table.get(index))
            .map(|found| format!("{}={}", text(found.text), text(found.value)))
            .collect()
    }

    #[test]
    fn the_newest_comes_first_and_the_oldest_goes() {
        let mut table = Table::new(3 * (2 + OVERHEAD));
        for name in [b"a", b"b", b"c", b"d"] {
            table.insert(field(name, b"1"));
        }
        assert_eq!(listed(&table), ["d=1", "c=1", "b=1"]);
        // The name of the one that this puts out.
        table.insert_named(64, b"2", true);
        assert_eq!(listed(&table), ["b=2", "d=1", "c=1"]);
        table.insert_named(8, b"", true);
        assert_eq!(listed(&table), [":status=", "b=2"]);
        table.insert_named(99, b"", true);
        assert_eq!(listed(&table).len(), 2);
        table.resize(OVERHEAD + 2);
        assert_eq!(listed(&table), [""; 0]);
        table.insert(field(b"e", b""));
        assert_eq!(listed(&table), ["e="]);
        table.insert(field(b"long", b""));
        assert_eq!(listed(&table), [""; 0]);
        assert_eq!((table.size, table.bytes.len()), (0, 0));
    }

    #[test]
    fn the_buffer_stays_small_and_the_fields_right() {
        let mut table = Table::new(256);
        for turn in 0..1_000_u32 {
            let value = turn.to_string();
            match turn % 3 {
                0 => table.insert(field(b"name", value.as_bytes())),
                1 => table.insert_named(62, value.as_bytes(), true),
                _ => table.insert_named(63, value.as_bytes(), true),
            }
            assert_eq!(table.get(62).unwrap().value, value.as_bytes());
            assert_eq!(table.get(62).unwrap().text, b"name");
            assert!(table.size <= 256 && table.bytes.len() <= 512);
        }
        let kept: Vec<String> = (994..1000)
            .rev()
            .map(|turn| format!("name={turn}"))
            .collect();
        assert_eq!(listed(&table), kept);
    }

    #[test]
    fn the_static_table_is_the_rfc_s() {
        let table = Table::new(0);
        for (index, name, value) in [
            (1, ":authority", ""),
            (2, ":method", "GET"),
            (16, "accept-encoding", "gzip, deflate"),
            (32, "cookie", ""),
            (61, "www-authenticate", ""),
        ] {
            let found = table.get(index).unwrap();
            assert_eq!(
                (found.text, found.value),
                (name.as_bytes(), value.as_bytes())
            );
        }
        assert_eq!(table.get(0), None);
        assert_eq!(table.get(62), None);
        assert_eq!(table.get(32).unwrap().name, Name::Cookie);
    }
}
