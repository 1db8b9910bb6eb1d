//! A scalar's text with where it came from; knows what must not be shown of it.

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;

use super::fault::{Problem, Suggestion};
use super::reader::{Context, Place};
use crate::cause::Causes;
use crate::secret::Secret;

/// A shorter value is masked nowhere: it hides nothing, and masking `1` would make every line unreadable.
const SECRET_LENGTH: usize = 4;

/// Longest piece of a value that a fault shows, in characters.
const SHOWN: usize = 60;

/// A scalar.
pub(super) struct Text<'a> {
    cx: &'a Context<'a>,
    pub(super) place: Place,
    text: String,
    origin: Origin,
}

/// Where a text came from.
pub(super) enum Origin {
    /// It stands in the file.
    Here,
    /// It stands in the file, but may hold a secret.
    Delicate,
    /// Variables gave it, or pieces of it: their names and values.
    Variables(Vec<(String, String)>),
    /// The file that this key names holds it.
    File { key: String, text: String },
}

impl<'a> Text<'a> {
    pub(super) fn new(cx: &'a Context<'a>, place: Place, text: String, origin: Origin) -> Self {
        Self {
            cx,
            place,
            text,
            origin,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// From now on no fault shows any of it.
    pub(super) fn delicate(self) -> Self {
        let origin = match self.origin {
            Origin::Here => Origin::Delicate,
            other => other,
        };
        Self { origin, ..self }
    }

    /// Whether it stands in the file as it is.
    pub(super) fn is_literal(&self) -> bool {
        matches!(self.origin, Origin::Here | Origin::Delicate)
    }

    /// The text itself; what variables and files gave of it is kept from every output.
    pub(super) fn free(&self) -> String {
        for secret in self.secrets() {
            self.cx.keep_secret(secret);
        }
        self.text.clone()
    }

    /// What of it came from variables or a file, or says itself that it is a token: whole, and the values within it if it is (part of) a URL.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let values: Vec<&str> = match &self.origin {
            Origin::Here => Vec::new(),
            Origin::Delicate => telling_values(&self.text).collect(),
            Origin::Variables(from) => from.iter().map(|(_, value)| value.as_str()).collect(),
            Origin::File { text, .. } => vec![text],
        };
        values
            .into_iter()
            .flat_map(pieces)
            .filter(|piece| piece.len() >= SECRET_LENGTH)
            .map(Secret::new)
            .collect()
    }

    /// The text as a `T`, kept from every output as [`free`](Self::free) does; a fault if it is none.
    pub(super) fn parse<T>(&self, expected: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Error,
    {
        self.make(T::from_str, expected)
    }

    /// What `make` makes of the text, kept from every output; a fault if it refuses.
    pub(super) fn make<T, E: Error>(
        &self,
        make: impl FnOnce(&str) -> Result<T, E>,
        expected: &str,
    ) -> Option<T> {
        let made = self.make_plain(make, expected);
        self.free();
        made
    }

    /// As [`make`](Self::make) for what is no secret by its nature and must be seen to be checked: addresses,
    /// hosts, amounts, currencies. A report shows these also where they came from a variable; a fault does not.
    pub(super) fn make_plain<T, E: Error>(
        &self,
        make: impl FnOnce(&str) -> Result<T, E>,
        expected: &str,
    ) -> Option<T> {
        match make(&self.text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(Some(&Causes(&error)), expected);
                None
            }
        }
    }

    /// As [`make_plain`](Self::make_plain) where no error of `make` shows anything of the text, and so may be told
    /// wherever it came from.
    pub(super) fn make_known<T, E: Error>(
        &self,
        make: impl FnOnce(&str) -> Result<T, E>,
        expected: &str,
    ) -> Option<T> {
        make(&self.text)
            .map_err(|error| {
                let found = format!("{} ({})", self.found(), Causes(&error));
                let expected = expected.to_owned();
                self.cx
                    .report(&self.place, Problem::Wrong { found, expected });
            })
            .ok()
    }

