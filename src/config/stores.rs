//! `stores:` → [`Store`]s.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::consent;
use super::fault::{Problem, Suggestion};
use super::hosts::{HOST, host, is_loopback};
use super::reader::Map;
use super::returns::{self, Checkouts};
use super::scope::Scopes;
use super::text::Text;
use super::upstream_tls::Clients;
use super::upstreams;
use super::value::Value;
use crate::money::{Currency, Decimal};
use crate::name::{GroupName, Namespace, StoreName};
use crate::store::upstreams::Upstreams;
use crate::store::{Scheme, Store, Upstream};

/// Reads every store; `listen` is where refgate itself listens.
pub(super) fn read(root: &Map<'_>, listen: &[SocketAddr]) -> (Vec<Store>, Known, Checkouts) {
    let expected = "at least one store: a name with hosts, upstream, currency, …";
    let Some(section) = root.need("stores", expected) else {
        return (Vec::new(), Known::default(), Vec::new());
    };
    let map = section.map();
    let mut reader = Reader {
        listen,
        hosts: Vec::new(),
        namespaces: Vec::new(),
        clients: Clients::default(),
        scopes: Scopes::default(),
        checkouts: Vec::new(),
        without_checkout: Vec::new(),
        expected: HashMap::new(),
    };
    let entries = map.named("NAME");
    if entries.is_empty() && section.is_map() {
        map.missing("NAME", expected);
    }
    let stores = entries
        .iter()
        .filter_map(|(name, value)| reader.store(name, value));
    let mut stores: Vec<Store> = stores.collect();
    reader.scopes.finish(&mut stores);
    let known = Known {
        groups: reader.scopes.groups,
        stores: entries
            .iter()
            .map(|(name, _)| name.as_str().to_owned())
            .collect(),
        without_checkout: reader.without_checkout,
        hosts: reader.hosts,
        expect_order_within: reader.expected,
    };
    (stores, known, reader.checkouts)
}

struct Reader<'l> {
    listen: &'l [SocketAddr],
    hosts: Vec<Host>,
    /// Whose order numbers an upstream gives.
    namespaces: Vec<(Upstream, Namespace)>,
    clients: Clients,
    scopes: Scopes,
    checkouts: Checkouts,
    without_checkout: Vec<String>,
    expected: HashMap<StoreName, Duration>,
}

/// Which store has a host.
struct Host {
    host: String,
    store: String,
    /// Whether it stands in the file as it is, and so may be suggested.
    literal: bool,
}

impl Reader<'_> {
    fn store(&mut self, name: &Text<'_>, value: &Value<'_>) -> Option<Store> {
        let map = value.map();
        let store_name: Option<StoreName> = name.parse("a store's name");
        let hosts = self.hosts(name, &map);
        let scheme = scheme(&map, &hosts);
        let (group, scope) = self.scopes.read(&map, scheme, &hosts);
        let upstreams = upstreams::read(&map, self.listen, &mut self.clients);
        let currency = map
            .need("currency", "what its prices are in, like USD")
            .and_then(|value| value.parse_plain::<Currency>("an ISO 4217 code like USD"));
        let number_format = map
            .need(
                "number_format",
                "how its pages write 1234.56, like \"1,234.56\"",
            )
            .and_then(|value| value.parse_plain("how its pages write 1234.56, like \"1,234.56\""));
        let max_amount = map
            .need(
                "max_amount",
                "an amount above which an order is held for you",
            )
            .and_then(|value| positive(&value));
        let consent = consent::of_store(&map);
        let orders = self.orders(&map, upstreams.as_ref(), store_name.as_ref());
        if !map.has("checkout") {
            self.without_checkout.push(name.as_str().to_owned());
        }
        let checkout = returns::read(&map);
        let expected = map.or("expect_order_within", None, |value| {
            value.duration().map(Some)
        });
        map.finish();
        self.expected.extend(store_name.clone().zip(expected));
        self.checkouts.extend(store_name.clone().zip(checkout));
        Some(Store {
            name: store_name?,
            hosts: hosts.into_iter().map(|(host, _)| host).collect(),
            scheme,
            upstreams: Arc::new(upstreams?),
            currency: currency?,
            number_format: number_format?,
            max_amount: max_amount?,
            orders: orders?,
            group: group?,
            scope,
            consent: consent?,
            traffic: Arc::default(),
        })
    }

    fn hosts<'a>(&mut self, store: &Text<'_>, map: &Map<'a>) -> Vec<(String, Text<'a>)> {
        let expected = "the host names that shoppers use, like [shop.example]";
        let Some(value) = map.need("hosts", expected) else {
            return Vec::new();
        };
        let items = value.one_or_many();
        if items.is_empty() {
            value.wrong("an empty list", expected);
        }
        let mut hosts = Vec::new();
        for text in items.iter().filter_map(Value::text) {
            let Some(host) = text.make_plain(host, HOST) else {
                continue;
            };
            if let Some(other) = self.store_of(&host) {
                let why = format!("it stands in the store `{other}` already");
                text.wrong(Some(&why), "every host in one store, once");
                continue;
            }
            self.hosts.push(Host {
                host: host.clone(),
                store: store.as_str().to_owned(),
                literal: text.is_literal(),
            });
            hosts.push((host, text));
        }
        hosts
    }

    fn store_of(&self, host: &str) -> Option<&str> {
        let taken = self.hosts.iter().find(|taken| taken.host == host);
        taken.map(|taken| taken.store.as_str())
    }

    /// Stores that share an upstream share one namespace, unless the operator names several.
    fn orders(
        &mut self,
        map: &Map<'_>,
        upstreams: Option<&Upstreams>,
        store: Option<&StoreName>,
    ) -> Option<Namespace> {
        let own = upstreams.map(Upstreams::members).unwrap_or_default();
        let own = || own.iter().map(|member| &member.upstream);
        let shared = |(other, _): &&(Upstream, Namespace)| own().any(|own| own.is_where(other));
        let siblings = self.namespaces.iter().filter(shared);
        let siblings: Vec<Namespace> = siblings.map(|(_, orders)| orders.clone()).collect();
        let value = map.get("orders");
        let orders = match (&value, siblings.first()) {
            (Some(value), _) => value.parse("a name, like main")?,
            (None, Some(orders)) => orders.clone(),
            (None, None) => store?.as_str().parse().ok()?,
        };
        if !orders.is_usable() {
            let place = value.as_ref().map_or(&map.place, |value| &value.place);
            let found = format!("`{orders}`");
            let expected = format!(
                "a name of at most {} bytes that does not end in `{}`, nor in that and a digit: there stand orders that claim no id",
                Namespace::LIMIT,
                Namespace::ASIDE
            );
            map.cx.report(place, Problem::Wrong { found, expected });
        }
        if siblings.iter().any(|other| *other != orders) {
            let place = value.map_or_else(|| map.place.clone(), |value| value.place);
            let words = "another store with the same upstream has other `orders`: \
                         one order seen in both stores would be counted twice";
            map.cx.warn(&place, words);
        }
        for upstream in own() {
            if !self.namespaces.iter().any(|(other, _)| other == upstream) {
                self.namespaces.push((upstream.clone(), orders.clone()));
            }
        }
        Some(orders)
    }
}

