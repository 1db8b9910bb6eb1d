//! A store: a set of hosts served from one upstream, with its money.

pub mod hosts;
pub mod kept;
pub mod sales;
pub mod scope;
pub mod tls;
pub mod traffic;
pub mod upstreams;

use std::fmt;
use std::sync::Arc;

use crate::consent::Consent;
use crate::money::{Currency, Decimal, NumberFormat};
use crate::name::{GroupName, Namespace, StoreName};
use hosts::Hosts;
use scope::Scope;
use tls::Tls;
use traffic::Traffic;
use upstreams::{Plan, Upstreams};

/// How shoppers reach the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP: loopback only, by default.
    Http,
    /// HTTP over TLS, also where something in front of refgate ends the TLS.
    Https,
}

impl Scheme {
    /// The port that an address without one means.
    pub const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// What a shop is asked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: agreed on inside TLS, or known beforehand without (RFC 9113 §3).
    Http2,
}

/// Where a store's shop listens: `http://HOST:PORT`, or `https://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Upstream {
    /// A name or an address, IPv6 without brackets.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// How it is spoken to by TLS; none: plainly.
    pub tls: Option<Arc<Tls>>,
    /// What is spoken there.
    pub protocol: Protocol,
}

impl Upstream {
    /// Whether it is the same shop, in whatever way it is spoken to.
    pub fn is_where(&self, other: &Self) -> bool {
        self.host == other.host && self.port == other.port
    }
}

impl From<Upstream> for Arc<Upstreams> {
    /// That one alone.
    fn from(only: Upstream) -> Self {
        Self::new(Upstreams::new([only], Plan::default()))
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.tls {
            None => Scheme::Http,
            Some(_) => Scheme::Https,
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// One store.
#[derive(Clone, Debug)]
pub struct Store {
    /// Its name in the configuration.
    pub name: StoreName,
    /// Lower-case host names without port.
    pub hosts: Vec<String>,
    /// How shoppers reach it.
    pub scheme: Scheme,
    /// Where its shop listens.
    pub upstreams: Arc<Upstreams>,
    /// What its prices are in, where a page does not say.
    pub currency: Currency,
    /// How its pages write numbers.
    pub number_format: NumberFormat,
    /// An order above this is held, not sent; in the store's currency.
    pub max_amount: Decimal,
    /// Where its order ids are unique.
    pub orders: Namespace,
    /// Whose visits are its own too.
    pub group: GroupName,
    /// Where its cookie counts.
    pub scope: Scope,
    /// How it is seen that clicks may be remembered.
    pub consent: Consent,
    /// What passes through it, counted.
    pub traffic: Arc<Traffic>,
}

/// Every store, by host.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    /// By name.
    all: Vec<Arc<Store>>,
    /// Its number among them.
    by_host: Hosts<usize>,
}

impl Stores {
    /// Indexes `stores`; the caller has seen to it that no host stands in two of them.
    pub fn new(stores: impl IntoIterator<Item = Store>) -> Self {
        let mut all: Vec<Store> = stores.into_iter().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let others = |store: &Store| (store.has_siblings(&all), store.is_split(&all));
        let others: Vec<(bool, bool)> = all.iter().map(others).collect();
        let settled = all.into_iter().zip(others).map(|(mut store, others)| {
            (store.scope.siblings, store.scope.split) = others;
            Arc::new(store)
        });
        let all: Vec<Arc<Store>> = settled.collect();
        let numbered = all.iter().enumerate();
        let hosts = numbered.flat_map(|(number, store)| {
            let hosts = store.hosts.iter();
            hosts.map(move |host| (host.clone(), number))
        });
        let by_host = hosts.collect();
        Self { all, by_host }
    }

    /// The same, but what was known and counted of a store of that name `before` stays so.
    #[must_use]
    pub fn after(&self, before: &Self) -> Self {
        Self::new(self.all.iter().map(|store| {
            let mut store = Store::clone(store);
            if let Some(known) = before.all.iter().find(|known| known.name == store.name) {
                store.upstreams = Arc::new(store.upstreams.after(&known.upstreams));
                store.traffic = Arc::clone(&known.traffic);
            }
            store
        }))
    }

    /// The number of the store that serves `host` (any case, without port).
    pub fn number(&self, host: &str) -> Option<usize> {
        self.by_host.get(host).copied()
    }

    /// The store of that number.
    pub fn at(&self, number: usize) -> Option<&Arc<Store>> {
        self.all.get(number)
    }

    /// The store that serves `host` (any case, without port).
    pub fn find(&self, host: &str) -> Option<&Arc<Store>> {
        self.at(self.number(host)?)
    }

    /// The store of this name.
    pub fn named(&self, name: &StoreName) -> Option<&Arc<Store>> {
        self.all.iter().find(|store| store.name == *name)
    }

    /// The host, where there is only one.
    pub fn only_host(&self) -> Option<&str> {
        self.by_host.only()
    }

    /// Every store, by name.
    pub fn all(&self) -> &[Arc<Store>] {
        &self.all
    }
}
