//! Tokens: what one store says to another by way of the browser, in a query parameter.
//!
//! Two registrable domains never share a cookie, so what is known at one store travels in the URL
//! (domain.md §6). A token is sealed with the keys of the group of stores, bound to the host that
//! it is for, and lasts for minutes. It may be used again: a link that is clicked twice says the
//! same twice. It tells of clicks and their times, and never of a visit's id, so that nobody who
//! opens another one's link is taken for him.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::click::{By, Click, give_way};
use crate::clock::Time;
use crate::name::GroupName;
use crate::seal::Keys;
use crate::visit::SKEW;

/// What the seal binds a token to; no cookie has this name.
const SEALED_AS: &str = "token";

const VERSION: u8 = 1;

/// How long the way to another store and back may take, by clocks that are apart: who comes with a
/// question that is not taken stays at the wrong store. The marker cookie bounds it anyway.
const HOP: Duration = Duration::from_secs(60).saturating_add(SKEW);

/// The longest token that is looked at, and that is made.
pub const LIMIT: usize = 3_000;

/// The shortest that can hold what every token does.
const LEAST: usize = 120;

/// Whether a parameter's value is a token by its look: whole, altered or too old.
pub(super) fn may_be(value: &str) -> bool {
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    value.len() >= LEAST && value.bytes().all(is_of_it)
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "purpose", rename_all = "snake_case")]
pub enum Message {
    /// These clicks brought the visitor to the store that he comes from.
    Carry {
        /// Oldest first.
        clicks: Vec<Click>,
        /// What it stands in.
        #[serde(default)]
        by: By,
    },
    /// Which clicks brought this visitor to you? Send him back with the answer.
    Ask {
        /// Where he came from: scheme, host and target of the asking store's page.
        back: String,
        /// The asking store's host.
        from: String,
        /// What only his browser and the answer know.
        nonce: String,
    },
    /// These; perhaps none.
    Answer {
        /// Oldest first.
        clicks: Vec<Click>,
        /// The question's.
        nonce: String,
    },
}

/// What stands inside the seal.
#[derive(Serialize, Deserialize)]
struct Sealed {
    version: u8,
    group: GroupName,
    /// Whom it is for: a host name in lower case, without port.
    host: String,
    /// When it was made.
    at: Time,
    message: Message,
}

/// The two ends of a token's way.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// The stores that trust one another.
    pub group: &'a GroupName,
    /// The host that is to read it.
    pub host: &'a str,
}

impl Way<'_> {
    /// A token for this host, made at `now`, in characters that stand in a query as they are;
    /// none where it would be longer than [`LIMIT`].
    pub fn seal(self, keys: &Keys, message: Message, now: Time) -> Option<String> {
        let sealed = Sealed {
            version: VERSION,
            group: self.group.clone(),
            host: self.host.to_ascii_lowercase(),
            at: now,
            message,
        };
        let text = serde_json::to_string(&sealed).ok()?;
        let token = keys.seal(SEALED_AS, &text);
        let token = token.trim_end_matches('=');
        let token: String = token.chars().map(to_query).collect();
        (token.len() <= LIMIT).then_some(token)
    }

    /// A token that carries clicks in a link or a redirect; the oldest give way where it would be longer than [`LIMIT`], as
    /// they do in the cookie.
    pub fn carry(self, keys: &Keys, clicks: &[Click], by: By, now: Time) -> Option<String> {
        self.tell(keys, clicks, now, |clicks| Message::Carry { clicks, by })
    }

    /// A token that answers a question, the same way; if need be with no click at all.
    pub fn answer(self, keys: &Keys, clicks: &[Click], nonce: &str, now: Time) -> Option<String> {
        let answer = |clicks| Message::Answer {
            clicks,
            nonce: nonce.to_owned(),
        };
        let told = self.tell(keys, clicks, now, answer);
        told.or_else(|| self.seal(keys, answer(Vec::new()), now))
    }

    fn tell(
        self,
        keys: &Keys,
        clicks: &[Click],
        now: Time,
        say: impl Fn(Vec<Click>) -> Message,
    ) -> Option<String> {
        let mut clicks = clicks.to_vec();
        while !clicks.is_empty() {
            let token = self.seal(keys, say(clicks.clone()), now);
            if token.is_some() || !give_way(&mut clicks) {
                return token;
            }
        }
        None
    }

    /// What a token says at `now` to this host; none if it is not whole, not for it, or too old:
    /// older than `lifetime`, or than minutes where it asks or answers.
    pub fn open(self, keys: &Keys, token: &str, lifetime: Duration, now: Time) -> Option<Message> {
        if token.len() > LIMIT {
            return None;
        }
        let mut text: String = token.chars().map(from_query).collect();
        while !text.len().is_multiple_of(4) {
            text.push('=');
        }
        let sealed: Sealed = serde_json::from_str(&keys.open(SEALED_AS, &text)?).ok()?;
        let lifetime = match sealed.message {
            Message::Carry { .. } => lifetime,
            Message::Ask { .. } | Message::Answer { .. } => HOP,
        };
        let fits = sealed.version == VERSION
            && sealed.group == *self.group
            && sealed.host.eq_ignore_ascii_case(self.host)
            && now.since(sealed.at) <= lifetime
            && sealed.at.since(now) <= SKEW;
        fits.then_some(sealed.message)
    }
}

