//! Cookies of ours as an attacker, another time or another configuration would make them.

use std::time::Duration;

use refgate::click::{Came, Click};
use refgate::clock::Time;
use refgate::seal::Keys;
use refgate::visit::{Visit, VisitId};
use serde_json::json;

/// A visit in a seal, with all that may be wrong with it.
#[derive(Clone)]
pub(crate) struct Seal {
    pub(crate) keys: Keys,
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) group: &'static str,
    pub(crate) version: u8,
}

impl Seal {
    /// As the app makes them, with these keys.
    pub(crate) fn new(keys: &Keys, name: &'static str) -> Self {
        Self {
            keys: keys.clone(),
            name,
            purpose: "visit",
            group: "all",
            version: 1,
        }
    }

    /// The value of a cookie with `visit` in it.
    pub(crate) fn value(&self, visit: &Visit) -> String {
        let envelope = json!({
            "version": self.version, "purpose": self.purpose, "group": self.group, "visit": visit,
        });
        self.keys.seal(self.name, &envelope.to_string())
    }

    /// The visit in a value, if it opens.
    pub(crate) fn open(&self, value: &str) -> Option<Visit> {
        let text = self.keys.open(self.name, value)?;
        let envelope: serde_json::Value = serde_json::from_str(&text).unwrap();
        let same = envelope["group"] == self.group;
        same.then(|| serde_json::from_value(envelope["visit"].clone()).unwrap())
    }
}

/// A visit `id` with one click of the partner `id` at `at`.
pub(crate) fn visit(id: u128, at: Time) -> Visit {
    let click = Click {
        network: "aspire".parse().unwrap(),
        values: [("affiliate_id".to_owned(), id.to_string())].into(),
        at,
        came: Came::default(),
    };
    Visit::new(VisitId(id), click)
}

/// So long ago.
pub(crate) fn ago(seconds: u64) -> Time {
    Time::now().minus(Duration::from_secs(seconds))
}

/// In so many seconds.
pub(crate) fn ahead(seconds: u64) -> Time {
    Time::now().plus(Duration::from_secs(seconds))
}

/// Keys that are not the app's.
pub(crate) fn foreign() -> Keys {
    Keys::parse(["ab".repeat(64).as_str()]).unwrap()
}
