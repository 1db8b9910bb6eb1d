//! `listen:`, `admin:`, `trusted_proxies:`, `workers:`.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::thread;

use ipnet::IpNet;

use super::reader::Map;
use super::value::Value;

/// Where refgate listens, and whom it believes.
pub(super) struct Addresses {
    pub(super) listen: Vec<SocketAddr>,
    pub(super) admin: Option<SocketAddr>,
    pub(super) trusted_proxies: Vec<IpNet>,
    pub(super) workers: usize,
}

const ADDRESS: &str = "an address with its port, like 127.0.0.1:8080, 0.0.0.0:80 or [::]:80";

/// Reads them.
pub(super) fn read(root: &Map<'_>) -> Addresses {
    let listen = listen(root);
    let admin = admin(root, &listen);
    let trusted_proxies = match root.get("trusted_proxies") {
        Some(value) => value.one_or_many().iter().filter_map(network).collect(),
        None => Vec::new(),
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    Addresses {
        listen,
        admin,
        trusted_proxies,
        workers: root.or("workers", cores, |value| value.count(1..=1024)),
    }
}

fn listen(root: &Map<'_>) -> Vec<SocketAddr> {
    let Some(value) = root.need("listen", ADDRESS) else {
        return Vec::new();
    };
    let items = value.one_or_many();
    if items.is_empty() {
        value.wrong("an empty list", ADDRESS);
    }
    let mut listen: Vec<SocketAddr> = Vec::new();
    for item in &items {
        let Some(address) = item.parse_plain(ADDRESS) else {
            continue;
        };
        if listen.contains(&address) {
            item.wrong("an address that stands here already", "each address once");
        }
        listen.push(address);
    }
    listen
}

/// `admin:`, which must be none of `listen`.
pub(super) fn admin(root: &Map<'_>, listen: &[SocketAddr]) -> Option<SocketAddr> {
    root.or("admin", None, |value| operators(value, listen).map(Some))
}

fn operators(value: &Value<'_>, listen: &[SocketAddr]) -> Option<SocketAddr> {
    let text = value.text()?;
    let address: SocketAddr = text.make_plain(str::parse, ADDRESS)?;
    if !address.ip().is_loopback() {
        let expected =
            "a loopback address like 127.0.0.1:8084: the admin listener asks nobody who they are";
        text.wrong(None, expected);
        return None;
    }
    let taken = |own: &&SocketAddr| {
        own.port() == address.port() && (own.ip() == address.ip() || own.ip().is_unspecified())
    };
    if address.port() != 0 && listen.iter().any(|own| taken(&own)) {
        text.wrong(None, "another address than under `listen`");
        return None;
    }
    Some(address)
}

/// A CIDR block, or one address.
fn network(value: &Value<'_>) -> Option<IpNet> {
    const EXPECTED: &str = "an address or a block, like 10.0.0.1 or 10.0.0.0/8";
    let text = value.text()?;
    if let Ok(address) = text.as_str().parse::<IpAddr>() {
        return Some(address.into());
    }
    let block: IpNet = text.make_plain(str::parse, EXPECTED)?;
    if block.prefix_len() == 0 {
        text.wrong(None, "the addresses of your own proxies: this block is everybody, and anybody could claim any address");
        return None;
    }
    Some(block.trunc())
}