/// RFC 4648 §5: the alphabet that needs no escape in a URL.
const fn to_query(c: char) -> char {
    match c {
        '+' => '-',
        '/' => '_',
        c => c,
    }
}

const fn from_query(c: char) -> char {
    match c {
        '-' => '+',
        '_' => '/',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::click::Came;

    const MINUTE: Duration = Duration::from_secs(60);

    fn keys(digits: &str) -> Keys {
        Keys::parse([digits.repeat(64).as_str()]).unwrap()
    }

    fn group(name: &str) -> GroupName {
        name.parse().unwrap()
    }

    fn at(seconds: i64) -> Time {
        Time::from_millis(1_000 * seconds)
    }

    fn carry(values: &str) -> Message {
        let click = Click {
            network: "aspire".parse().unwrap(),
            values: [("affiliate_id".to_owned(), values.to_owned())].into(),
            at: at(0),
            came: Came::default(),
        };
        Message::Carry {
            clicks: vec![click],
            by: By::Link,
        }
    }

    fn ask() -> Message {
        Message::Ask {
            back: "https://store.ca/".to_owned(),
            from: "store.ca".to_owned(),
            nonce: "n".to_owned(),
        }
    }

    fn made(message: Message) -> String {
        let group = group("all");
        let way = Way {
            group: &group,
            host: "Store.ca",
        };
        way.seal(&keys("11"), message, at(1_000)).unwrap()
    }

    fn read(token: &str, group: &GroupName, host: &str, digits: &str, now: i64) -> bool {
        let way = Way { group, host };
        way.open(&keys(digits), token, 30 * MINUTE, at(now))
            .is_some()
    }

    #[test]
    fn a_token_is_read_by_its_host_for_its_time() {
        let (all, other) = (group("all"), group("other"));
        for (message, group, host, digits, now, expected) in [
            (carry("1"), &all, "store.ca", "11", 1_000, true),
            (carry("1"), &all, "STORE.ca", "11", 1_000 + 30 * 60, true),
            (carry("1"), &all, "store.ca", "11", 1_001 + 30 * 60, false),
            (carry("1"), &all, "store.ca", "11", 700, true),
            (carry("1"), &all, "store.ca", "11", 699, false),
            (carry("1"), &all, "store.us", "11", 1_000, false),
            (carry("1"), &other, "store.ca", "11", 1_000, false),
            (carry("1"), &all, "store.ca", "22", 1_000, false),
            (ask(), &all, "store.ca", "11", 1_360, true),
            (ask(), &all, "store.ca", "11", 1_361, false),
        ] {
            let token = made(message.clone());
            let got = read(&token, group, host, digits, now);
            assert_eq!(got, expected, "{message:?} {group} {host} {digits} {now}");
        }
    }

    #[test]
    fn what_was_sealed_as_something_else_is_no_token() {
        let all = group("all");
        let text = r#"{"version":1,"group":"all","host":"store.ca","at":1000000,"message":{"purpose":"visit","clicks":[]}}"#;
        for name in ["refgate", "__Host-refgate", SEALED_AS] {
            let sealed = keys("11").seal(name, text);
            assert!(!read(&sealed, &all, "store.ca", "11", 1_000), "{name}");
        }
    }

    #[test]
    fn the_smallest_token_is_one_by_its_look() {
        let group = group("a");
        let way = Way {
            group: &group,
            host: "a",
        };
        let (clicks, by) = (Vec::new(), By::Link);
        let nothing = Message::Carry { clicks, by };
        let token = way.seal(&keys("11"), nothing, Time::from_millis(0));
        assert!(may_be(&token.unwrap()));
        for value in ["", "4", &"x".repeat(LEAST - 1), &"x%".repeat(LEAST)] {
            assert!(!may_be(value), "{value}");
        }
    }

    #[test]
    fn a_token_that_would_be_too_long_is_not_made() {
        let group = group("all");
        let way = Way {
            group: &group,
            host: "store.ca",
        };
        let long = carry(&"9".repeat(LIMIT));
        assert_eq!(way.seal(&keys("11"), long, at(1_000)), None);
    }

    #[test]
    fn the_oldest_clicks_give_way_in_a_long_token() {
        let group = group("all");
        let way = Way {
            group: &group,
            host: "store.ca",
        };
        let (keys, now) = (keys("11"), at(1_000));
        let click = |number: i64| Click {
            network: "aspire".parse().unwrap(),
            values: [("affiliate_id".to_owned(), "9".repeat(500))].into(),
            at: at(number),
            came: Came::default(),
        };
        let clicks: Vec<_> = (0..8).map(click).collect();
        let carried = way.carry(&keys, &clicks, By::Link, now).unwrap();
        let answered = way.answer(&keys, &clicks, "7", now).unwrap();
        for token in [carried, answered] {
            let said = way.open(&keys, &token, MINUTE, now).unwrap();
            let (Message::Carry { clicks: told, .. } | Message::Answer { clicks: told, .. }) = said
            else {
                panic!("{said:?}");
            };
            assert!(told.len() > 1 && clicks.ends_with(&told), "{}", told.len());
        }
        assert_eq!(way.carry(&keys, &[], By::Link, now), None);
        let answered = way.answer(&keys, &[], "7", now).unwrap();
        let said = way.open(&keys, &answered, MINUTE, now);
        let (clicks, nonce) = (Vec::new(), "7".to_owned());
        assert_eq!(said, Some(Message::Answer { clicks, nonce }));
    }

    proptest! {
        #[test]
        fn a_token_stands_in_a_query_as_it_is(values in "\\PC{0,100}") {
            let token = made(carry(&values));
            prop_assert!(may_be(&token));
            let group = group("all");
            let way = Way { group: &group, host: "store.ca" };
            let message = way.open(&keys("11"), &token, MINUTE, at(1_000));
            prop_assert_eq!(message, Some(carry(&values)));
        }

        #[test]
        fn no_other_text_is_a_token(
            text in "\\PC{0,80}", at in any::<prop::sample::Index>(), with in "[A-Za-z0-9_-]",
        ) {
            let group = group("all");
            prop_assert!(!read(&text, &group, "store.ca", "11", 1_000));
            let token = made(carry("1"));
            let at = at.index(token.len() - 1);
            let mut forged = token.clone();
            forged.replace_range(at..=at, &with);
            prop_assert_eq!(read(&forged, &group, "store.ca", "11", 1_000), forged == token);
        }
    }
}
