//! The `Cookie` field on bytes: ours are taken out by exact name, the shop's
//! stay as they came.
//!
//! A parser that trims Unicode space, unquotes or keeps the last of two equal
//! names would change what the shop sees (RFC 6265 §5.4 leaves all of that open).

use crate::message::Fields;

/// The longest value that is looked at; ours are far shorter.
const VALUE_LIMIT: usize = 4096;

/// The most values of ours that are looked at in one request.
const VALUES_LIMIT: usize = 8;

/// What the `Cookie` fields of one request hold for us.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ours {
    /// The values under the store's cookie name, in their order.
    pub values: Vec<String>,
    /// Values that are too long, not ASCII or too many.
    pub refused: usize,
}

/// Takes every cookie named in `names` out of `headers`; those under the first
/// name are given back.
pub fn take(fields: &mut Fields, names: &[String]) -> Ours {
    let mut ours = Ours::default();
    let carries = |value: &[u8]| pieces(value).any(|piece| is_one(piece, names));
    if fields.get_all("cookie").any(carries) {
        fields.edit("cookie", |value| without_ours(value, names, &mut ours));
    }
    ours
}

/// The field's other cookies, as they came; none if there are none.
fn without_ours(field: &[u8], names: &[String], ours: &mut Ours) -> Option<Vec<u8>> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for piece in pieces(field) {
        if !is_one(piece, names) {
            kept.push(piece);
        } else if names
            .first()
            .is_some_and(|name| name.as_bytes() == name_of(piece))
        {
            ours.keep(value_of(piece));
        }
    }
    let rest = kept.join(&b';');
    let rest = rest.trim_ascii_start();
    if rest.is_empty() {
        return None;
    }
    Some(rest.to_vec())
}

impl Ours {
    fn keep(&mut self, value: &[u8]) {
        let text = std::str::from_utf8(value).ok();
        match text.filter(|text| text.len() <= VALUE_LIMIT && self.values.len() < VALUES_LIMIT) {
            Some(text) => self.values.push(text.to_owned()),
            None => self.refused += 1,
        }
    }
}

fn pieces(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|byte| *byte == b';')
}

fn is_one(piece: &[u8], names: &[String]) -> bool {
    names.iter().any(|name| name.as_bytes() == name_of(piece))
}

fn name_of(piece: &[u8]) -> &[u8] {
    let name = piece.split(|byte| *byte == b'=').next().unwrap_or(piece);
    name.trim_ascii()
}

fn value_of(piece: &[u8]) -> &[u8] {
    let value = piece.iter().position(|byte| *byte == b'=');
    value
        .and_then(|at| piece.get(at + 1..))
        .unwrap_or_default()
        .trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(fields: &[&[u8]]) -> (Vec<Vec<u8>>, Ours) {
        let mut fields: Fields = fields.iter().map(|field| ("Cookie", field)).collect();
        let names = ["__Host-r".to_owned(), "r".to_owned()];
        let ours = take(&mut fields, &names);
        let rest = fields.get_all("cookie");
        (rest.map(<[u8]>::to_vec).collect(), ours)
    }

    #[test]
    fn ours_is_taken_and_the_shops_stay_byte_for_byte() {
        let shop = b"a=\"1\\054 2\";  b=\xff\xe9; c; =d; e=f=g;";
        let (rest, ours) = taken(&[shop]);
        assert_eq!((rest, ours), (vec![shop.to_vec()], Ours::default()));
        let (rest, ours) = taken(&[b"a=\"1\\054 2\"; __Host-r=x; b=\xff\xe9"]);
        assert_eq!(rest, [b"a=\"1\\054 2\"; b=\xff\xe9".to_vec()]);
        assert_eq!(ours.values, ["x"]);
        let (rest, ours) = taken(&[b"__Host-r=x; a=1"]);
        assert_eq!(
            (rest, ours.values),
            (vec![b"a=1".to_vec()], vec!["x".to_owned()])
        );
    }

    #[test]
    fn a_field_that_held_only_ours_is_gone() {
        let (rest, ours) = taken(&[b"__Host-r=x", b"a=1", b"r=old;__Host-r=y"]);
        assert_eq!(rest, [b"a=1".to_vec()]);
        assert_eq!(ours.values, ["x", "y"]);
    }

    #[test]
    fn other_spellings_are_the_shops() {
        let shop = b"__host-r=x; R=1; xr=2; r2=3; a=__Host-r=z";
        assert_eq!(taken(&[shop]).0, [shop.to_vec()]);
    }

    #[test]
    fn values_beyond_every_bound_are_refused_and_still_taken() {
        let long = format!("__Host-r={}", "x".repeat(VALUE_LIMIT + 1));
        assert_eq!(
            taken(&[long.as_bytes()]),
            (
                vec![],
                Ours {
                    values: vec![],
                    refused: 1
                }
            )
        );
        let (_, ours) = taken(&[b"__Host-r=\xff"]);
        assert_eq!(ours.refused, 1);
        let many = "__Host-r=1;".repeat(VALUES_LIMIT + 2);
        let (_, ours) = taken(&[many.as_bytes()]);
        assert_eq!((ours.values.len(), ours.refused), (VALUES_LIMIT, 2));
    }
}
