//! `tls:` → certificates that can be used, and how TLS is spoken.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::addresses::Addresses;
use super::assemble::path;
use super::authority;
use super::fault::Problem;
use super::hosts::{HOST, host};
use super::reader::{Map, Place};
use super::value::Value;
use crate::accept::tls::{Certificate, CertificateError, Files, Settings, Version};
use crate::acme;
use crate::cause::Causes;
use crate::clock::Time;
use crate::store::{Scheme, Store};

/// Reads `tls:`; what it says must fit where refgate listens.
pub(super) fn read(
    root: &Map<'_>,
    addresses: &Addresses,
    stores: &[Store],
) -> (Settings, Option<acme::Settings>) {
    let map = root.section("tls");
    let certificates = certificates(&map);
    // Where there is no certificate yet.
    let mut open: Vec<(&Store, &String)> = stores
        .iter()
        .filter(|store| store.scheme == Scheme::Https)
        .flat_map(|store| store.hosts.iter().map(move |host| (store, host)))
        .filter(|(_, host)| !certificates.iter().any(|(_, one)| one.is_for(host)))
        .collect();
    let names = open.iter().map(|(_, host)| (*host).clone()).collect();
    let acme = authority::read(&map, names, addresses);
    let versions = [("1.2", Version::Tls12), ("1.3", Version::Tls13)];
    let minimum = map.or("minimum", Version::Tls12, |value| value.one_of(&versions));
    map.finish();

    let listening = addresses.listen.iter().zip(&addresses.places);
    let speaking = listening.filter(|(listener, _)| listener.tls);
    let speaking: Vec<&Place> = speaking.map(|(_, place)| place).collect();
    if !map.has("certificates") && !map.has("acme") {
        for place in &speaking {
            let found = "`tls: true` without a certificate".to_owned();
            let expected = "one at least under `tls.certificates`, or `tls.acme`".to_owned();
            let problem = Problem::Wrong { found, expected };
            root.cx.report(place, problem);
        }
    }
    if root.has("tls") && speaking.is_empty() {
        let words = "not used: nothing under `listen` says `tls: true`";
        root.cx.warn(&map.place, words);
    }
    // One at fault may be the one that is missed.
    if !speaking.is_empty() && !root.cx.is_faulty() {
        let obtained = acme.iter().flat_map(|acme| &acme.hosts);
        let obtained: Vec<&String> = obtained.collect();
        open.retain(|(_, host)| !obtained.contains(host));
        warn_of_hosts(&map, &open);
    }
    let files = certificates.into_iter().map(|(files, _)| files);
    let settings = Settings {
        certificates: files.collect(),
        minimum,
        ..Settings::default()
    };
    (settings, acme)
}

fn certificates(map: &Map<'_>) -> Vec<(Files, Certificate)> {
    map.know_items("certificates", &["certificate", "key", "hosts"]);
    let Some(value) = map.get("certificates") else {
        return Vec::new();
    };
    let items = value.list();
    if items.is_empty() {
        value.wrong("an empty list", "the files of a certificate and of its key");
    }
    items.iter().filter_map(certificate).collect()
}

const CERTIFICATE: &str = "a PEM file with the certificate and the chain above it";
const KEY: &str = "a PEM file with the certificate's private key";

fn certificate(item: &Value<'_>) -> Option<(Files, Certificate)> {
    let map = item.map();
    let certificate = map.need("certificate", CERTIFICATE);
    let key = map.need("key", KEY);
    let names = match map.get("hosts") {
        Some(value) => value.one_or_many().iter().filter_map(name).collect(),
        None => Vec::new(),
    };
    map.finish();
    let (certificate, key) = (certificate?, key?);
    let files = Files {
        certificate: path(&certificate)?,
        key: path(&key)?,
        hosts: names,
    };
    match Certificate::read(&files) {
        Ok(read) => {
            warn_of_dates(&certificate, &read);
            warn_of_mode(&key, &files);
            Some((files, read))
        }
        Err(error) => {
            refuse(&certificate, &key, &error);
            None
        }
    }
}

/// A host, or `*.` before one.
fn name(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let (star, rest) = match text.as_str().strip_prefix("*.") {
        Some(rest) => ("*.", rest),
        None => ("", text.as_str()),
    };
    let name = host(rest);
    let expected = format!("{HOST} or *.shop.example");
    let name = text.make_plain(|_| name, &expected)?;
    Some(format!("{star}{name}"))
}

fn refuse(certificate: &Value<'_>, key: &Value<'_>, error: &CertificateError) {
    let (value, expected) = if error.is_about_key() {
        (key, KEY)
    } else {
        (certificate, CERTIFICATE)
    };
    if let Some(text) = value.text() {
        text.wrong(Some(&Causes(error)), expected);
    }
}

fn warn_of_dates(value: &Value<'_>, certificate: &Certificate) {
    let now = Time::now();
    let (from, until) = (certificate.valid_from, certificate.valid_until);
    if until <= now {
        let words = format!("it was valid until {until}: browsers refuse it");
        value.cx.warn(&value.place, words);
    } else if now < from {
        let words = format!("it is valid from {from} only: browsers refuse it until then");
        value.cx.warn(&value.place, words);
    }
}

/// Web servers' keys are commonly readable for a group; for everybody they should not be.
fn warn_of_mode(value: &Value<'_>, files: &Files) {
    let Ok(about) = fs::metadata(&files.key) else {
        return;
    };
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        let path = files.key.display();
        let words = format!("its mode is {mode:04o}: everybody may read it; do `chmod o= {path}`");
        value.cx.warn(&value.place, words);
    }
}

/// A shopper of such a host would get another's certificate, and an alarm.
fn warn_of_hosts(map: &Map<'_>, open: &[(&Store, &String)]) {
    for (store, host) in open {
        let name = &store.name;
        let words = format!("no certificate is for `{host}` of the store `{name}`");
        map.cx.warn(&map.place, words);
    }
}
