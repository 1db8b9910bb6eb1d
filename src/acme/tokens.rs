//! The pages that an authority asks for (HTTP-01, RFC 8555 §8.3).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Where they are.
const PATH: &str = "/.well-known/acme-challenge/";

/// The answers to the challenges of the moment, shared by all workers.
#[derive(Debug, Default)]
pub struct Tokens(Mutex<HashMap<String, String>>);

impl Tokens {
    /// What to answer to a GET of `path`; none if that is nothing that we know of.
    pub fn answer(&self, path: &str) -> Option<String> {
        let token = path.strip_prefix(PATH)?;
        self.with(|tokens| tokens.get(token).cloned())
    }

    pub(super) fn lend(&self, token: &str, answer: &str) {
        self.with(|tokens| tokens.insert(token.to_owned(), answer.to_owned()));
    }

    pub(super) fn withdraw(&self, token: &str) {
        self.with(|tokens| tokens.remove(token));
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, String>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_lent_is_answered() {
        let tokens = Tokens::default();
        let path = |token: &str| format!("{PATH}{token}");
        tokens.lend("abc", "abc.thumb");
        assert_eq!(tokens.answer(&path("abc")).as_deref(), Some("abc.thumb"));
        for other in [path("abcd"), path("ab"), path(""), "/abc".to_owned()] {
            assert_eq!(tokens.answer(&other), None, "{other}");
        }
        tokens.withdraw("abc");
        assert_eq!(tokens.answer(&path("abc")), None);
    }
}
