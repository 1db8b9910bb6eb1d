//! How a click came to the store that has it: its landing, and each hand-over since. For people who ask; nothing is decided by it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::StoreName;

/// Most legs that are kept: of a longer way the first and the last ones.
const LEGS: usize = 6;

/// The legs of a click's way, oldest first; empty where it was not kept. As JSON a list of texts: `landing us`, `link ca late`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Came(Vec<Leg>);

/// One leg: how the click came to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// What brought it.
    pub by: By,
    /// Where to.
    pub store: StoreName,
    /// Whether it was taken with the page after: consent came then, or the page was fetched ahead of time.
    pub late: bool,
}

/// What brought a click to a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "&'static str")]
pub enum By {
    /// The affiliate's link led there.
    Landing,
    /// A link, form or refresh of another store's page.
    Link,
    /// A redirect of another store.
    Redirect,
    /// The store asked another one.
    Ask,
    /// Several hand-overs, which are not kept one by one.
    Several,
    /// A hand-over, untold of which kind.
    #[default]
    Untold,
}

impl By {
    const ALL: [Self; 6] = [
        Self::Landing,
        Self::Link,
        Self::Redirect,
        Self::Ask,
        Self::Several,
        Self::Untold,
    ];

    /// Its word in what is kept.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Landing => "landing",
            Self::Link => "link",
            Self::Redirect => "redirect",
            Self::Ask => "ask",
            Self::Several => "several",
            Self::Untold => "untold",
        }
    }

    /// A word that another version has is none here, and no reason to lose a click.
    fn of(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|by| by.word() == word);
        known.unwrap_or_default()
    }
}

impl From<String> for By {
    fn from(word: String) -> Self {
        Self::of(&word)
    }
}

impl From<By> for &'static str {
    fn from(by: By) -> Self {
        by.word()
    }
}

impl Leg {
    /// The leg in the form that is kept; none if it is no leg.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (by, store) = (words.next()?, words.next()?);
        Some(Self {
            by: By::of(by),
            store: store.parse().ok()?,
            late: words.next() == Some("late"),
        })
    }

    fn text(&self) -> String {
        let late = if self.late { " late" } else { "" };
        format!("{} {}{late}", self.by.word(), self.store)
    }
}

impl fmt::Display for Leg {
    /// For people: `by a link to ca`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = &self.store;
        match self.by {
            By::Landing => write!(f, "landed at {store}"),
            By::Link => write!(f, "by a link or form to {store}"),
            By::Redirect => write!(f, "by redirect to {store}"),
            By::Ask => write!(f, "asked for by {store}"),
            By::Several => write!(f, "by several hand-overs to {store}"),
            By::Untold => write!(f, "handed over to {store}"),
        }?;
        match self.late {
            true => f.write_str(" (taken with the page after)"),
            false => Ok(()),
        }
    }
}

impl Came {
    /// By the affiliate's link to `store`.
    pub fn landed(store: StoreName, late: bool) -> Self {
        let by = By::Landing;
        Self(vec![Leg { by, store, late }])
    }

    /// Whether nothing of it is kept.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its legs, oldest first.
    pub fn legs(&self) -> &[Leg] {
        &self.0
    }

    /// One leg more. Where there are too many, the second and third become one: [`By::Several`].
    pub fn on(&mut self, leg: Leg) {
        self.0.push(leg);
        if self.0.len() > LEGS {
            self.0.remove(1);
            if let Some(leg) = self.0.get_mut(1) {
                leg.by = By::Several;
            }
        }
    }
}

impl From<Vec<String>> for Came {
    fn from(texts: Vec<String>) -> Self {
        let legs = texts.iter().filter_map(|text| Leg::parse(text));
        Self(legs.take(LEGS).collect())
    }
}

impl From<Came> for Vec<String> {
    fn from(came: Came) -> Self {
        came.0.iter().map(Leg::text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(by: By, store: &str, late: bool) -> Leg {
        let store = store.parse().unwrap();
        Leg { by, store, late }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        for by in By::ALL {
            for late in [false, true] {
                let mut came = Came::landed("us".parse().unwrap(), late);
                came.on(leg(by, "ca-2", late));
                let json = serde_json::to_string(&came).unwrap();
                assert_eq!(serde_json::from_str::<Came>(&json).unwrap(), came, "{json}");
            }
            let json = serde_json::to_string(&by).unwrap();
            assert_eq!(serde_json::from_str::<By>(&json).unwrap(), by, "{json}");
        }
    }

    #[test]
    fn words_of_another_version_cost_no_click() {
        let came: Came =
            serde_json::from_str(r#"["landing us","sail ca soon","","x","y z&"]"#).unwrap();
        let expected = [leg(By::Landing, "us", false), leg(By::Untold, "ca", false)];
        assert_eq!(came.legs(), expected);
        assert_eq!(serde_json::from_str::<By>(r#""sail""#).unwrap(), By::Untold);
        assert!(serde_json::from_str::<Came>("[]").unwrap().is_empty());
    }

    #[test]
    fn a_long_way_is_kept_by_its_ends() {
        let mut came = Came::landed("s0".parse().unwrap(), false);
        for store in 1..30 {
            came.on(leg(By::Link, &format!("s{store}"), false));
        }
        let texts: Vec<String> = came.into();
        let expected = [
            "landing s0",
            "several s25",
            "link s26",
            "link s27",
            "link s28",
            "link s29",
        ];
        assert_eq!(texts, expected);
    }
}
