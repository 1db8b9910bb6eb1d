//! `alarms:`: who is told of what is wrong, and how.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;

use super::hosts::{HOST, host, is_loopback};
use super::reader::{Context, Map};
use super::returns::Checkouts;
use super::stores::Known;
use super::text::Text;
use super::value::Value;
use crate::alarm::{Settings, Webhook};
use crate::observe::pixel::Pixels;
use crate::secret::Secret;

const URL: &str =
    "an https:// address of yours (http:// on loopback only) that alarms are posted to";
const SECRET: &str =
    "whsec_ and 24 to 64 random bytes in base64, as `openssl rand -base64 32` makes them";

/// Looks any closer together only cost.
const LEAST: Duration = Duration::from_millis(100);

/// Reads them; what is `known` of the stores and the networks' `hosts` were read elsewhere.
pub(super) fn read(
    root: &Map<'_>,
    (known, checkouts): (&Known, &Checkouts),
    hosts: Vec<String>,
) -> (Settings, Pixels) {
    let map = root.section("alarms");
    let look = |value: &Value<'_>| value.duration_from(LEAST);
    let settings = Settings {
        look: map.or("look_every", Duration::from_secs(30), look),
        webhook: webhook(&map),
        checkouts: checkouts.iter().map(|(store, _)| store.clone()).collect(),
        expect_order_within: known.expect_order_within.clone(),
    };
    let hosts: Vec<String> = hosts.into_iter().chain(pixels(&map)).collect();
    map.finish();
    (settings, Pixels::of(&hosts))
}

/// Hosts beside those that postbacks go to.
fn pixels(map: &Map<'_>) -> Vec<String> {
    let Some(value) = map.get("pixel_hosts") else {
        return Vec::new();
    };
    let items = value.one_or_many();
    let texts = items.iter().filter_map(Value::text);
    texts
        .filter_map(|text| text.make_plain(host, HOST))
        .collect()
}

fn webhook(map: &Map<'_>) -> Option<Webhook> {
    map.know_entry("webhook", &["url", "secret", "secret_file", "repeat"]);
    let value = map.get("webhook")?;
    let hook = value.map();
    let url = hook.need("url", URL).and_then(|value| url(&value));
    let secret = hook.text_or_file("secret");
    let secret = secret.map(|text| secret_of(&text.delicate(), map.cx));
    let day = Duration::from_secs(86_400);
    let least = Duration::from_secs(60);
    let repeat = hook.or("repeat", day, |value| value.duration_from(least));
    hook.finish();
    Some(Webhook {
        url: url?,
        secret: match secret {
            Some(secret) => Some(secret?),
            None => None,
        },
        repeat,
    })
}

fn url(value: &Value<'_>) -> Option<Secret> {
    let text = value.text()?.delicate();
    let url: Url = text.make_known(Url::parse, URL)?;
    let host = url.host_str().unwrap_or_default();
    let is_fine = match url.scheme() {
        "https" => true,
        "http" => is_loopback(host.trim_matches(['[', ']'])),
        _ => false,
    };
    if !is_fine {
        text.wrong(None, URL);
        return None;
    }
    let url = Secret::new(url.as_str());
    value.cx.keep_secret(url.clone());
    Some(url)
}

fn secret_of(text: &Text<'_>, cx: &Context<'_>) -> Option<Secret> {
    let encoded = text
        .as_str()
        .strip_prefix("whsec_")
        .unwrap_or(text.as_str());
    let bytes = STANDARD.decode(encoded).ok();
    if !bytes.is_some_and(|bytes| (24..=64).contains(&bytes.len())) {
        text.wrong(None, SECRET);
        return None;
    }
    text.free();
    let secret = Secret::new(encoded);
    cx.keep_secret(secret.clone());
    Some(secret)
}