    /// One of several words.
    pub(super) fn one_of<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let word = words.iter().find(|(word, _)| *word == self.text);
        if let Some((_, value)) = word {
            return Some(*value);
        }
        let names = || words.iter().map(|(word, _)| *word);
        let all = names().collect::<Vec<_>>().join(", ");
        let mut expected = format!("one of: {all}");
        if self.is_literal()
            && let Suggestion::Meant(name) = Suggestion::of(&self.text, names())
        {
            expected = format!("{expected} (did you mean `{name}`?)");
        }
        self.wrong(None, &expected);
        None
    }

    /// Reports the text as wrong; `why` stands beside it only if it can show nothing secret.
    pub(super) fn wrong(&self, why: Option<&dyn Display>, expected: &str) {
        let mut found = self.found();
        if let Some(why) = why
            && self.is_literal()
        {
            let why = why.to_string();
            // regex draws the pattern over several lines and says the fault in the last.
            let why = why.lines().last().unwrap_or_default().trim();
            let why = why.strip_prefix("error: ").unwrap_or(why);
            found = format!("{found} ({why})");
        }
        let expected = expected.to_owned();
        self.cx
            .report(&self.place, Problem::Wrong { found, expected });
    }

    fn found(&self) -> String {
        match &self.origin {
            Origin::Here => {
                let mut shown: String = self.text.chars().take(SHOWN).collect();
                if shown.len() < self.text.len() {
                    shown.push('…');
                }
                format!("{shown:?}")
            }
            Origin::Delicate => "a value that is not shown".to_owned(),
            Origin::Variables(from) => {
                let names: Vec<String> = from
                    .iter()
                    .map(|(name, _)| format!("${{{name}}}"))
                    .collect();
                format!("a value (from {})", names.join(", "))
            }
            Origin::File { key, .. } => format!("a value (from the file that {key} names)"),
        }
    }
}

/// The values of a URL's query whose keys say that they are secret: `security_token=…`.
pub(super) fn telling_values(url: &str) -> impl Iterator<Item = &str> {
    const ENDINGS: [&str; 4] = ["token", "secret", "key", "password"];
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(key, value)| {
        let key = key.to_ascii_lowercase();
        let is_telling = ENDINGS.iter().any(|ending| key.ends_with(ending));
        is_telling.then_some(value)
    })
}

/// A secret value as it may be seen again: whole, and the path segments and query values of a URL.
fn pieces(value: &str) -> Vec<&str> {
    const WORDS: [&str; 4] = ["AFFILIATE_ID", "TRANSACTION_ID", "AMOUNT", "ORDER_ID"];
    let (is_url, rest) = match value.split_once("://") {
        Some((_, rest)) => (true, rest.split_once('/').map_or("", |(_, rest)| rest)),
        None => (false, value),
    };
    let parts = rest.split(['/', '?', '&', '#']);
    let values = parts.map(|part| part.split_once('=').map_or(part, |(_, value)| value));
    // What stands beside a placeholder is seen with the order's own value in its place.
    let values = values.flat_map(|value| value.split(['{', '}']).step_by(2));
    let values = values.filter(|piece| !piece.is_empty() && !WORDS.contains(piece));
    let whole = (!is_url).then_some(value);
    whole.into_iter().chain(values).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_from_outside_is_secret_in_its_values() {
        assert_eq!(pieces("tok-en"), ["tok-en", "tok-en"]);
        let url = "https://net.example/services/T0?offer_id=77&aff_id=AFFILIATE_ID&token=abc";
        assert_eq!(pieces(url), ["services", "T0", "77", "abc"]);
        let url = "https://net.example/?sig=a-{order_id}b{time}&{store}=c&x={amount}";
        assert_eq!(pieces(url), ["a-", "b", "c"]);
    }
}
