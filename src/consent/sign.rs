//! What the cookies of consent tools say, each in its own way.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use regex::Regex;

use super::{Choice, joined, tcf};

/// What a value must say.
#[derive(Clone, Debug)]
pub enum Sign {
    /// `OneTrust`'s `OptanonConsent`: `…&groups=C0001%3A1%2CC0004%3A0&…`.
    OneTrust {
        /// The group that must be on; targeting is `C0004` unless the shop has renamed it.
        group: String,
    },
    /// Cookiebot's `CookieConsent`: `{stamp:'…',necessary:true,…,marketing:true,…}`, no JSON;
    /// `-1` where the visitor's region asks for no consent, `0` where he declined.
    Cookiebot,
    /// `CookieYes`'s `cookieyes-consent`: `consentid:…,consent:yes,action:yes,…,advertisement:yes`.
    CookieYes,
    /// Complianz's `cmplz_marketing`: `allow` or `deny`.
    Complianz,
    /// IAB TCF's `euconsent-v2`: these purposes, from 1, must all be on.
    Tcf {
        /// Their numbers.
        purposes: Vec<u8>,
    },
    /// Anything else: what is found in the decoded value.
    Pattern {
        /// Means "given".
        given: Regex,
        /// Means "refused"; none: all else does.
        refused: Option<Regex>,
    },
}

impl Sign {
    /// What one value says, as it stands in the request. What it does not say is unknown.
    pub fn choice(&self, value: &[u8]) -> Choice {
        match self {
            // Parted before it is decoded: the landing page's address is in there as well.
            Self::OneTrust { group } => joined(
                value
                    .split(|byte| *byte == b'&')
                    .filter_map(|piece| piece.strip_prefix(b"groups="))
                    .map(|groups| listed(groups, group, ("1", "0"))),
            ),
            Self::Cookiebot => match value.trim_ascii() {
                b"-1" => Choice::Given,
                b"0" => Choice::Refused,
                value => listed(value, "marketing", ("true", "false")),
            },
            // Before any choice it says `no`, with an empty `action`.
            Self::CookieYes => match listed(value, "advertisement", ("yes", "no")) {
                Choice::Refused if listed(value, "action", ("", "")) == Choice::Given => {
                    Choice::Unknown
                }
                choice => choice,
            },
            Self::Complianz => match value.trim_ascii() {
                b"allow" => Choice::Given,
                b"deny" => Choice::Refused,
                _ => Choice::Unknown,
            },
            Self::Tcf { purposes } => tcf::choice(value, purposes),
            Self::Pattern { given, refused } => patterned(value, given, refused.as_ref()),
        }
    }
}

/// What `a:1,b:0` says of `key`, where the two words mean "given" and "refused".
fn listed(value: &[u8], key: &str, (given, refused): (&str, &str)) -> Choice {
    let Some(text) = decoded(value) else {
        return Choice::Unknown;
    };
    let pairs = text.trim_matches(['{', '}', ' ']).split(',');
    let pairs = pairs.filter_map(|pair| pair.split_once(':'));
    let of_key = pairs.filter(|(name, _)| name.trim() == key);
    joined(of_key.map(|(_, word)| match word.trim() {
        word if word == given => Choice::Given,
        word if word == refused => Choice::Refused,
        _ => Choice::Unknown,
    }))
}

fn patterned(value: &[u8], given: &Regex, refused: Option<&Regex>) -> Choice {
    let Some(text) = decoded(value) else {
        return Choice::Unknown;
    };
    match refused {
        Some(refused) if refused.is_match(&text) => Choice::Refused,
        _ if given.is_match(&text) => Choice::Given,
        Some(_) => Choice::Unknown,
        None => Choice::Refused,
    }
}

