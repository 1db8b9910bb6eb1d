//! Our parameters in a request target: found by their decoded name, cut out
//! with no other byte changed.

use memchr::memchr;
use percent_encoding::percent_decode_str;

/// A query parameter that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// Its decoded name.
    pub name: &'a str,
    /// Its decoded value; none if the bytes are no UTF-8.
    pub value: Option<String>,
}

/// A target taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Our parameters, in their order, repeated ones too.
    pub ours: Vec<Found<'a>>,
    /// The target without them; none if there are none.
    pub rest: Option<String>,
}

/// Looks for the parameters that `is_ours` knows by name, and by the value as it is written.
///
/// `is_ours` gives back its own copy of the name, so that what is found does
/// not hang on the target.
pub fn take_apart<'a>(target: &str, is_ours: impl Fn(&str, &str) -> Option<&'a str>) -> Target<'a> {
    let untouched = Target {
        ours: Vec::new(),
        rest: None,
    };
    let mark = memchr(b'?', target.as_bytes());
    let Some((path, query)) =
        mark.and_then(|mark| Some((target.get(..mark)?, target.get(mark + 1..)?)))
    else {
        return untouched;
    };
    let mut ours = Vec::new();
    let mut kept = Vec::new();
    for piece in query.split('&') {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        match decode(name).and_then(|name| is_ours(&name, value)) {
            Some(name) => ours.push(Found {
                name,
                value: decode(value),
            }),
            None => kept.push(piece),
        }
    }
    if ours.is_empty() {
        return untouched;
    }
    let rest = if kept.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", kept.join("&"))
    };
    Target {
        ours,
        rest: Some(rest),
    }
}

/// Whether the target carries the parameter `name` once, with exactly this value.
pub fn says(target: &str, name: &str, value: &str) -> bool {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let pieces = query
        .split('&')
        .map(|piece| piece.split_once('=').unwrap_or((piece, "")));
    let mut of_it = pieces.filter(|(found, _)| decode(found).as_deref() == Some(name));
    let (first, second) = (of_it.next(), of_it.next());
    let first = first.filter(|_| second.is_none());
    first.is_some_and(|(_, found)| decode(found).as_deref() == Some(value))
}

/// Decodes `application/x-www-form-urlencoded`; none if the result is no UTF-8.
fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(target: &str) -> (Vec<Option<String>>, Option<String>) {
        let apart = take_apart(target, |name, _value| (name == "ref").then_some("ref"));
        let values = apart.ours.into_iter().map(|found| found.value).collect();
        (values, apart.rest)
    }

    #[test]
    fn our_parameter_is_cut_and_nothing_else_changes() {
        for (target, value, rest) in [
            ("/?ref=7", "7", "/"),
            ("/a?ref=7&b=%20+c", "7", "/a?b=%20+c"),
            ("/a?b&&ref=7&c=d=e", "7", "/a?b&&c=d=e"),
            ("/a?b=1&ref=", "", "/a?b=1"),
            ("/a?b=1&ref", "", "/a?b=1"),
            ("/a?%72ef=%37", "7", "/a"),
            ("/a?ref=a+b", "a b", "/a"),
            ("/a?x=?ref=1&ref=7?", "7?", "/a?x=?ref=1"),
        ] {
            let expected = (vec![Some(value.to_owned())], Some(rest.to_owned()));
            assert_eq!(cut(target), expected, "{target}");
        }
    }

    #[test]
    fn other_targets_are_not_touched() {
        for target in [
            "/",
            "/?",
            "*",
            "/ref=7",
            "/?Ref=7",
            "/?xref=7",
            "/?a=ref",
            "/?re%00f=1",
        ] {
            assert_eq!(cut(target), (vec![], None), "{target}");
        }
    }

    #[test]
    fn a_parameter_says_something_once() {
        for (target, expected) in [
            ("/?sn=1", true),
            ("/?a=b&s%6e=%31&c", true),
            ("/?sn=1&sn=1", false),
            ("/?sn=2", false),
            ("/?sn", false),
            ("/sn=1", false),
            ("/?xsn=1", false),
        ] {
            assert_eq!(says(target, "sn", "1"), expected, "{target}");
        }
    }

    #[test]
    fn a_value_that_is_no_utf_8_is_found_without_value() {
        assert_eq!(cut("/?ref=%ff"), (vec![None], Some("/".to_owned())));
    }

    proptest! {
        #[test]
        fn without_our_parameter_the_rest_is_the_target(
            before in "[a-z=%2&?]{0,12}", after in "[a-z=%2&?]{0,12}",
        ) {
            let target = format!("/p?x={before}&ref=1&y={after}");
            let (_, rest) = cut(&target);
            prop_assert_eq!(rest, Some(format!("/p?x={before}&y={after}")));
        }
    }
}
