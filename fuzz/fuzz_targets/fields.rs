//! Fields after any sequence of changes: what a plain list of pairs would hold, written and
//! read again as the same.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use refgate::message::parse::{self, Limits, is_text, is_token};
use refgate::message::{Edit, Fields};
use refgate_fuzz::pairs;

/// Few, so that changes meet.
const NAMES: [&str; 4] = ["cookie", "x-a", "x-ab", "set-cookie"];

#[derive(Debug)]
enum Change {
    Append(Vec<u8>, Vec<u8>),
    Set(&'static str, Vec<u8>),
    Remove(&'static str),
    /// Values that begin with the byte are gone, those that end with it are replaced.
    Edit(&'static str, u8, Vec<u8>),
    /// Fields whose value holds the byte are gone.
    Retain(u8),
}

impl<'a> Arbitrary<'a> for Change {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let name = *bytes.choose(&NAMES)?;
        Ok(match bytes.int_in_range(0..=7)? {
            0 => Self::Set(name, value(bytes)?),
            1 => Self::Remove(name),
            2 => Self::Edit(name, bytes.arbitrary()?, value(bytes)?),
            3 => Self::Retain(bytes.arbitrary()?),
            4 => Self::Append(token(bytes)?, value(bytes)?),
            5 => Self::Append(name.to_ascii_uppercase().into_bytes(), value(bytes)?),
            _ => Self::Append(name.as_bytes().to_vec(), value(bytes)?),
        })
    }
}

fn token(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let length = bytes.int_in_range(1..=12)?;
    let name = bytes.bytes(length)?.to_vec();
    Ok(if is_token(&name) { name } else { b"x".to_vec() })
}

fn value(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let length = bytes.int_in_range(0..=20)?;
    let value = bytes.bytes(length)?.trim_ascii();
    Ok(if is_text(value) {
        value.to_vec()
    } else {
        Vec::new()
    })
}

fuzz_target!(|changes: Vec<Change>| {
    let mut fields = Fields::default();
    let mut model: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for change in &changes {
        ours(&mut fields, change);
        plainly(&mut model, change);
        assert_eq!(pairs(&fields), model, "after {change:?}");
    }
    for name in NAMES {
        let named = model
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()));
        let values: Vec<&[u8]> = named.map(|(_, value)| value.as_slice()).collect();
        assert_eq!(fields.get(name), values.first().copied());
        assert_eq!(fields.contains(name), !values.is_empty());
        assert_eq!(fields.get_all(name).collect::<Vec<_>>(), values);
    }
    assert_eq!(
        (fields.len(), fields.is_empty()),
        (model.len(), model.is_empty())
    );
    let mut out = Vec::new();
    fields.write(&mut out);
    assert_eq!(out.len(), fields.written());
    out.extend_from_slice(b"\r\n");
    let limits = Limits {
        bytes: out.len(),
        fields: model.len(),
    };
    let (read, taken) = parse::trailers(&out, limits).unwrap().unwrap();
    assert_eq!((pairs(&read), taken), (model, out.len()));
});

fn ours(fields: &mut Fields, change: &Change) {
    match change {
        Change::Append(name, value) => fields.append(name, value),
        Change::Set(name, value) => fields.set(name, value),
        Change::Remove(name) => drop(fields.remove(name)),
        Change::Edit(name, byte, new) => {
            drop(fields.edit(name, |value| match edited(value, *byte, new) {
                None => Edit::Remove,
                Some(same) if same == value => Edit::Keep,
                Some(other) => Edit::Replace(other),
            }))
        }
        Change::Retain(byte) => fields.retain(|_, value| !value.contains(byte)),
    }
}

fn edited(value: &[u8], byte: u8, new: &[u8]) -> Option<Vec<u8>> {
    match value {
        [first, ..] if *first == byte => None,
        [.., last] if *last == byte => Some(new.to_vec()),
        _ => Some(value.to_vec()),
    }
}

fn plainly(model: &mut Vec<(Vec<u8>, Vec<u8>)>, change: &Change) {
    let is = |own: &[u8], name: &str| own.eq_ignore_ascii_case(name.as_bytes());
    match change {
        Change::Append(name, value) => model.push((name.clone(), value.clone())),
        Change::Set(name, value) => match model.iter().position(|(own, _)| is(own, name)) {
            None => model.push((name.as_bytes().to_vec(), value.clone())),
            Some(first) => {
                model[first].1.clone_from(value);
                let mut at = 0..;
                model.retain(|(own, _)| at.next() <= Some(first) || !is(own, name));
            }
        },
        Change::Remove(name) => model.retain(|(own, _)| !is(own, name)),
        Change::Edit(name, byte, new) => {
            *model = std::mem::take(model)
                .into_iter()
                .filter_map(|(own, value)| {
                    if !is(&own, name) {
                        return Some((own, value));
                    }
                    Some((own, edited(&value, *byte, new)?))
                })
                .collect();
        }
        Change::Retain(byte) => model.retain(|(_, value)| !value.contains(byte)),
    }
}
