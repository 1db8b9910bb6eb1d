//! One value of the file, read as what its key expects.

use std::error::Error;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::expand::{self, expand};
use super::fault::Problem;
use super::reader::{Context, Map, Place, shape};
use super::text::{Origin, Text};
use super::units;
use super::yaml::{Kind, Node};

/// Longest duration that is no slip of the pen.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

/// A value and where it stands.
pub(super) struct Value<'a> {
    pub(super) cx: &'a Context<'a>,
    pub(super) place: Place,
    node: &'a Node,
}

impl<'a> Value<'a> {
    pub(super) fn new(cx: &'a Context<'a>, place: Place, node: &'a Node) -> Self {
        Self { cx, place, node }
    }

    /// As a single value, variables replaced.
    pub(super) fn text(&self) -> Option<Text<'a>> {
        let Kind::Scalar(raw) = &self.node.kind else {
            self.shape("a single value");
            return None;
        };
        let text = |text, origin| Text::new(self.cx, self.place.clone(), text, origin);
        match expand(raw, self.cx.env) {
            Ok(expanded) if expanded.from.is_empty() => Some(text(expanded.text, Origin::Here)),
            Ok(expanded) => Some(text(expanded.text, Origin::Variables(expanded.from))),
            Err(expand::Error::Unset(variable)) => {
                self.cx.report(&self.place, Problem::Unset { variable });
                None
            }
            Err(error) => {
                let raw = text(raw.clone(), Origin::Here);
                raw.wrong(
                    Some(&error),
                    "${VAR}, ${VAR:-default}, or $${ for a plain \"${\"",
                );
                None
            }
        }
    }

    /// As a mapping; an empty one, and a fault, if it is none.
    pub(super) fn map(&self) -> Map<'a> {
        Map::of(self.cx, self.place.clone(), self.node)
    }

    /// As a mapping, named `general` in the reference however it is written; an empty one where a
    /// single value stands for the whole.
    pub(super) fn map_or_short(&self, general: &str) -> Map<'a> {
        let place = Place {
            general: general.to_owned(),
            ..self.place.clone()
        };
        match self.node.kind {
            Kind::Scalar(_) => Map::empty(self.cx, place),
            _ => Map::of(self.cx, place, self.node),
        }
    }

    /// Whether it is a mapping.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.kind, Kind::Mapping(_))
    }

    /// Whether it is more than a single value.
    pub(super) fn is_nested(&self) -> bool {
        !matches!(self.node.kind, Kind::Scalar(_))
    }

    /// The items of a list, or the one value.
    pub(super) fn one_or_many(&self) -> Vec<Self> {
        match &self.node.kind {
            Kind::Sequence(_) => self.list(),
            _ => vec![Self::new(self.cx, self.place.clone(), self.node)],
        }
    }

    /// The items of a list.
    pub(super) fn list(&self) -> Vec<Self> {
        let Kind::Sequence(items) = &self.node.kind else {
            self.shape("a list");
            return Vec::new();
        };
        let item =
            |(n, node): (usize, &'a Node)| Value::new(self.cx, self.place.item(node.at, n), node);
        items.iter().enumerate().map(item).collect()
    }

    pub(super) fn parse<T>(&self, expected: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Error,
    {
        self.text()?.parse(expected)
    }

    /// As [`parse`](Self::parse) for what may be seen; see [`Text::make_plain`].
    pub(super) fn parse_plain<T>(&self, expected: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Error,
    {
        self.text()?.make_plain(T::from_str, expected)
    }

    pub(super) fn one_of<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        self.text()?.one_of(words)
    }

    pub(super) fn flag(&self) -> Option<bool> {
        self.one_of(&[("true", true), ("false", false)])
    }

    /// Any text but an empty one.
    pub(super) fn words(&self) -> Option<String> {
        let text = self.text()?;
        if text.as_str().is_empty() {
            text.wrong(None, "a text that is not empty");
            return None;
        }
        Some(text.free())
    }

    pub(super) fn count(&self, range: RangeInclusive<usize>) -> Option<usize> {
        let (least, most) = (range.start(), range.end());
        let expected = format!("a whole number from {least} to {most}");
        let within = |text: &str| text.parse().ok().filter(|n| range.contains(n)).ok_or("");
        self.bounded(within, &expected)
    }

    pub(super) fn duration(&self) -> Option<Duration> {
        self.duration_from(Duration::from_millis(1))
    }

    pub(super) fn duration_from(&self, least: Duration) -> Option<Duration> {
        let range = least..=LONGEST;
        let within = |text: &str| {
            units::duration(text)
                .filter(|d| range.contains(d))
                .ok_or("")
        };
        let least = units::shown(least);
        let expected = format!("a duration from {least} to 400d, like 500ms, 30s, 5m, 6h or 30d");
        self.bounded(within, &expected)
    }

    pub(super) fn size(&self, range: RangeInclusive<usize>) -> Option<usize> {
        let least = units::shown_size(*range.start());
        let most = units::shown_size(*range.end());
        let within = |text: &str| units::size(text).filter(|n| range.contains(n)).ok_or("");
        let expected = format!("a size from {least} to {most}, like 64KiB or 2MiB");
        self.bounded(within, &expected)
    }

    fn bounded<T>(
        &self,
        read: impl FnOnce(&str) -> Result<T, &'static str>,
        expected: &str,
    ) -> Option<T> {
        let text = self.text()?;
        let value = read(text.as_str()).ok();
        if value.is_none() {
            text.wrong(None, expected);
        }
        value
    }

    /// Reports it as something else than expected; `found` must show nothing secret.
    pub(super) fn wrong(&self, found: &str, expected: &str) {
        let (found, expected) = (found.to_owned(), expected.to_owned());
        self.cx
            .report(&self.place, Problem::Wrong { found, expected });
    }

    fn shape(&self, expected: &str) {
        self.wrong(shape(&self.node.kind), expected);
    }
}
