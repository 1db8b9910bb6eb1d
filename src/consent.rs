//! Consent: whether a visitor lets his clicks be remembered, as the shop's consent tool tells it.
//!
//! Pure. A consent tool (CMP) keeps its visitor's choice in one cookie; a [`Teller`] knows which
//! one it is and what its value says (domain.md §7).

mod sign;
mod tcf;

use std::collections::BTreeMap;

pub use sign::Sign;

/// How a store's visitors are asked.
#[derive(Clone, Debug)]
pub enum Consent {
    /// They are not: every click may be remembered.
    NotNeeded,
    /// By a consent tool, whose cookie tells the choice.
    Told(Teller),
}

/// What a visitor has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// To be remembered.
    Given,
    /// Not to be.
    Refused,
    /// Nothing yet, or nothing that can be read.
    Unknown,
}

/// The cookie that tells the choice.
#[derive(Clone, Debug)]
pub struct Teller {
    /// Its name.
    pub cookie: String,
    /// What its value says.
    pub sign: Sign,
}

/// Whether a network's clicks need consent in a store that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Every one of them.
    Required,
    /// None: the visitor asked to be followed, as cashback's do.
    NotNeeded,
    /// Those whose link does not carry all of these, by the parameter's name (Awin's `sn=1`).
    NotNeededIf(BTreeMap<String, String>),
}

impl Teller {
    /// The choice that the cookie's `values` tell, as they stand in the request. Of several,
    /// one refusal refuses, and all must say "given" for it to be.
    pub fn choice<'v>(&self, values: impl IntoIterator<Item = &'v [u8]>) -> Choice {
        joined(values.into_iter().map(|value| self.sign.choice(value)))
    }
}

impl Need {
    /// Whether a click with these values needs consent.
    pub fn is_of(&self, values: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Required => true,
            Self::NotNeeded => false,
            Self::NotNeededIf(all) => all.iter().any(|(name, is)| values.get(name) != Some(is)),
        }
    }
}

/// All together: unknown if there is none.
fn joined(choices: impl IntoIterator<Item = Choice>) -> Choice {
    let both = |one, other| match (one, other) {
        (Choice::Given, Choice::Given) => Choice::Given,
        (Choice::Refused, _) | (_, Choice::Refused) => Choice::Refused,
        _ => Choice::Unknown,
    };
    choices.into_iter().reduce(both).unwrap_or(Choice::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_cookies_all_must_say_given() {
        let teller = Teller {
            cookie: "cmplz_marketing".to_owned(),
            sign: Sign::Complianz,
        };
        let choice = |values: &[&str]| teller.choice(values.iter().map(|value| value.as_bytes()));
        for (values, expected) in [
            (&["allow"][..], Choice::Given),
            (&["allow", "allow"], Choice::Given),
            (&["allow", "deny"], Choice::Refused),
            (&["deny", "allow"], Choice::Refused),
            (&["allow", ""], Choice::Unknown),
            (&["", "deny"], Choice::Refused),
            (&[], Choice::Unknown),
        ] {
            assert_eq!(choice(values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_click_that_carries_all_that_exempts_it_needs_none() {
        let map = |pairs: &[(&str, &str)]| {
            let owned = pairs
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            owned.collect::<BTreeMap<_, _>>()
        };
        let need = Need::NotNeededIf(map(&[("sn", "1"), ("kind", "cashback")]));
        assert!(need.is_of(&map(&[])));
        assert!(need.is_of(&map(&[("sn", "1")])));
        assert!(need.is_of(&map(&[("sn", "2"), ("kind", "cashback")])));
        assert!(!need.is_of(&map(&[("sn", "1"), ("kind", "cashback"), ("awc", "7")])));
        assert!(Need::Required.is_of(&map(&[("sn", "1")])));
        assert!(!Need::NotNeeded.is_of(&map(&[])));
    }
}
