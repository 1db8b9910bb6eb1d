//! `cookie:` → how clicks are remembered, and the keys that seal them.

use std::path::PathBuf;
use std::time::Duration;

use super::fault::Problem;
use super::keys::{self, Missing, Source};
use super::reader::{Map, Place};
use super::stores::Known;
use super::text::Text;
use super::value::Value;
use crate::capture::Handling;
use crate::name::GroupName;
use crate::seal::Keys;
use crate::visit::Attribution;

/// What `attribution: all` means for the merchant.
const PAYS_SEVERAL: &str = "one order is told to every network with a click, so one order then pays \
                            several networks";

/// No honest shopper buys sooner after he followed a link: what networks advise against stuffed
/// clicks is 5 to 30 seconds (domain.md §4).
const MIN_CLICK_AGE: Duration = Duration::from_secs(10);

const DAY: Duration = Duration::from_secs(86_400);

/// What the section says.
pub(super) struct Cookie<'a> {
    pub(super) name: String,
    pub(super) window: Duration,
    pub(super) min_click_age: Duration,
    pub(super) attribution: Attribution,
    pub(super) parameter: Handling,
    pub(super) keys: Option<KeyRing<'a>>,
    /// Of the groups that have keys of their own.
    pub(super) groups: Vec<(GroupName, KeyRing<'a>)>,
}

/// Keys that are there, or the file that holds them.
pub(super) enum KeyRing<'a> {
    Given(Keys, usize),
    File(PathBuf, Option<Text<'a>>, Place),
}

/// Reads the section.
pub(super) fn read<'a>(root: &Map<'a>, known: &Known) -> Cookie<'a> {
    let map = root.section("cookie");
    let name = map.or("name", "refgate".to_owned(), cookie_name);
    let window = map.or("window", 30 * DAY, Value::duration);
    let min_click_age = map.or("min_click_age", MIN_CLICK_AGE, |value| {
        value.duration_from(Duration::ZERO)
    });
    let words = [
        ("last_click", Attribution::LastClick),
        ("first_click", Attribution::FirstClick),
        ("all", Attribution::All),
    ];
    let attribution = map.or("attribution", Attribution::LastClick, |value| {
        let attribution = value.one_of(&words)?;
        if attribution == Attribution::All {
            map.cx.warn(&value.place, PAYS_SEVERAL);
        }
        Some(attribution)
    });
    let words = [
        ("strip", Handling::Strip),
        ("keep", Handling::Keep),
        ("redirect", Handling::Redirect),
    ];
    let parameter = map.or("parameter", Handling::Strip, |value| value.one_of(&words));
    let keys = ring(&map, Some("refgate.key"));
    let groups = groups(&map, known);
    map.finish();
    Cookie {
        name,
        window,
        min_click_age,
        attribution,
        parameter,
        keys,
        groups,
    }
}

fn groups<'a>(map: &Map<'a>, known: &Known) -> Vec<(GroupName, KeyRing<'a>)> {
    let mut groups = Vec::new();
    let section = map.section("groups");
    section.know_entry("NAME", &["keys", "key_file"]);
    for (name, value) in section.named("NAME") {
        let (group, map) = (known.group(&name), value.map());
        let keys = ring(&map, None);
        map.finish();
        groups.extend(group.zip(keys));
    }
    groups
}

fn cookie_name(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let name = text.as_str();
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let fits = (1..=32).contains(&name.len()) && name.chars().all(word);
    if fits && !name.starts_with("__") {
        return Some(text.free());
    }
    let expected = "1 to 32 letters, digits, '-' or '_', without __Host- (that is put before it where it is due)";
    text.wrong(None, expected);
    None
}

/// `keys`, or the file that `key_file` names; where there is neither, this file.
fn ring<'a>(map: &Map<'a>, usual: Option<&str>) -> Option<KeyRing<'a>> {
    let (given, file) = (map.get("keys"), map.get("key_file"));
    match (given, file) {
        (Some(_), Some(file)) => {
            let found = "`keys` and `key_file`".to_owned();
            let expected = "one of the two".to_owned();
            map.cx
                .report(&file.place, Problem::Wrong { found, expected });
            None
        }
        (Some(given), None) => keys_from(map, &given),
        (None, Some(file)) => {
            let text = file.text()?;
            let path = map.cx.resolve(text.as_str());
            Some(KeyRing::File(path, Some(text), file.place))
        }
        (None, None) => {
            let Some(usual) = usual else {
                map.missing("key_file", "keys of its own: this, or `keys`");
                return None;
            };
            let path = map.cx.resolve(usual);
            Some(KeyRing::File(path, None, map.place.clone()))
        }
    }
}

/// Keys of the environment: a key that stands in the file would be read by all who read the file.
fn keys_from<'a>(map: &Map<'a>, value: &Value<'a>) -> Option<KeyRing<'a>> {
    const EXPECTED: &str = "keys that come from variables, like [\"${REFGATE_KEY}\"], \
                            each made with `refgate key new`";
    let mut keys = Vec::new();
    let items = value.one_or_many();
    for item in &items {
        let text = item.text()?.delicate();
        if text.is_literal() {
            text.wrong(Some(&"a key must not stand in this file"), EXPECTED);
            continue;
        }
        if text.make(|key| Keys::parse([key]), EXPECTED).is_some() {
            keys.push(text.free());
        }
    }
    if keys.len() < items.len() {
        return None;
    }
    match Keys::parse(keys.iter().map(String::as_str)) {
        Ok(ring) => Some(KeyRing::Given(ring, keys.len())),
        Err(_) => {
            let (found, expected) = ("an empty list".to_owned(), EXPECTED.to_owned());
            map.cx
                .report(&value.place, Problem::Wrong { found, expected });
            None
        }
    }
}

impl KeyRing<'_> {
    /// The keys; makes the file if it is not there and `missing` says so.
    pub(super) fn open(&self, missing: Missing) -> Result<(Keys, Source), (Place, Problem)> {
        let (path, text, place) = match self {
            Self::Given(keys, count) => return Ok((keys.clone(), Source::Given(*count))),
            Self::File(path, text, place) => (path, text, place),
        };
        let was_there = path.exists();
        let keys = match missing {
            Missing::Create => keys::load_or_create(path),
            Missing::Pretend => match keys::load(path) {
                Err(error) if error.is_missing() => pretend(),
                done => done,
            },
        };
        match keys {
            Ok(keys) if was_there => Ok((keys, Source::File(path.clone()))),
            Ok(keys) => Ok((keys, Source::New(path.clone()))),
            Err(error) => {
                let shown = text.as_ref().is_none_or(Text::is_literal);
                let found = match shown {
                    true => format!("{} ({error})", path.display()),
                    false => {
                        "a key file (its path is from a variable) that is of no use".to_owned()
                    }
                };
                let expected = "a file of keys that only its owner can read (mode 0600); \
                                `run` makes one if none is there"
                    .to_owned();
                Err((place.clone(), Problem::Wrong { found, expected }))
            }
        }
    }
}

fn pretend() -> Result<Keys, keys::Error> {
    let key = keys::create()?;
    Ok(Keys::parse([key.as_str()])?)
}
