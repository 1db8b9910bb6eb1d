//! The envelope: a text sealed for our own disk, under the same keys as the cookie.
//!
//! The purpose is authenticated with the text, so that nothing sealed for one
//! end is opened for another.

use cookie::{Cookie, CookieJar};

use super::Keys;

impl Keys {
    /// Seals a text for `purpose`; the result is base64.
    pub fn enclose(&self, purpose: &'static str, text: String) -> Option<String> {
        let mut jar = CookieJar::new();
        jar.private_mut(self.0.first()?)
            .add(Cookie::new(purpose, text));
        Some(jar.get(purpose)?.value().to_owned())
    }

    /// Opens what [`Self::enclose`] sealed for the same purpose, with any of the keys.
    /// None if it is anything else.
    pub fn disclose(&self, purpose: &'static str, sealed: &str) -> Option<String> {
        let jar = CookieJar::new();
        self.0.iter().find_map(|key| {
            let opened = jar
                .private(key)
                .decrypt(Cookie::new(purpose, sealed.to_owned()))?;
            Some(opened.value().to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&str]) -> Keys {
        let texts: Vec<String> = texts.iter().map(|digit| digit.repeat(128)).collect();
        Keys::parse(texts.iter().map(String::as_str)).unwrap()
    }

    #[test]
    fn only_the_same_purpose_and_a_known_key_open_it() {
        let sealed = keys(&["a"]).enclose("order", "{}".to_owned()).unwrap();
        let open = |with: &[&str], purpose| keys(with).disclose(purpose, &sealed);
        assert_eq!(open(&["a"], "order").as_deref(), Some("{}"));
        assert_eq!(
            open(&["b", "a"], "order").as_deref(),
            Some("{}"),
            "an older key"
        );
        assert_eq!(open(&["a"], "cookie"), None);
        assert_eq!(open(&["b"], "order"), None);
        assert_eq!(
            keys(&["a"]).disclose("order", &sealed.replacen('A', "B", 1).repeat(2)),
            None
        );
        assert_eq!(keys(&["a"]).disclose("order", ""), None);
    }
}
