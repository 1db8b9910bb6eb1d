//! `upstream:`, `upstream_http:`, `balance:`, `health:` and `unavailable:` of a store.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use super::hosts::{Named, UPSTREAM, is_same, upstream};
use super::reader::Map;
use super::upstream_tls::{self, Clients};
use super::value::Value;
use crate::store::Protocol;
use crate::store::upstreams::{Balance, Health, MOST, Plan, Upstreams};

/// Largest page for when no upstream is left.
const PAGE_LIMIT: u64 = 1 << 20;

/// Longest path of a health check, in bytes.
const PATH_LIMIT: usize = 1024;

/// A shop is not to be kept busy with checks.
const OFTEN: Duration = Duration::from_millis(100);

/// Reads them; `listen` is where refgate itself listens. None if a fault was reported.
pub(super) fn read(
    map: &Map<'_>,
    listen: &[SocketAddr],
    clients: &mut Clients,
) -> Option<Upstreams> {
    let named = all(map, listen);
    let protocols = [("1.1", Protocol::Http1), ("2", Protocol::Http2)];
    let protocol = map.or("upstream_http", Protocol::Http1, |value| {
        value.one_of(&protocols)
    });
    let secure = named
        .as_ref()
        .is_none_or(|all| all.iter().any(|one| one.secure));
    let terms = upstream_tls::read(map, secure);
    let words = [
        ("round_robin", Balance::RoundRobin),
        ("least_busy", Balance::LeastBusy),
    ];
    let balance = map.get("balance");
    if let (Some(balance), Some([_])) = (&balance, named.as_deref()) {
        let words = "there is nothing to balance: the store has one upstream";
        map.cx.warn(&balance.place, words);
    }
    let balance = balance.and_then(|value| value.one_of(&words));
    let plan = Plan {
        balance: balance.unwrap_or_default(),
        health: health(map),
        unavailable: map.or("unavailable", None, |value| page(value).map(Some)),
    };
    let complete = |named| {
        let mut upstream = clients.complete(map, named, &terms)?;
        upstream.protocol = protocol;
        Some(upstream)
    };
    let upstreams = named?.into_iter().map(complete);
    Some(Upstreams::new(upstreams.collect::<Option<Vec<_>>>()?, plan))
}

/// As they are written; none if one is at fault.
fn all(map: &Map<'_>, listen: &[SocketAddr]) -> Option<Vec<Named>> {
    let value = map.need("upstream", UPSTREAM)?;
    let items = value.one_or_many();
    if items.is_empty() {
        value.wrong("an empty list", UPSTREAM);
    }
    if items.len() > MOST {
        value.wrong("a longer list", &format!("at most {MOST} upstreams"));
        return None;
    }
    let mut all: Vec<Named> = Vec::new();
    // Each is read, so that every fault among them is told.
    for item in &items {
        all.extend(one(item, listen, &all));
    }
    (!items.is_empty() && all.len() == items.len()).then_some(all)
}

fn one(item: &Value<'_>, listen: &[SocketAddr], others: &[Named]) -> Option<Named> {
    let text = item.text()?;
    let named = text.make_plain(upstream, UPSTREAM)?;
    if listen.iter().any(|own| is_same(own, &named.upstream)) {
        let expected = "where the shop listens: its own address or port";
        text.wrong(Some(&"refgate itself listens there"), expected);
        return None;
    }
    if others.iter().any(|other| other.upstream == named.upstream) {
        text.wrong(Some(&"it stands here already"), "each upstream once");
        return None;
    }
    Some(named)
}

/// None if it is not asked for.
fn health(map: &Map<'_>) -> Option<Health> {
    const PATH: &str = "the path of a page that may be asked for at any time, like /healthz";
    let section = map.section("health");
    let path = match map.has("health") {
        true => section.need("path", PATH),
        false => section.get("path"),
    };
    let count = |key, count| section.or(key, count, |value| value.count(1..=100));
    let status = section.or("status", 200, |value| value.count(200..=599));
    let (falls, rises) = (count("falls", 3), count("rises", 2));
    let every = section.or("every", Duration::from_secs(5), |value| {
        value.duration_from(OFTEN)
    });
    let timeout = section.or("timeout", Duration::from_secs(2), Value::duration);
    section.finish();
    let path = path?.text()?;
    let fits = |text: &str| {
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#');
        text.starts_with('/') && text.len() <= PATH_LIMIT && plain
    };
    if !fits(path.as_str()) {
        path.wrong(None, PATH);
        return None;
    }
    Some(Health {
        path: path.as_str().to_owned(),
        every,
        timeout,
        status: u16::try_from(status).ok()?,
        falls: u32::try_from(falls).ok()?,
        rises: u32::try_from(rises).ok()?,
    })
}

/// The file's content.
fn page(value: &Value<'_>) -> Option<Bytes> {
    const EXPECTED: &str = "a file with an HTML page in UTF-8, of at most 1 MiB";
    let path = value.text()?;
    match read_page(&value.cx.resolve(path.as_str())) {
        Ok(page) => Some(page.into()),
        Err(error) => {
            path.wrong(Some(&error), EXPECTED);
            None
        }
    }
}

fn read_page(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?
        .take(PAGE_LIMIT + 1)
        .read_to_string(&mut text)?;
    match u64::try_from(read) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(1..=PAGE_LIMIT) => Ok(text),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    }
}
