//! Orders that are known without their row: imported, or older than the retention. Of their ids keyed hashes are kept.
//!
//! The key is the ledger's own, in `meta`: so it goes wherever the ledger goes (a backup, another machine, a replica),
//! and no change of the cookie's keys makes an old order a new one. Who has the ledger alone can try ids against it; the
//! hash hides them from who sees the rows without it.

use std::sync::Arc;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::{Engine, Ledger};
use crate::actor::Actor;
use crate::clock::Time;
use crate::name::Namespace;
use crate::order::OrderId;

/// Most ids of one [`Ledger::learn`].
pub const IDS: usize = 500;

/// The bytes of the key, from which it is written in hexadecimal.
pub(super) const KEY_BYTES: usize = 32;

/// An order that is known without its row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KnownOrder {
    /// In which namespace.
    pub namespace: Namespace,
    /// Since when: when it was imported, or first seen.
    pub since: Time,
    /// How it came to be known.
    pub source: Source,
}

/// How an order came to be known without its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The operator named its id: it is older than refgate, or was made without it.
    Imported,
    /// It was an order of this ledger, and older than the retention.
    Retired,
}

impl Source {
    /// The word in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Retired => "retired",
        }
    }
}

/// What became of ids that were to be known; together as many as were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Learned {
    /// Known from now on.
    pub new: u64,
    /// Known before, or given twice.
    pub known: u64,
    /// Orders of the ledger: these need no more.
    pub orders: u64,
}

impl Learned {
    /// Of `given` ids as many are `new`, and go by an order's row.
    pub(super) fn of(given: usize, new: u64, orders: u64) -> Self {
        let given = u64::try_from(given).unwrap_or(u64::MAX);
        let known = given.saturating_sub(new).saturating_sub(orders);
        Self { new, known, orders }
    }
}

impl std::ops::AddAssign for Learned {
    fn add_assign(&mut self, more: Self) {
        self.new += more.new;
        self.known += more.known;
        self.orders += more.orders;
    }
}

/// Makes the marks of ids: HMAC-SHA-256 (RFC 2104) of namespace and id, in hexadecimal.
#[derive(Clone)]
pub(super) struct Marker(Arc<hmac::Key>);

impl Marker {
    /// By the key as `meta` has it; none if it is no key.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = digits && text.len() == 2 * KEY_BYTES;
        let pairs = text.as_bytes().chunks(2).filter(|_| digits);
        let bytes: Option<Vec<u8>> = pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        let bytes = bytes.filter(|bytes| !bytes.is_empty())?;
        let key = hmac::Key::new(HMAC_SHA256, &bytes);
        Some(Self(Arc::new(key)))
    }

    /// By the key as a row of `meta` has it.
    pub(super) fn read(text: Option<&str>) -> Result<Self, Error> {
        text.and_then(Self::parse)
            .ok_or_else(|| super::row::unreadable("meta.known_key", NoKey))
    }

    /// The mark of an id. A namespace has no NUL, so no two pairs are one text.
    pub(super) fn mark(&self, namespace: &Namespace, id: &str) -> String {
        let text = [namespace.as_str().as_bytes(), &[0], id.as_bytes()].concat();
        let tag = hmac::sign(&self.0, &text);
        let digits = tag.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .collect()
    }
}

impl std::fmt::Debug for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Marker")
    }
}

/// `meta` holds no key.
#[derive(Debug, thiserror::Error)]
#[error("it is not {KEY_BYTES} bytes in hexadecimal")]
struct NoKey;

impl Ledger {
    /// In which namespaces an order that goes by `id` is known without its row, and since when.
    ///
    /// # Errors
    /// The database's.
    pub async fn known(&self, id: String) -> Result<Vec<KnownOrder>, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.known(id).await,
            Engine::Postgres(postgres) => postgres.known(id).await,
        }
    }

    /// Has orders be known by these ids, at most [`IDS`] of them: a confirmation of one is no new order. All of
    /// them or none; those that are known already stay as they are.
    ///
    /// # Errors
    /// The database's.
    pub async fn learn(
        &self,
        namespace: Namespace,
        ids: Vec<OrderId>,
        now: Time,
    ) -> Result<Learned, Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.learn(namespace, ids, now).await,
            Engine::Postgres(postgres) => postgres.learn(namespace, ids, now).await,
        }
    }

    /// Records what was done by hand to more than one order's story.
    ///
    /// # Errors
    /// The database's.
    pub async fn record(&self, deed: Deed, now: Time) -> Result<(), Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.record(deed, now).await,
            Engine::Postgres(postgres) => postgres.record(deed, now).await,
        }
    }
}

/// Something done by hand, as the record shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Who.
    pub actor: Actor,
    /// What: `import-known`, `accept`.
    pub verb: &'static str,
    /// To what.
    pub subject: Option<String>,
    /// Why, in the actor's words.
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_one_key_namespace_and_id() {
        let key = |digit: &str| Marker::parse(&digit.repeat(64)).unwrap();
        let (demo, other): (Namespace, Namespace) =
            ("demo".parse().unwrap(), "demo1".parse().unwrap());
        let mark = key("1").mark(&demo, "1001");
        assert_eq!(mark.len(), 64);
        assert_eq!(key("1").mark(&demo, "1001"), mark);
        assert_ne!(key("2").mark(&demo, "1001"), mark);
        assert_ne!(key("1").mark(&other, "001"), mark);
        assert_ne!(key("1").mark(&demo, "1002"), mark);
    }

    #[test]
    fn what_is_no_key_is_none() {
        for text in ["", "11", &"1".repeat(63), &"1".repeat(66), &"x".repeat(64)] {
            assert!(Marker::parse(text).is_none(), "{text}");
        }
        assert_eq!(
            format!("{:?}", Marker::parse(&"1".repeat(64))),
            "Some(Marker)"
        );
    }
}
