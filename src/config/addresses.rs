//! `listen:`, `trusted_proxies:`, `workers:`.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::thread;

use ipnet::IpNet;

use super::admin::{self, Tokens};
use super::reader::{Map, Place};
use super::value::Value;
use crate::accept::Listener;
use crate::admin::Settings;

/// Where refgate listens, and whom it believes.
pub(super) struct Addresses {
    pub(super) listen: Vec<Listener>,
    /// Where each of them stands.
    pub(super) places: Vec<Place>,
    pub(super) admin: Option<Settings>,
    pub(super) trusted_proxies: Vec<IpNet>,
    pub(super) workers: usize,
}

pub(super) const ADDRESS: &str =
    "an address with its port, like 127.0.0.1:8080, 0.0.0.0:80 or [::]:80";

/// Where https is, if nothing else is said (RFC 9110 §4.2.2).
pub(super) const HTTPS: u16 = 443;

/// Reads them.
pub(super) fn read(root: &Map<'_>) -> Addresses {
    let (listen, places): (Vec<_>, _) = listen(root).into_iter().unzip();
    let admin = admin::read(root, &listen, Tokens::All);
    let trusted_proxies = match root.get("trusted_proxies") {
        Some(value) => value.one_or_many().iter().filter_map(proxy).collect(),
        None => Vec::new(),
    };
    let proxied = listen
        .iter()
        .zip(&places)
        .filter(|(one, _)| one.proxy_protocol);
    for (_, place) in proxied.filter(|_| trusted_proxies.is_empty()) {
        let words = "a PROXY header is believed from everybody who reaches this address: name your \
                     load balancers under `trusted_proxies`";
        root.cx.warn(place, words);
    }
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    Addresses {
        listen,
        places,
        admin,
        trusted_proxies,
        workers: root.or("workers", cores, |value| value.count(1..=1024)),
    }
}

impl Addresses {
    /// Every address that shoppers arrive at.
    pub(super) fn sockets(&self) -> Vec<SocketAddr> {
        let listeners = self.listen.iter();
        listeners.map(|listener| listener.address).collect()
    }
}

/// Each listener, and where it stands.
fn listen(root: &Map<'_>) -> Vec<(Listener, Place)> {
    let Some(value) = root.need("listen", ADDRESS) else {
        return Vec::new();
    };
    let items = value.one_or_many();
    if items.is_empty() {
        value.wrong("an empty list", ADDRESS);
    }
    let mut listen: Vec<(Listener, Place)> = Vec::new();
    let mut redirects = Vec::new();
    for item in &items {
        let Some((listener, redirect)) = listener(item) else {
            continue;
        };
        let same = |other: &(Listener, Place)| other.0.address == listener.address;
        if listen.iter().any(same) {
            item.wrong("an address that stands here already", "each address once");
        }
        listen.push((listener, item.place.clone()));
        redirects.push(redirect);
    }
    let tls = listen.iter().find(|(listener, _)| listener.tls);
    let port = tls.map_or(HTTPS, |(listener, _)| listener.address.port());
    for ((listener, _), redirect) in listen.iter_mut().zip(redirects) {
        listener.redirect = match redirect {
            Redirect::Off => None,
            Redirect::ToOurs => Some(port),
            Redirect::To(other) => Some(other),
        };
    }
    listen
}

/// Whither a plain listener's requests are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Redirect {
    Off,
    /// To the port of the first listener that speaks TLS; to 443 if there is none.
    ToOurs,
    To(u16),
}

fn listener(item: &Value<'_>) -> Option<(Listener, Redirect)> {
    let map = item.map_or_short("listen[]");
    let address = if item.is_map() {
        let address = map.need("address", ADDRESS);
        address.and_then(|value| value.parse_plain(ADDRESS))
    } else {
        map.get("address");
        item.parse_plain(ADDRESS)
    };
    let tls = map.or("tls", false, Value::flag);
    let proxy_protocol = map.or("proxy_protocol", false, Value::flag);
    let redirect = map.or("redirect", Redirect::Off, redirect);
    if tls && redirect != Redirect::Off {
        let expected = "one of the two: what comes by TLS is where it belongs";
        item.wrong("`tls` and `redirect`", expected);
    }
    map.finish();
    let listener = Listener {
        tls,
        proxy_protocol,
        ..Listener::plain(address?)
    };
    Some((listener, redirect))
}

fn redirect(value: &Value<'_>) -> Option<Redirect> {
    let text = value.text()?;
    match text.as_str() {
        "true" => return Some(Redirect::ToOurs),
        "false" => return Some(Redirect::Off),
        _ => {}
    }
    let port = text.as_str().parse().ok().filter(|port| *port != 0);
    if port.is_none() {
        let expected = "true, false, or the port at which shoppers find https, like 443";
        text.wrong(None, expected);
    }
    port.map(Redirect::To)
}

fn proxy(value: &Value<'_>) -> Option<IpNet> {
    let everybody = "the addresses of your own proxies: this block is everybody, and anybody could claim any address";
    network(value, everybody)
}

/// A CIDR block, or one address. One of all addresses is not what was meant: `everybody` says what was.
pub(super) fn network(value: &Value<'_>, everybody: &str) -> Option<IpNet> {
    const EXPECTED: &str = "an address or a block, like 10.0.0.1 or 10.0.0.0/8";
    let text = value.text()?;
    if let Ok(address) = text.as_str().parse::<IpAddr>() {
        return Some(address.into());
    }
    let block: IpNet = text.make_plain(str::parse, EXPECTED)?;
    if block.prefix_len() == 0 {
        text.wrong(None, everybody);
        return None;
    }
    Some(block.trunc())
}
