//! A path with named segments, and matching one against decoded segments.

use std::fmt;
use std::str::FromStr;

use crate::observe::target;

/// Longest pattern in bytes.
const LIMIT: usize = 1024;

/// A path with named segments: `/orders/{order_id}/done`, `/shop/*`, `/a/**`.
///
/// A segment is a text to be met exactly, `{name}` or `*` (one segment that is
/// not empty), or, at the end, `**` (any number of segments, also none). It is
/// compared with the decoded path; a slash at the end counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Exact(String),
    Named(String),
    Any,
    Rest,
}

/// Why a text is no path pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// More than [`LIMIT`] bytes.
    #[error("a path longer than {LIMIT} bytes")]
    Long,
    /// It does not begin with a slash.
    #[error("a path begins with '/'")]
    NoSlash,
    /// A query or fragment follows.
    #[error("{0:?} in a path: what must be in the query belongs under query")]
    Query(char),
    /// A percent sign: the pattern is compared with the decoded path.
    #[error(
        "'%' in a path: write the character itself, paths are decoded before they are compared"
    )]
    Percent,
    /// A character that makes a path ambiguous, so that no such path is ever watched.
    #[error("{0:?} in a path: such a path is ambiguous and never watched")]
    Ambiguous(char),
    /// An empty segment, `.` or `..`.
    #[error("the segment {0:?} in a path: such a path is ambiguous and never watched")]
    Dots(String),
    /// `**` before the end.
    #[error("'**' stands only at the end of a path")]
    RestInside,
    /// A brace or star as part of a segment.
    #[error("the segment {0:?}: '{{name}}', '*' and '**' stand for whole segments")]
    Part(String),
    /// A name that is no identifier.
    #[error("the name {0:?} of a segment: letters, digits and '_' are allowed")]
    Name(String),
    /// One name for two segments.
    #[error("the name {0:?} for two segments")]
    Twice(String),
}

impl FromStr for PathPattern {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.len() > LIMIT {
            return Err(PathError::Long);
        }
        let inner = text.strip_prefix('/').ok_or(PathError::NoSlash)?;
        check_characters(inner)?;
        let texts: Vec<&str> = inner.split('/').collect();
        let last = texts.len() - 1;
        let mut segments = Vec::with_capacity(texts.len());
        for (at, text) in texts.into_iter().enumerate() {
            let segment = parse_segment(text, at == last)?;
            if let Segment::Named(name) = &segment
                && segments.contains(&segment)
            {
                return Err(PathError::Twice(name.clone()));
            }
            segments.push(segment);
        }
        Ok(Self(segments))
    }
}

fn check_characters(text: &str) -> Result<(), PathError> {
    for c in text.chars() {
        match c {
            '?' | '#' => return Err(PathError::Query(c)),
            '%' => return Err(PathError::Percent),
            ';' | '\\' => return Err(PathError::Ambiguous(c)),
            _ if c.is_control() => return Err(PathError::Ambiguous(c)),
            _ => {}
        }
    }
    Ok(())
}

fn parse_segment(text: &str, is_last: bool) -> Result<Segment, PathError> {
    match text {
        "" if is_last => return Ok(Segment::Exact(String::new())),
        "" | "." | ".." => return Err(PathError::Dots(text.to_owned())),
        "*" => return Ok(Segment::Any),
        "**" if is_last => return Ok(Segment::Rest),
        "**" => return Err(PathError::RestInside),
        _ => {}
    }
    if let Some(name) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(PathError::Name(name.to_owned()));
        }
        return Ok(Segment::Named(name.to_owned()));
    }
    if text.contains(['{', '}', '*']) {
        return Err(PathError::Part(text.to_owned()));
    }
    Ok(Segment::Exact(text.to_owned()))
}

impl PathPattern {
    /// The names of its segments, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Named(name) => Some(name.as_str()),
            Segment::Exact(_) | Segment::Any | Segment::Rest => None,
        })
    }

    /// The segments in front that are texts to be met exactly: what an index goes by.
    pub(crate) fn fixed(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map_while(|segment| match segment {
            Segment::Exact(text) => Some(text.as_str()),
            Segment::Named(_) | Segment::Any | Segment::Rest => None,
        })
    }

    /// Whether it means this path, as sent; of one that can be read in several ways also by the
    /// most lenient reading.
    pub fn may_mean(&self, path: &str) -> bool {
        match target::segments(path) {
            Some(segments) => self.matches(&segments).is_some(),
            None => self.matches(&target::guess(path)).is_some(),
        }
    }

    /// What the named segments are, if the decoded `segments` of a path match.
    pub(crate) fn matches<S: AsRef<str>>(&self, segments: &[S]) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        let mut rest = segments.iter().map(AsRef::as_ref);
        for segment in &self.0 {
            if *segment == Segment::Rest {
                return Some(found);
            }
            let text = rest.next()?;
            match segment {
                Segment::Exact(exact) if exact == text => {}
                Segment::Any if !text.is_empty() => {}
                Segment::Named(name) if !text.is_empty() => {
                    found.push((name.clone(), text.to_owned()));
                }
                _ => return None,
            }
        }
        rest.next().is_none().then_some(found)
    }
}

