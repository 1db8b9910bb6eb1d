//! `stores.NAME.consent:` and `networks.NAME.consent:` → who is asked, and by what he answers.

use std::collections::BTreeMap;

use super::fault::Problem;
use super::pattern;
use super::reader::Map;
use super::value::Value;
use crate::consent::{Consent, Need, Sign, Teller};

const EXPECTED: &str = "`not_needed`, or which cookie tells it: the name of a consent tool (onetrust, \
                        cookiebot, cookieyes, complianz, tcf), or { cookie: NAME, pattern: '…' }";

/// `OneTrust`'s group for targeting, unless the shop has renamed it.
const GROUP: &str = "C0004";

/// TCF's purpose 1: to store something on the device.
const STORAGE: u8 = 1;

/// The consent tools that are known by name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Preset {
    OneTrust,
    Cookiebot,
    CookieYes,
    Complianz,
    Tcf,
}

/// What else is said of it.
const KEYS: [&str; 6] = [
    "preset", "cookie", "group", "purposes", "pattern", "refused",
];

const PRESETS: [(&str, Preset); 5] = [
    ("onetrust", Preset::OneTrust),
    ("cookiebot", Preset::Cookiebot),
    ("cookieyes", Preset::CookieYes),
    ("complianz", Preset::Complianz),
    ("tcf", Preset::Tcf),
];

impl Preset {
    const fn cookie(self) -> &'static str {
        match self {
            Self::OneTrust => "OptanonConsent",
            Self::Cookiebot => "CookieConsent",
            Self::CookieYes => "cookieyes-consent",
            Self::Complianz => "cmplz_marketing",
            Self::Tcf => "euconsent-v2",
        }
    }

    fn teller(self, cookie: Option<String>, group: Option<String>, purposes: Vec<u8>) -> Teller {
        let sign = match self {
            Self::OneTrust => Sign::OneTrust {
                group: group.unwrap_or_else(|| GROUP.to_owned()),
            },
            Self::Cookiebot => Sign::Cookiebot,
            Self::CookieYes => Sign::CookieYes,
            Self::Complianz => Sign::Complianz,
            Self::Tcf => Sign::Tcf { purposes },
        };
        Teller {
            cookie: cookie.unwrap_or_else(|| self.cookie().to_owned()),
            sign,
        }
    }
}

/// How a store's consent is seen. There is no default: the operator decides.
pub(super) fn of_store(store: &Map<'_>) -> Option<Consent> {
    let value = store.need("consent", EXPECTED)?;
    let map = value.map_or_short("stores.NAME.consent");
    if value.is_nested() {
        return mapped(&map).map(Consent::Told);
    }
    for key in KEYS {
        map.get(key);
    }
    let text = value.text()?;
    if text.as_str() == "not_needed" {
        return Some(Consent::NotNeeded);
    }
    let named = PRESETS.iter().find(|(name, _)| *name == text.as_str());
    let Some((_, preset)) = named else {
        text.wrong(None, EXPECTED);
        return None;
    };
    let teller = preset.teller(None, None, vec![STORAGE]);
    Some(Consent::Told(teller))
}

