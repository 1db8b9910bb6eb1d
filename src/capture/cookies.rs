//! The `Cookie` field on bytes: ours are taken out by exact name, the shop's
//! stay as they came.
//!
//! A parser that trims Unicode space, unquotes or keeps the last of two equal
//! names would change what the shop sees (RFC 6265 §5.4 leaves all of that open).

use std::ops::RangeInclusive;

use memchr::{memchr, memmem};

use super::CookieName;
use crate::message::{Edit, Fields, Replaced};

/// How long a value is that may be ours, in bytes: no sealed visit is shorter, and what we set is
/// shorter than the longest.
const VALUE_LENGTH: RangeInclusive<usize> = 160..=4096;

/// The most values under one name that are opened in a request: as many as browsers keep of a
/// domain (180), so that nobody who plants more beside ours pushes it out.
const VALUES_LIMIT: usize = 180;

/// The `Cookie` fields that held cookies of ours, as they came.
#[derive(Debug, Default)]
pub struct Ours(Replaced);

/// What they hold for us.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Values<'f> {
    /// The values under the store's cookie name, in their order.
    pub values: Vec<&'f str>,
    /// Values that cannot be a seal by their look, or are too many.
    pub refused: usize,
}

/// Takes every cookie of ours out of `fields`.
pub fn take(fields: &mut Fields, ours: &CookieName) -> Ours {
    Ours(fields.edit("cookie", |value| without(value, ours)))
}

/// The value of the shop's cookie of this exact name, as it stands there; none if it stands there twice.
pub fn only<'f>(fields: &'f Fields, name: &str) -> Option<&'f [u8]> {
    let mut of_it = fields
        .get_all("cookie")
        .flat_map(pieces)
        .filter(|piece| name_of(piece) == name.as_bytes());
    let (first, second) = (of_it.next()?, of_it.next());
    second.is_none().then(|| value_of(first))
}

/// The values of every cookie of that name, as they stand in `fields`.
pub fn named<'f>(fields: &'f Fields, name: &'f [u8]) -> impl Iterator<Item = &'f [u8]> {
    let fields = fields.get_all("cookie");
    let fields = fields.filter(move |field| memmem::find(field, name).is_some());
    let pieces = fields.flat_map(pieces);
    pieces
        .filter(move |piece| name_of(piece) == name)
        .map(value_of)
}

impl Ours {
    /// Whether none of ours was in `fields`.
    pub fn is_empty(&self, fields: &Fields) -> bool {
        fields.replaced(&self.0).next().is_none()
    }

    /// Whether there is a cookie under `name` in the fields that they were taken out of.
    pub(super) fn have(&self, fields: &Fields, name: &str) -> bool {
        self.all(fields, name).next().is_some()
    }

    /// Every value under `name`, whatever it looks like.
    pub(super) fn all<'f>(&self, fields: &'f Fields, name: &str) -> impl Iterator<Item = &'f [u8]> {
        let pieces = fields.replaced(&self.0).flat_map(pieces);
        let named = pieces.filter(move |piece| name_of(piece) == name.as_bytes());
        named.map(value_of)
    }

    /// The values under `name`, of the fields that they were taken out of.
    pub fn values<'f>(&self, fields: &'f Fields, name: &str) -> Values<'f> {
        let mut found = Values::default();
        for value in self.all(fields, name) {
            found.keep(value);
        }
        found
    }
}

/// The field's other cookies, as they came.
fn without(field: &[u8], ours: &CookieName) -> Edit {
    if !ours.may_be_in(field) {
        return Edit::Keep;
    }
    let (mut found, mut first) = (false, true);
    let mut others = Vec::new();
    for piece in pieces(field) {
        if ours.is(name_of(piece)) {
            found = true;
            continue;
        }
        if !std::mem::take(&mut first) {
            others.push(b';');
        }
        others.extend_from_slice(piece);
    }
    match others.trim_ascii_start() {
        _ if !found => Edit::Keep,
        [] => Edit::Remove,
        trimmed => Edit::Replace(trimmed.to_vec()),
    }
}

impl<'f> Values<'f> {
    fn keep(&mut self, value: &'f [u8]) {
        let text = std::str::from_utf8(value).ok();
        match text.filter(|text| may_be_sealed(text) && self.values.len() < VALUES_LIMIT) {
            Some(text) => self.values.push(text),
            None => self.refused += 1,
        }
    }
}

