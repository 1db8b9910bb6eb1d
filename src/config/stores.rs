//! `stores:` → [`Store`]s.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::fault::{Problem, Suggestion};
use super::reader::{Map, Place};
use super::text::Text;
use super::value::Value;
use crate::money::{Currency, Decimal};
use crate::name::{Namespace, StoreName};
use crate::store::{Scheme, Store, Upstream};

/// Reads every store; `listen` is where refgate itself listens.
pub(super) fn read(root: &Map<'_>, listen: &[SocketAddr]) -> (Vec<Store>, Known) {
    let expected = "at least one store: a name with hosts, upstream, currency, …";
    let Some(section) = root.need("stores", expected) else {
        return (Vec::new(), Known::default());
    };
    let map = section.map();
    let mut reader = Reader {
        listen,
        hosts: HashMap::new(),
        namespaces: Vec::new(),
    };
    let entries = map.named("NAME");
    if entries.is_empty() && section.is_map() {
        map.missing("NAME", expected);
    }
    let stores = entries
        .iter()
        .filter_map(|(name, value)| reader.store(name, value));
    let stores = stores.collect();
    let mut hosts: Vec<String> = reader.hosts.into_keys().collect();
    hosts.sort();
    let known = Known {
        stores: entries
            .iter()
            .map(|(name, _)| name.as_str().to_owned())
            .collect(),
        hosts,
    };
    (stores, known)
}

struct Reader<'l> {
    listen: &'l [SocketAddr],
    /// Which store has a host.
    hosts: HashMap<String, String>,
    /// Whose order numbers an upstream gives.
    namespaces: Vec<(Upstream, Namespace)>,
}

impl Reader<'_> {
    fn store(&mut self, name: &Text<'_>, value: &Value<'_>) -> Option<Store> {
        let map = value.map();
        let store_name: Option<StoreName> = name.parse("a store's name");
        let hosts = self.hosts(name, &map);
        let scheme = scheme(&map, &hosts);
        let upstream = self.upstream(&map);
        let currency = map
            .need("currency", "what its prices are in, like USD")
            .and_then(|value| value.parse::<Currency>("an ISO 4217 code like USD"));
        let number_format = map
            .need(
                "number_format",
                "how its pages write 1234.56, like \"1,234.56\"",
            )
            .and_then(|value| value.parse("how its pages write 1234.56, like \"1,234.56\""));
        let max_amount = map
            .need(
                "max_amount",
                "an amount above which an order is held for you",
            )
            .and_then(|value| positive(&value));
        let orders = self.orders(&map, upstream.as_ref(), store_name.as_ref());
        map.finish();
        Some(Store {
            name: store_name?,
            hosts: hosts.into_iter().map(|(host, _)| host).collect(),
            scheme,
            upstream: upstream?,
            currency: currency?,
            number_format: number_format?,
            max_amount: max_amount?,
            orders: orders?,
        })
    }

    fn hosts(&mut self, store: &Text<'_>, map: &Map<'_>) -> Vec<(String, Place)> {
        let expected = "the host names that shoppers use, like [shop.example]";
        let Some(value) = map.need("hosts", expected) else {
            return Vec::new();
        };
        let mut hosts = Vec::new();
        for item in value.one_or_many() {
            let Some(text) = item.text() else { continue };
            let Some(host) = text.make(host, "a host name like shop.example") else {
                continue;
            };
            match self.hosts.insert(host.clone(), store.as_str().to_owned()) {
                None => hosts.push((host, item.place.clone())),
                Some(other) => {
                    let found = format!("{host}, which stands in the store `{other}` already");
                    let expected = "every host in one store, once".to_owned();
                    map.cx
                        .report(&item.place, Problem::Wrong { found, expected });
                }
            }
        }
        if hosts.is_empty() && value.one_or_many().is_empty() {
            let (found, expected) = ("an empty list".to_owned(), expected.to_owned());
            map.cx
                .report(&value.place, Problem::Wrong { found, expected });
        }
        hosts
    }

    fn upstream(&self, map: &Map<'_>) -> Option<Upstream> {
        let value = map.need("upstream", UPSTREAM)?;
        let text = value.text()?;
        let upstream = text.make(upstream, UPSTREAM)?;
        if self.listen.iter().any(|own| is_same(own, &upstream)) {
            let found = format!("{upstream}, where refgate itself listens");
            let expected = "where the shop listens: its own address or port".to_owned();
            map.cx
                .report(&text.place, Problem::Wrong { found, expected });
            return None;
        }
        Some(upstream)
    }

    /// Stores with one upstream share one namespace, unless the operator names several.
    fn orders(
        &mut self,
        map: &Map<'_>,
        upstream: Option<&Upstream>,
        store: Option<&StoreName>,
    ) -> Option<Namespace> {
        let value = map.get("orders");
        let sibling = self
            .namespaces
            .iter()
            .find(|(other, _)| Some(other) == upstream);
        let orders = match (&value, sibling) {
            (Some(value), _) => value.parse("a name, like main")?,
            (None, Some((_, orders))) => return Some(orders.clone()),
            (None, None) => store?.as_str().parse().ok()?,
        };
        match (sibling, upstream) {
            (Some((_, other)), _) if *other != orders => {
                let place = value.map_or_else(|| map.place.clone(), |value| value.place);
                let words = format!(
                    "another store with the same upstream has the orders `{other}`: \
                     one order seen in both stores would be counted twice"
                );
                map.cx.warn(&place, words);
            }
            (None, Some(upstream)) => self.namespaces.push((upstream.clone(), orders.clone())),
            _ => {}
        }
        Some(orders)
    }
}

