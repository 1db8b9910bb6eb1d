//! Typed access to a mapping that goes on after a fault, so that all faults are told at once.
//!
//! A [`Map`] remembers which keys were asked for; [`Map::finish`] reports the others. Every key
//! asked for is also noted in general form (`stores.NAME.hosts`), for the reference's test.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::fault::{Finding, Position, Problem, Suggestion};
use super::text::{Origin, Text};
use super::value::Value;
use super::yaml::{Key, Kind, Node};
use crate::secret::Secret;

/// Largest file that a `…_file` key names, in bytes.
const FILE_LIMIT: u64 = 64 * 1024;

/// What all readers of one file share.
pub(super) struct Context<'a> {
    /// Relative paths start here.
    pub(super) folder: &'a Path,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    findings: RefCell<Vec<Finding>>,
    known: RefCell<BTreeSet<String>>,
    secrets: RefCell<Vec<Secret>>,
}

/// Where a value stands, in the file and in the YAML.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) at: Position,
    pub(super) path: String,
    /// The path with `NAME` for what the operator named and `[]` for a list's place.
    pub(super) general: String,
}

impl Place {
    pub(super) fn inner(&self, at: Position, key: &str, general: &str) -> Self {
        let join = |path: &str, key: &str| match path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        Self {
            at,
            path: join(&self.path, key),
            general: join(&self.general, general),
        }
    }

    pub(super) fn item(&self, at: Position, n: usize) -> Self {
        Self {
            at,
            path: format!("{}[{n}]", self.path),
            general: format!("{}[]", self.general),
        }
    }
}

impl<'a> Context<'a> {
    pub(super) fn new(folder: &'a Path, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            folder,
            env,
            findings: RefCell::default(),
            known: RefCell::default(),
            secrets: RefCell::default(),
        }
    }

    pub(super) fn report(&self, place: &Place, problem: Problem) {
        self.findings.borrow_mut().push(Finding {
            at: Some(place.at),
            path: place.path.clone(),
            problem,
        });
    }

    /// Something that does not keep us from starting.
    pub(super) fn warn(&self, place: &Place, words: impl Into<String>) {
        self.report(place, Problem::Odd(words.into()));
    }

    pub(super) fn keep_secret(&self, secret: Secret) {
        self.secrets.borrow_mut().push(secret);
    }

    /// A path of the file, relative to the file's folder.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Whether there is anything that keeps us from starting.
    pub(super) fn is_faulty(&self) -> bool {
        let fault = |finding: &Finding| !finding.is_odd();
        self.findings.borrow().iter().any(fault)
    }

    /// What was noted while reading.
    pub(super) fn finish(self) -> Notes {
        let findings = self.findings.into_inner();
        let (mut warnings, faults): (Vec<_>, _) = findings.into_iter().partition(Finding::is_odd);
        warnings.sort_by_key(|warning| warning.at);
        Notes {
            faults,
            warnings,
            known: self.known.into_inner(),
            secrets: self.secrets.into_inner(),
        }
    }
}

/// What was noted while reading a file.
pub(super) struct Notes {
    pub(super) faults: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
    pub(super) known: BTreeSet<String>,
    pub(super) secrets: Vec<Secret>,
}

/// A mapping with keys that we know.
pub(super) struct Map<'a> {
    pub(super) cx: &'a Context<'a>,
    pub(super) place: Place,
    entries: &'a [(Key, Node)],
    asked: RefCell<Vec<String>>,
    /// Whether the value was no mapping: then nothing is missing from it.
    broken: Cell<bool>,
}

impl<'a> Map<'a> {
    /// The whole file.
    pub(super) fn root(cx: &'a Context<'a>, node: &'a Node) -> Self {
        let place = Place {
            at: node.at,
            path: String::new(),
            general: String::new(),
        };
        Self::of(cx, place, node)
    }

    pub(super) fn of(cx: &'a Context<'a>, place: Place, node: &'a Node) -> Self {
        let map = Self::empty(cx, place);
        match &node.kind {
            Kind::Mapping(entries) => Self { entries, ..map },
            other => {
                let problem = Problem::Wrong {
                    found: shape(other).to_owned(),
                    expected: "keys with values".to_owned(),
                };
                cx.report(&map.place, problem);
                map.broken.set(true);
                map
            }
        }
    }

    /// A section that does not stand in the file: everything has its default.
    pub(super) fn empty(cx: &'a Context<'a>, place: Place) -> Self {
        Self {
            cx,
            place,
            entries: &[],
            asked: RefCell::default(),
            broken: Cell::new(false),
        }
    }