/// Whether it looks like a seal: base64 (RFC 4648 §4) of a fit length. A quick look before it is opened.
fn may_be_sealed(value: &str) -> bool {
    let digits = value.trim_end_matches('=');
    VALUE_LENGTH.contains(&value.len())
        && value.len().is_multiple_of(4)
        && value.len() - digits.len() <= 2
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn pieces(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(field);
    std::iter::from_fn(move || {
        let (piece, behind) = parted(b';', rest?);
        rest = behind;
        Some(piece)
    })
}

fn name_of(piece: &[u8]) -> &[u8] {
    parted(b'=', piece).0.trim_ascii()
}

fn value_of(piece: &[u8]) -> &[u8] {
    parted(b'=', piece).1.unwrap_or_default().trim_ascii()
}

/// What stands before and behind the first `mark`.
fn parted(mark: u8, text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some((before, [_mark, behind @ ..])) =
        memchr(mark, text).and_then(|at| text.split_at_checked(at))
    else {
        return (text, None);
    };
    (before, Some(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(fields: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<String>, usize) {
        let mut fields: Fields = fields.iter().map(|field| ("Cookie", field)).collect();
        let ours = take(&mut fields, &CookieName::new("r"));
        let Values { values, refused } = ours.values(&fields, "__Host-r");
        let values = values.into_iter().map(str::to_owned).collect();
        let rest = fields.get_all("cookie");
        (rest.map(<[u8]>::to_vec).collect(), values, refused)
    }

    /// A value that may be ours, made of this letter.
    fn value(letter: &str) -> String {
        letter.repeat(*VALUE_LENGTH.start())
    }

    #[test]
    fn ours_is_taken_and_the_shops_stay_byte_for_byte() {
        let shop = b"a=\"1\\054 2\";  b=\xff\xe9; c; =d; e=f=g;";
        let (rest, ours, _) = taken(&[shop]);
        assert_eq!((rest, ours), (vec![shop.to_vec()], vec![]));
        let x = value("x");
        let both = format!("a=\"1\\054 2\"; __Host-r={x}; b=");
        let (rest, ours, _) = taken(&[&[both.as_bytes(), b"\xff\xe9"].concat()]);
        assert_eq!(rest, [b"a=\"1\\054 2\"; b=\xff\xe9".to_vec()]);
        assert_eq!(ours, std::slice::from_ref(&x));
        let (rest, ours, _) = taken(&[format!("__Host-r={x}; a=1").as_bytes()]);
        assert_eq!((rest, ours), (vec![b"a=1".to_vec()], vec![x]));
    }

    #[test]
    fn a_field_that_held_only_ours_is_gone() {
        let [x, y] = ["x", "y"].map(value);
        let (rest, ours, _) = taken(&[
            format!("__Host-r={x}").as_bytes(),
            b"a=1",
            format!("r=old;__Host-r={y} ").as_bytes(),
            b"; r=z;",
        ]);
        assert_eq!(rest, [b"a=1".to_vec(), b";".to_vec()]);
        assert_eq!(ours, [x, y]);
    }

    #[test]
    fn other_spellings_are_the_shops() {
        let shop = b"__host-r=x; R=1; xr=2; r2=3; a=__Host-r=z";
        assert_eq!(taken(&[shop]).0, [shop.to_vec()]);
    }

    #[test]
    fn the_smallest_visit_is_a_seal_by_its_look() {
        let id = "0".repeat(32);
        let visit = format!(
            r#"{{"version":1,"purpose":"visit","group":"a","visit":{{"id":"{id}","clicks":[{{"network":"a","values":{{"a":"b"}},"at":0}}],"checkout":null}}}}"#
        );
        let keys = crate::seal::Keys::parse(["5a".repeat(64).as_str()]).unwrap();
        assert!(may_be_sealed(&keys.seal("r", &visit)));
    }

    #[test]
    fn a_cookie_of_the_shops_counts_once_and_by_its_exact_name() {
        let only = |fields: &[&str]| {
            let fields: Fields = fields.iter().map(|field| ("Cookie", field)).collect();
            only(&fields, "sid").map(|value| String::from_utf8(value.to_vec()).unwrap())
        };
        assert_eq!(only(&["a=1; sid=x=y ;b=2"]).as_deref(), Some("x=y"));
        assert_eq!(only(&["a=1", "sid=x"]).as_deref(), Some("x"));
        for fields in [
            &["a=sid=x; SID=1; sid2=2; xsid=3"][..],
            &["sid=x; sid=x"],
            &["sid=x", "sid=y"],
        ] {
            assert_eq!(only(fields), None, "{fields:?}");
        }
    }

    #[test]
    fn values_beyond_every_bound_are_refused_and_still_taken() {
        let long = "x".repeat(VALUE_LENGTH.end() + 4);
        let short = "x".repeat(VALUE_LENGTH.start() - 4);
        let odd = value("x") + "x";
        let padded = value("x") + "====";
        let url_safe = value("-");
        for refused in [&long, &short, &odd, &padded, &url_safe, ""] {
            let field = format!("__Host-r={refused}");
            assert_eq!(taken(&[field.as_bytes()]), (vec![], vec![], 1), "{refused}");
        }
        assert_eq!(taken(&[b"__Host-r=\xff"]).2, 1);
        let many = format!("__Host-r=1;__Host-r={};", value("x")).repeat(VALUES_LIMIT + 2);
        let (_, ours, refused) = taken(&[many.as_bytes()]);
        assert_eq!((ours.len(), refused), (VALUES_LIMIT, VALUES_LIMIT + 4));
    }
}