fn decoded(value: &[u8]) -> Option<Cow<'_, str>> {
    percent_decode(value).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_trust() -> Sign {
        let group = "C0004".to_owned();
        Sign::OneTrust { group }
    }

    fn pattern(given: &str, refused: Option<&str>) -> Sign {
        Sign::Pattern {
            given: Regex::new(given).unwrap(),
            refused: refused.map(|pattern| Regex::new(pattern).unwrap()),
        }
    }

    fn say(sign: &Sign, cases: &[(&str, Choice)]) {
        for (value, expected) in cases {
            assert_eq!(sign.choice(value.as_bytes()), *expected, "{value}");
        }
    }

    use Choice::{Given, Refused, Unknown};

    #[test]
    fn one_trust_tells_by_its_groups() {
        let around = |groups: &str| {
            format!(
                "isGpcEnabled=0&datestamp=Mon+Nov+02+2026&landingPath=NotLandingPage&groups={groups}&AwaitingReconsent=false"
            )
        };
        for (groups, expected) in [
            ("C0001%3A1%2CC0002%3A0%2CC0004%3A1", Given),
            ("C0001:1,C0004:1", Given),
            ("C0001%3A1%2CC0004%3A0", Refused),
            ("C0001%3A1%2CC0004%3A1%2CC0004%3A0", Refused),
            ("C0001%3A1%2CC00041%3A1", Unknown),
            ("C0001%3A1%2CxC0004%3A1", Unknown),
            ("", Unknown),
        ] {
            say(&one_trust(), &[(&around(groups), expected)]);
        }
        let landing =
            "landingPath=https%3A%2F%2Fshop.example%2F%3Fx%3D1%26groups%3DC0004%3A1&version=6";
        say(&one_trust(), &[(landing, Unknown), ("", Unknown)]);
    }

    #[test]
    fn cookiebot_tells_by_marketing() {
        let value = |marketing: &str| {
            format!(
                "{{stamp:%27xY+/3=%27%2Cnecessary:true%2Cpreferences:false%2Cstatistics:true%2C{marketing}%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1740000000000%2Cregion:%27fr%27}}"
            )
        };
        for (marketing, expected) in [
            ("marketing:true", Given),
            ("marketing:false", Refused),
            ("xmarketing:true", Unknown),
            ("marketing:trueish", Unknown),
        ] {
            say(&Sign::Cookiebot, &[(&value(marketing), expected)]);
        }
        let cases = [("-1", Given), ("0", Refused), ("", Unknown), ("{", Unknown)];
        say(&Sign::Cookiebot, &cases);
    }

    #[test]
    fn cookie_yes_and_complianz_tell_by_a_word() {
        let value = |word: &str| {
            format!("consentid:bXk,consent:yes,action:yes,necessary:yes,advertisement:{word}")
        };
        for (word, expected) in [("yes", Given), ("no", Refused), ("", Unknown)] {
            say(&Sign::CookieYes, &[(&value(word), expected)]);
            let encoded = value(word).replace(':', "%3A").replace(',', "%2C");
            say(&Sign::CookieYes, &[(&encoded, expected)]);
        }
        for (action, word, expected) in [
            ("action:", "no", Unknown),
            ("action:", "yes", Given),
            ("action:no", "no", Refused),
            ("", "no", Refused),
        ] {
            let value = value(word).replace("action:yes", action);
            say(&Sign::CookieYes, &[(&value, expected)]);
        }
        let cases = [("allow", Given), ("deny", Refused), ("allowed", Unknown)];
        say(&Sign::Complianz, &cases);
    }

    #[test]
    fn a_pattern_is_looked_for_in_the_decoded_value() {
        let cases = [
            ("a=1%7Cads=yes", Given),
            ("ads=no", Refused),
            ("%ff", Unknown),
        ];
        say(&pattern(r"\|ads=yes\b", None), &cases);
        let cases = [
            ("yes", Given),
            ("no", Refused),
            ("yes,no", Refused),
            ("", Unknown),
        ];
        say(&pattern("yes", Some("no")), &cases);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            value in proptest::collection::vec(any::<u8>(), 0..80),
            words in "[-{}CgmrkyesnotiupwA:,;=&%0147'. ]{0,60}",
        ) {
            let tcf = Sign::Tcf { purposes: vec![1, 24] };
            let signs = [
                one_trust(), Sign::Cookiebot, Sign::CookieYes, Sign::Complianz, tcf,
                pattern("yes", Some("no")),
            ];
            for sign in signs {
                sign.choice(&value);
                sign.choice(words.as_bytes());
            }
        }
    }
}