/// Whether a request's path, as sent, is one of these; an ambiguous one is none.
pub fn is_one_of(path: &str, patterns: &[PathPattern]) -> bool {
    let Some(segments) = target::segments(path) else {
        return false;
    };
    let matches = |pattern: &PathPattern| pattern.matches(&segments).is_some();
    patterns.iter().any(matches)
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.0 {
            match segment {
                Segment::Exact(text) => write!(f, "/{text}")?,
                Segment::Named(name) => write!(f, "/{{{name}}}")?,
                Segment::Any => f.write_str("/*")?,
                Segment::Rest => f.write_str("/**")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
        let segments: Vec<&str> = path.strip_prefix('/').unwrap().split('/').collect();
        pattern.parse::<PathPattern>().unwrap().matches(&segments)
    }

    #[test]
    fn a_pattern_matches_whole_segments() {
        let cases = [
            ("/", "/", true),
            ("/", "/a", false),
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/b/", false),
            ("/a/b/", "/a/b/", true),
            ("/a/b/", "/a/b", false),
            ("/a/*", "/a/x", true),
            ("/a/*", "/a/", false),
            ("/a/*", "/a/x/y", false),
            ("/a/**", "/a", true),
            ("/a/**", "/a/", true),
            ("/a/**", "/a/x/y/z", true),
            ("/a/**", "/b", false),
            ("/**", "/anything/at/all", true),
            ("/kasse/bestätigt", "/kasse/bestätigt", true),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(
                matches(pattern, path).is_some(),
                expected,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn a_path_as_sent_is_read_as_the_most_lenient_shop_would() {
        let pattern: PathPattern = "/admin/**".parse().unwrap();
        for path in [
            "/admin",
            "/admin/",
            "/admin/x%20y",
            "/x/../admin/y",
            "//admin/x",
            "/%61dmin/",
        ] {
            assert!(pattern.may_mean(path), "{path}");
        }
        assert!(!pattern.may_mean("/administration"));
    }

    #[test]
    fn named_segments_are_read() {
        let found = matches("/{locale}/orders/{order_id}/done", "/de/orders/R 17/done").unwrap();
        let expected = [("locale", "de"), ("order_id", "R 17")];
        assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert!(matches("/orders/{order_id}/done", "/orders//done").is_none());
    }

    #[test]
    fn what_could_never_match_is_refused() {
        let refused = [
            ("checkout", PathError::NoSlash),
            ("", PathError::NoSlash),
            ("/a?b", PathError::Query('?')),
            ("/a%20b", PathError::Percent),
            ("/a;b", PathError::Ambiguous(';')),
            ("/a\\b", PathError::Ambiguous('\\')),
            ("/a//b", PathError::Dots(String::new())),
            ("/a/../b", PathError::Dots("..".into())),
            ("/**/b", PathError::RestInside),
            ("/a-{id}", PathError::Part("a-{id}".into())),
            ("/{order-id}", PathError::Name("order-id".into())),
            ("/{}", PathError::Name(String::new())),
            ("/{a}/{a}", PathError::Twice("a".into())),
        ];
        for (text, error) in refused {
            assert_eq!(text.parse::<PathPattern>(), Err(error), "{text}");
        }
        assert_eq!(
            "/a".repeat(600).parse::<PathPattern>(),
            Err(PathError::Long)
        );
    }

    #[test]
    fn a_path_as_sent_is_one_of_several_if_it_is_clear() {
        let patterns =
            ["/cart", "/kasse/best\u{e4}tigt", "/checkout/*"].map(|it| it.parse().unwrap());
        for path in ["/cart", "/checkout/pay", "/kasse/best%C3%A4tigt"] {
            assert!(is_one_of(path, &patterns), "{path}");
        }
        for path in [
            "/cart/",
            "/checkout",
            "/checkout/%2e",
            "/x//cart",
            "/checkout/a/b",
            "*",
        ] {
            assert!(!is_one_of(path, &patterns), "{path}");
        }
    }

    #[test]
    fn a_pattern_prints_as_written() {
        for text in ["/", "/a/{b}/c/", "/shop/*/**"] {
            assert_eq!(text.parse::<PathPattern>().unwrap().to_string(), text);
        }
    }
}