/// Everything but https wants either a host that cannot leave the machine, or the operator's word.
fn scheme(map: &Map<'_>, hosts: &[(String, Place)]) -> Scheme {
    let words = [("https", Scheme::Https), ("http", Scheme::Http)];
    let scheme = map.or("scheme", Scheme::Https, |value| value.one_of(&words));
    let insecure = map.or("insecure_http", false, Value::flag);
    if scheme == Scheme::Https || insecure {
        return scheme;
    }
    for (host, place) in hosts.iter().filter(|(host, _)| !is_loopback(host)) {
        let found = format!("{host} with `scheme: http`");
        let expected = "`scheme: https` (also where something in front of refgate ends the TLS); \
                        or `insecure_http: true` if shoppers really come over plain HTTP";
        let expected = expected.to_owned();
        map.cx.report(place, Problem::Wrong { found, expected });
    }
    scheme
}

/// A decimal above zero.
pub(super) fn positive(value: &Value<'_>) -> Option<Decimal> {
    const EXPECTED: &str = "a number above zero, like 5000 or 0.73";
    let text = value.text()?;
    let number: Decimal = text.make(Decimal::from_str_exact, EXPECTED)?;
    if number > Decimal::ZERO {
        return Some(number);
    }
    text.wrong(None, EXPECTED);
    None
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum HostError {
    #[error("a host without scheme, port and path")]
    More,
    #[error("not a host name: labels of letters, digits and '-', the others as in xn--…")]
    Label,
}

/// A host name as it stands in `Host`, in lower case.
fn host(text: &str) -> Result<String, HostError> {
    if text.contains([':', '/', '@', '?']) {
        return Err(HostError::More);
    }
    let label = |label: &str| {
        let inner = label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    if text.len() > 253 || !text.split('.').all(label) {
        return Err(HostError::Label);
    }
    Ok(text.to_ascii_lowercase())
}

const UPSTREAM: &str = "where the shop listens: http://HOST:PORT";

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum UpstreamError {
    #[error("TLS to the shop is not available in this version")]
    Https,
    #[error("it does not begin with http://")]
    Scheme,
    #[error("a path after the port: the shopper's own path is used")]
    Path,
    #[error("no port from 1 to 65535")]
    Port,
    #[error("no host name or address; an IPv6 address stands in brackets")]
    Host,
}

fn upstream(text: &str) -> Result<Upstream, UpstreamError> {
    if text.starts_with("https://") {
        return Err(UpstreamError::Https);
    }
    let rest = text.strip_prefix("http://").ok_or(UpstreamError::Scheme)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(UpstreamError::Path);
    }
    let (name, port) = rest.rsplit_once(':').ok_or(UpstreamError::Port)?;
    let port = port.parse().map_err(|_no_number| UpstreamError::Port)?;
    if port == 0 {
        return Err(UpstreamError::Port);
    }
    let v6 = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let host = match v6 {
        Some(v6) => v6
            .parse::<std::net::Ipv6Addr>()
            .map_err(|_no_address| UpstreamError::Host)?
            .to_string(),
        None => host(name).map_err(|_no_host| UpstreamError::Host)?,
    };
    Ok(Upstream { host, port })
}

/// Whether a connection to `upstream` would arrive at `own`.
fn is_same(own: &SocketAddr, upstream: &Upstream) -> bool {
    if own.port() != upstream.port || own.port() == 0 {
        return false;
    }
    match upstream.host.parse::<IpAddr>() {
        Ok(address) => address == own.ip() || own.ip().is_unspecified() && address.is_loopback(),
        Err(_) => {
            is_loopback(&upstream.host) && (own.ip().is_loopback() || own.ip().is_unspecified())
        }
    }
}

/// Hosts that never leave the machine (RFC 6761 §6.3; also what browsers treat as secure).
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    address || host == "localhost" || host.ends_with(".localhost")
}

/// What rules may refer to, also stores at fault, so that one fault is not told twice.
#[derive(Default)]
pub(super) struct Known {
    stores: Vec<String>,
    hosts: Vec<String>,
}

impl Known {
    pub(super) fn store(&self, value: &Value<'_>) -> Option<StoreName> {
        let text = value.text()?;
        if self.stores.iter().any(|store| store == text.as_str()) {
            return text.parse("a store's name");
        }
        unknown(&text, &self.stores, "a store that stands under `stores`");
        None
    }

    pub(super) fn host(&self, value: &Value<'_>) -> Option<String> {
        let text = value.text()?;
        let host = text.make(host, "a host name like shop.example")?;
        if self.hosts.contains(&host) {
            return Some(host);
        }
        unknown(&text, &self.hosts, "a host that stands under `stores`");
        None
    }
}

fn unknown(text: &Text<'_>, known: &[String], expected: &str) {
    let suggestion = Suggestion::of(text.as_str(), known.iter().map(String::as_str));
    text.wrong(None, &format!("{expected} ({suggestion})"));
}