fn mapped(map: &Map<'_>) -> Option<Teller> {
    let preset = map.get("preset");
    let cookie = map.get("cookie").map(|value| cookie_name(&value));
    let (group, purposes) = (map.get("group"), map.get("purposes"));
    let (given, refused) = (map.get("pattern"), map.get("refused"));
    map.finish();
    match preset {
        Some(preset) => {
            let preset = preset.one_of(&PRESETS)?;
            let what = "a `cookie` without `preset`";
            beside("pattern", given.as_ref(), what);
            beside("refused", refused.as_ref(), what);
            let (one_trust, tcf) = (preset == Preset::OneTrust, preset == Preset::Tcf);
            let (of_one_trust, group) = parted(group, one_trust);
            let (of_tcf, purposes) = parted(purposes, tcf);
            beside("group", of_one_trust.as_ref(), "`preset: onetrust`");
            beside("purposes", of_tcf.as_ref(), "`preset: tcf`");
            let group = group.map(|value| group_name(&value));
            let purposes = purposes.map(|value| purposes_of(&value));
            Some(preset.teller(
                fine(cookie)?,
                fine(group)?,
                fine(purposes)?.unwrap_or_else(|| vec![STORAGE]),
            ))
        }
        None => {
            beside("group", group.as_ref(), "`preset`");
            beside("purposes", purposes.as_ref(), "`preset`");
            if cookie.is_none() || given.is_none() {
                let found = "neither a consent tool nor a cookie with its pattern".to_owned();
                let expected = "`preset`, or `cookie` and `pattern`".to_owned();
                map.cx
                    .report(&map.place, Problem::Wrong { found, expected });
            }
            let given = given.map(|value| pattern::search(&value));
            let refused = refused.map(|value| pattern::search(&value));
            let sign = Sign::Pattern {
                given: given??,
                refused: fine(refused)?,
            };
            Some(Teller {
                cookie: cookie??,
                sign,
            })
        }
    }
}

/// The value, where it has nothing to say, and where it has.
fn parted<T>(value: Option<T>, fits: bool) -> (Option<T>, Option<T>) {
    match fits {
        true => (None, value),
        false => (value, None),
    }
}

/// What was read, if it stands there; none if it is at fault.
fn fine<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(None) => None,
        Some(Some(read)) => Some(Some(read)),
        None => Some(None),
    }
}

/// Reports a key that has nothing to say where it stands.
fn beside(key: &str, value: Option<&Value<'_>>, what: &str) {
    if let Some(value) = value {
        value.wrong(&format!("`{key}`"), &format!("it only beside {what}"));
    }
}

/// A cookie's name is a token (RFC 6265 §4.1.1).
fn cookie_name(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let is_token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c);
    let fits = (1..=128).contains(&text.as_str().len()) && text.as_str().chars().all(is_token);
    if fits {
        return Some(text.free());
    }
    text.wrong(None, "a cookie's name, like OptanonConsent");
    None
}

fn group_name(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if text.as_str().is_empty() || text.as_str().contains([',', ':']) {
        text.wrong(None, "a group's id, like C0004");
        return None;
    }
    Some(text.free())
}

fn purposes_of(value: &Value<'_>) -> Option<Vec<u8>> {
    let items = value.one_or_many();
    if items.is_empty() {
        value.wrong(
            "an empty list",
            "the purposes that must be agreed to, like [1]",
        );
        return None;
    }
    let purposes = items.iter().map(|item| {
        let purpose = item.count(1..=24)?;
        u8::try_from(purpose).ok()
    });
    purposes.collect()
}

/// Whether a network's clicks need consent.
pub(super) fn of_network(network: &Map<'_>) -> Option<Need> {
    let Some(value) = network.get("consent") else {
        network
            .section("consent")
            .section("not_needed_if")
            .named("PARAM");
        return Some(Need::Required);
    };
    if !value.is_nested() {
        let text = value.text()?;
        return match text.as_str() {
            "required" => Some(Need::Required),
            "not_needed" => Some(Need::NotNeeded),
            _ => {
                text.wrong(
                    None,
                    "required, not_needed, or { not_needed_if: { PARAM: VALUE } }",
                );
                None
            }
        };
    }
    let map = value.map();
    let expected = "the parameter that says so and its value, like { sn: 1 }";
    let section = map.need("not_needed_if", expected);
    map.finish();
    let section = section?;
    let entries = section.map().named("PARAM");
    if entries.is_empty() && section.is_map() {
        section.wrong("nothing in it", expected);
    }
    let mut all = BTreeMap::new();
    for (name, value) in entries {
        let value = value.text()?;
        let fits = |text: &str| (1..=64).contains(&text.len()) && !text.contains(char::is_control);
        if !fits(name.as_str()) || !fits(value.as_str()) {
            value.wrong(
                None,
                "a parameter's name and its value, each of 1 to 64 bytes",
            );
            return None;
        }
        all.insert(name.as_str().to_owned(), value.free());
    }
    (!all.is_empty()).then_some(Need::NotNeededIf(all))
}