    /// The value of `key`, if it stands there.
    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        self.know(key);
        let (name, node) = self.entries.iter().find(|(name, _)| name.text == key)?;
        let at = if node.kind_is_null() {
            name.at
        } else {
            node.at
        };
        let place = self.place.inner(at, key, key);
        Some(Value::new(self.cx, place, node))
    }

    /// The value of `key`; a fault if it does not stand there.
    pub(super) fn need(&self, key: &str, expected: &str) -> Option<Value<'a>> {
        let value = self.get(key);
        if value.is_none() && !self.broken.get() {
            self.missing(key, expected);
        }
        value
    }

    /// Reports `key` as missing.
    pub(super) fn missing(&self, key: &str, expected: &str) {
        let place = self.place.inner(self.place.at, key, key);
        let expected = expected.to_owned();
        self.cx.report(&place, Problem::Missing { expected });
    }

    /// Reports what `key` says, or means by not standing there.
    pub(super) fn wrong(&self, key: &str, found: &str, expected: &str) {
        let place = match self.get(key) {
            Some(value) => value.place,
            None => self.place.inner(self.place.at, key, key),
        };
        let (found, expected) = (found.to_owned(), expected.to_owned());
        self.cx.report(&place, Problem::Wrong { found, expected });
    }

    /// What `read` makes of `key`'s value; `default` if there is none or it is at fault.
    pub(super) fn or<T>(
        &self,
        key: &str,
        default: T,
        read: impl FnOnce(&Value<'a>) -> Option<T>,
    ) -> T {
        self.get(key)
            .and_then(|value| read(&value))
            .unwrap_or(default)
    }

    /// The section `key`, empty if it does not stand there.
    pub(super) fn section(&self, key: &str) -> Self {
        match self.get(key) {
            Some(value) => value.map(),
            None => Self::empty(self.cx, self.place.inner(self.place.at, key, key)),
        }
    }

    /// The text of `key`, or of the file that `key_file` names.
    pub(super) fn text_or_file(&self, key: &str) -> Option<Text<'a>> {
        let file_key = format!("{key}_file");
        let (here, file) = (self.get(key), self.get(&file_key));
        match (here, file) {
            (Some(here), None) => here.text(),
            (None, Some(file)) => self.file_text(&file.text()?, file_key),
            (None, None) => None,
            (Some(_), Some(file)) => {
                let found = format!("`{key}` and `{file_key}`");
                let expected = "one of the two".to_owned();
                self.cx
                    .report(&file.place, Problem::Wrong { found, expected });
                None
            }
        }
    }

    fn file_text(&self, path: &Text<'a>, file_key: String) -> Option<Text<'a>> {
        let text = match read_bounded(&self.cx.resolve(path.as_str())) {
            Ok(text) => text,
            Err(error) => {
                path.wrong(
                    Some(&error),
                    "a file that can be read, with the value in it",
                );
                return None;
            }
        };
        let text = text.trim().to_owned();
        let origin = Origin::File {
            key: file_key,
            text: text.clone(),
        };
        Some(Text::new(self.cx, path.place.clone(), text, origin))
    }

    /// Whether `key` stands in the file.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.text == key)
    }

    /// Notes the keys of a list's items, which may not stand in this file, for the reference.
    pub(super) fn know_items(&self, list: &str, keys: &[&str]) {
        let at = self.place.at;
        let item = self.place.inner(at, list, list).item(at, 0);
        let keys = keys.iter().map(|key| item.inner(at, key, key).general);
        self.cx.known.borrow_mut().extend(keys);
    }

    /// Notes the keys of a named entry, which may not stand in this file, for the reference.
    pub(super) fn know_entry(&self, general: &str, keys: &[&str]) {
        let at = self.place.at;
        let entry = self.place.inner(at, general, general);
        let keys = keys.iter().map(|key| entry.inner(at, key, key).general);
        self.cx.known.borrow_mut().extend(keys);
    }

    /// The entries of a mapping whose keys are the operator's; `general` stands for them in the reference.
    pub(super) fn named(&self, general: &str) -> Vec<(Text<'a>, Value<'a>)> {
        let known = self.place.inner(self.place.at, general, general).general;
        self.cx.known.borrow_mut().insert(known);
        self.entries
            .iter()
            .map(|(key, node)| {
                let place = self.place.inner(key.at, &key.text, general);
                let name = Text::new(self.cx, place, key.text.clone(), Origin::Here);
                let place = self.place.inner(node.at, &key.text, general);
                (name, Value::new(self.cx, place, node))
            })
            .collect()
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(&self) {
        let asked = self.asked.borrow();
        for (key, _) in self.entries {
            if asked.contains(&key.text) {
                continue;
            }
            let suggestion = Suggestion::of(&key.text, asked.iter().map(String::as_str));
            let place = self.place.inner(key.at, &key.text, "");
            self.cx.report(&place, Problem::Unknown(suggestion));
        }
    }

    fn know(&self, key: &str) {
        let general = self.place.inner(self.place.at, key, key).general;
        self.cx.known.borrow_mut().insert(general);
        let mut asked = self.asked.borrow_mut();
        // Some are looked at twice, and told once.
        if !asked.iter().any(|known| known == key) {
            asked.push(key.to_owned());
        }
    }
}

impl Node {
    fn kind_is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }
}

/// What a node is, in words.
pub(super) fn shape(kind: &Kind) -> &'static str {
    match kind {
        Kind::Null => "nothing",
        Kind::Scalar(_) => "a single value",
        Kind::Sequence(_) => "a list",
        Kind::Mapping(_) => "keys with values",
    }
}

/// The text of a file that a key names.
pub(super) fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    let read = file.take(FILE_LIMIT + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read <= FILE_LIMIT) {
        return Ok(text);
    }
    Err(std::io::ErrorKind::FileTooLarge.into())
}
