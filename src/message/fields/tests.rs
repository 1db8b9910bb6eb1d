//! Fields looked up, changed and written.

use super::*;

fn written(fields: &Fields) -> String {
    let mut out = Vec::new();
    fields.write(&mut out);
    assert_eq!(out.len(), fields.written());
    String::from_utf8(out).unwrap()
}

fn some() -> Fields {
    [
        ("Host", "a"),
        ("X-A", "1"),
        ("x-b", ""),
        ("X-a", "2"),
        ("C", "c"),
    ]
    .into_iter()
    .collect()
}

#[test]
fn fields_are_found_by_name_and_written_as_they_came() {
    let fields = some();
    assert_eq!(fields.get("host"), Some(&b"a"[..]));
    assert_eq!(fields.get("hos"), None);
    assert_eq!(fields.get_all("x-a").collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!(fields.get("x-b"), Some(&b""[..]));
    assert_eq!(
        written(&fields),
        "Host: a\r\nX-A: 1\r\nx-b: \r\nX-a: 2\r\nC: c\r\n"
    );
    assert_eq!((fields.len(), fields.is_empty()), (5, false));
    assert_eq!(written(&Fields::default()), "");
}

#[test]
fn fields_that_were_found_are_written_as_by_append() {
    let text = b"A: b\r\nX:y\r\nempty: \r\nnone:\r\nT:  u\t\r\nC: c d\r\n";
    let mut index = Index::default();
    for (start, name, end) in [(0, 1, 6), (6, 1, 11), (11, 5, 20), (20, 4, 27), (27, 1, 35)] {
        index.add(start, &text[start..start + name], end, start == 0);
    }
    index.add(35, b"C", 43, true);
    let fields = index.fields(text);
    for name in ["a", "x", "empty", "none", "t", "c"] {
        assert!(fields.contains(name), "{name}");
    }
    let straight = "A: b\r\nX: y\r\nempty: \r\nnone: \r\nT: u\r\nC: c d\r\n";
    assert_eq!(written(&fields), straight);
}

#[test]
fn a_field_that_is_set_stands_once_in_the_place_of_the_first() {
    let mut fields = some();
    fields.set("x-a", b"three");
    fields.set("new", b"n");
    assert_eq!(
        written(&fields),
        "Host: a\r\nX-A: three\r\nx-b: \r\nC: c\r\nnew: n\r\n"
    );
}

#[test]
fn fields_are_removed_and_edited_in_place() {
    let mut fields = some();
    assert!(fields.remove("x-b"));
    assert!(!fields.remove("x-b"));
    let replaced = fields.edit("x-a", |value| match value {
        b"2" => Edit::Replace(b"two".to_vec()),
        _ => Edit::Remove,
    });
    assert_eq!(written(&fields), "Host: a\r\nX-a: two\r\nC: c\r\n");
    let before: Vec<_> = fields.replaced(&replaced).collect();
    assert_eq!(before, [b"1", b"2"]);
    fields.retain(|name, value| name != b"Host" && value != b"c");
    assert_eq!(written(&fields), "X-a: two\r\n");
    let may = |first, length| first == b'X' && length == 3;
    let mut fields = some();
    fields.remove("x-b");
    let looked: Vec<_> = fields.some(may).collect();
    assert_eq!(looked, [(&b"X-A"[..], &b"1"[..]), (b"X-a", b"2")]);
    fields.retain_some(may, |_, value| value == b"2");
    assert_eq!(written(&fields), "Host: a\r\nX-a: 2\r\nC: c\r\n");
}
