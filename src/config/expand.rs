//! `${VAR}` and `${VAR:-default}` within one scalar; `$${` stands for `${`.
//!
//! Replaced after parsing, so that no variable's value can add a line or a key.

/// A scalar after replacement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    pub(super) text: String,
    /// What the environment gave: name and value.
    pub(super) from: Vec<(String, String)>,
}

/// Why a scalar cannot be replaced.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// No value, or an empty one, and no default.
    #[error("the environment has no value for ${{{0}}}")]
    Unset(String),
    /// `${` without `}`.
    #[error("\"${{\" without \"}}\"")]
    Open,
    /// Something else than a name.
    #[error("a variable's name is made of letters, digits and '_'")]
    Name,
}

/// Replaces the variables of `raw`.
pub(super) fn expand(raw: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Expanded, Error> {
    let mut text = String::with_capacity(raw.len());
    let mut from = Vec::new();
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            text.push_str(before);
            text.push_str("${");
            rest = after;
            continue;
        }
        text.push_str(before);
        let (inside, after) = after.split_once('}').ok_or(Error::Open)?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_name(name) {
            return Err(Error::Name);
        }
        match (env(name).filter(|value| !value.is_empty()), default) {
            (Some(value), _) => {
                text.push_str(&value);
                from.push((name.to_owned(), value));
            }
            (None, Some(default)) => text.push_str(default),
            (None, None) => return Err(Error::Unset(name.to_owned())),
        }
        rest = after;
    }
    text.push_str(rest);
    Ok(Expanded { text, from })
}

fn is_name(name: &str) -> bool {
    let word = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    word && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(raw: &str) -> Result<String, Error> {
        let env = |name: &str| match name {
            "TOKEN" => Some("s3cret: ${HOME}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expand(raw, &env).map(|expanded| expanded.text)
    }

    #[test]
    fn variables_are_replaced_once() {
        let ok = |raw: &str| replaced(raw).unwrap();
        assert_eq!(ok("a=${TOKEN}&b"), "a=s3cret: ${HOME}&b");
        assert_eq!(ok("${NONE:-x}${NONE:-}"), "x");
        assert_eq!(ok("${EMPTY:-x}"), "x");
        assert_eq!(ok("$${TOKEN} $ ^a$ $$"), "${TOKEN} $ ^a$ $$");
    }

    #[test]
    fn what_cannot_be_replaced_is_told() {
        assert_eq!(replaced("${NONE}"), Err(Error::Unset("NONE".into())));
        assert_eq!(replaced("${EMPTY}"), Err(Error::Unset("EMPTY".into())));
        assert_eq!(replaced("a${TOKEN"), Err(Error::Open));
        assert_eq!(replaced("${a b}"), Err(Error::Name));
        assert_eq!(replaced("${1A}"), Err(Error::Name));
    }
}
