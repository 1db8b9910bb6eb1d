//! `tls.acme:` → which authority is asked for which certificates.

use std::net::IpAddr;

use super::addresses::Addresses;
use super::assemble::path;
use super::hosts::{HOST, host, is_loopback};
use super::reader::Map;
use super::value::Value;
use crate::accept::tls::holds_certificate;
use crate::acme::{Challenge, PRODUCTION, STAGING, Settings};

/// Reads it; `open` are the stores' hosts that no file has a certificate for.
pub(super) fn read(tls: &Map<'_>, open: Vec<String>, addresses: &Addresses) -> Option<Settings> {
    let map = tls.section("acme");
    let given = tls.has("acme");
    let directory = directory(&map);
    let contact = map.or("contact", None, |value| contact(value).map(Some));
    let hosts = hosts(&map, open, given);
    let cache = map.or("cache", map.cx.resolve("acme"), path);
    let words = [
        ("http-01", Challenge::Http01),
        ("tls-alpn-01", Challenge::TlsAlpn01),
    ];
    let challenge = map.or("challenge", Challenge::Http01, |value| value.one_of(&words));
    let ca = map.or("ca", None, |value| ca(value).map(Some));
    map.finish();
    if !given {
        return None;
    }
    let plain = addresses.listen.iter().any(|listener| !listener.tls);
    if challenge == Challenge::Http01 && !plain {
        let found = "`http-01` without a plain listener";
        let expected = "one under `listen`, which the authority reaches at port 80; \
                        or `challenge: tls-alpn-01`";
        map.wrong("challenge", found, expected);
    }
    Some(Settings {
        directory,
        contact,
        hosts,
        cache,
        challenge,
        ca,
    })
}

fn directory(map: &Map<'_>) -> String {
    let staging = map.or("staging", false, Value::flag);
    let usual = if staging { STAGING } else { PRODUCTION };
    let Some(value) = map.get("directory") else {
        return usual.to_owned();
    };
    if staging {
        value.wrong("a directory beside `staging: true`", "one of the two");
    }
    let Some(text) = value.text() else {
        return String::new();
    };
    let url = reqwest::Url::parse(text.as_str()).ok();
    if url.is_none_or(|url| url.scheme() != "https") {
        let expected = format!("the URL of the authority's directory, like {PRODUCTION}");
        text.wrong(None, &expected);
    }
    // As an address: to be seen in the report.
    text.as_str().to_owned()
}

/// An address for mail, as the URL that the protocol wants.
fn contact(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let address = text.as_str().strip_prefix("mailto:");
    let address = address.unwrap_or(text.as_str());
    let parts = address.split_once('@');
    let plain = |part: &str| !part.is_empty() && !part.contains([' ', ',', '?', '@']);
    if !parts.is_some_and(|(name, host)| plain(name) && plain(host)) {
        text.wrong(None, "an address for mail, like admin@shop.example");
        return None;
    }
    text.free();
    Some(format!("mailto:{address}"))
}

fn hosts(map: &Map<'_>, open: Vec<String>, given: bool) -> Vec<String> {
    let expected = "the hosts to get a certificate for, like [shop.example]";
    let Some(value) = map.get("hosts") else {
        let public = |host: &String| !is_loopback(host) && host.parse::<IpAddr>().is_err();
        let hosts: Vec<String> = open.into_iter().filter(public).collect();
        if given && hosts.is_empty() {
            map.missing("hosts", expected);
        }
        return hosts;
    };
    let items = value.one_or_many();
    if items.is_empty() {
        value.wrong("an empty list", expected);
    }
    let mut hosts: Vec<String> = Vec::new();
    for text in items.iter().filter_map(Value::text) {
        let Some(host) = text.make_plain(host, HOST) else {
            continue;
        };
        if hosts.contains(&host) {
            text.wrong(None, "each host once");
        }
        hosts.push(host);
    }
    hosts
}

fn ca(value: &Value<'_>) -> Option<std::path::PathBuf> {
    let file = path(value)?;
    if let Err(error) = holds_certificate(&file) {
        let expected = "a PEM file with the certificate that signs the authority's own";
        value.text()?.wrong(Some(&error), expected);
    }
    Some(file)
}