/// Everything but https wants either a host that cannot leave the machine, or the operator's word.
fn scheme(map: &Map<'_>, hosts: &[(String, Text<'_>)]) -> Scheme {
    let words = [("https", Scheme::Https), ("http", Scheme::Http)];
    let scheme = map.or("scheme", Scheme::Https, |value| value.one_of(&words));
    let insecure = map.or("insecure_http", false, Value::flag);
    if scheme == Scheme::Https || insecure {
        return scheme;
    }
    for (_, text) in hosts.iter().filter(|(host, _)| !is_loopback(host)) {
        let expected = "`scheme: https` (also where something in front of refgate ends the TLS); \
                        or `insecure_http: true` if shoppers really come over plain HTTP";
        text.wrong(Some(&"with `scheme: http`"), expected);
    }
    scheme
}

/// A decimal above zero.
pub(super) fn positive(value: &Value<'_>) -> Option<Decimal> {
    const EXPECTED: &str = "a number above zero, like 5000 or 0.73";
    let text = value.text()?;
    let number: Decimal = text.make_plain(Decimal::from_str_exact, EXPECTED)?;
    if number > Decimal::ZERO {
        return Some(number);
    }
    text.wrong(None, EXPECTED);
    None
}

/// What rules may refer to, also stores at fault, so that one fault is not told twice.
#[derive(Default)]
pub(super) struct Known {
    stores: Vec<String>,
    /// Those that name no checkout.
    without_checkout: Vec<String>,
    groups: Vec<String>,
    hosts: Vec<Host>,
    /// Within what time an order is expected, by store.
    pub(super) expect_order_within: HashMap<StoreName, Duration>,
}

impl Known {
    /// A store among these that names no checkout; among all, if these are none.
    pub(super) fn without_checkout(&self, of: &[StoreName]) -> Option<&str> {
        let meant = |store: &&String| {
            of.is_empty() || of.iter().any(|name| name.as_str() == store.as_str())
        };
        self.without_checkout.iter().find(meant).map(String::as_str)
    }

    pub(super) fn store(&self, value: &Value<'_>) -> Option<StoreName> {
        let text = value.text()?;
        if self.stores.iter().any(|store| store == text.as_str()) {
            return text.parse("a store's name");
        }
        unknown(&text, &self.stores, "a store that stands under `stores`");
        None
    }

    pub(super) fn group(&self, text: &Text<'_>) -> Option<GroupName> {
        if self.groups.iter().any(|group| group == text.as_str()) {
            return text.parse("a group's name");
        }
        unknown(text, &self.groups, "the `group` of a store");
        None
    }

    pub(super) fn host(&self, value: &Value<'_>) -> Option<String> {
        let text = value.text()?;
        let host = text.make_plain(host, HOST)?;
        if self.hosts.iter().any(|known| known.host == host) {
            return Some(host);
        }
        let literal = self.hosts.iter().filter(|known| known.literal);
        let names: Vec<String> = literal.map(|known| known.host.clone()).collect();
        unknown(&text, &names, "a host that stands under `stores`");
        None
    }
}

fn unknown(text: &Text<'_>, known: &[String], expected: &str) {
    let suggestion = Suggestion::of(text.as_str(), known.iter().map(String::as_str));
    text.wrong(None, &format!("{expected} ({suggestion})"));
}
