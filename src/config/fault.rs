//! What is wrong with a configuration, in words for the operator.
//!
//! Invariant: a value that came from a variable or a file stands in no finding.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::inert::inert;

/// Where something stands in the file, both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column } = self;
        write!(f, "{line}:{column}")
    }
}

/// What was found at one place of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where; none if it is about the file as a whole.
    pub at: Option<Position>,
    /// The way through the YAML: `networks.aspire.click.affiliate_id.pattern`, `rules[0].when`.
    pub path: String,
    /// What it is.
    pub problem: Problem,
}

/// What can be wrong at one place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot be read: {}", why(*.0))]
    Unreadable(std::io::ErrorKind),
    /// The file is no YAML, or uses what a configuration needs none of.
    #[error("{found}; {expected}")]
    Syntax {
        /// The parser's words.
        found: String,
        /// What to write instead.
        expected: &'static str,
    },
    /// A key that stands twice in one mapping.
    #[error("this key stands here already, at line {first}; keep one of them")]
    Duplicate {
        /// The line of the first.
        first: usize,
    },
    /// A key that nobody reads.
    #[error("unknown key; {0}")]
    Unknown(Suggestion),
    /// A key without which nothing can be done.
    #[error("missing; expected {expected}")]
    Missing {
        /// What would stand there.
        expected: String,
    },
    /// A value that is not what is expected.
    #[error("found {found}; expected {expected}")]
    Wrong {
        /// The value, or where it came from, with the reason if there is one.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A variable that is not set.
    #[error(
        "found ${{{variable}}}, but the environment has no value for it; \
         set it, or write ${{{variable}:-DEFAULT}}"
    )]
    Unset {
        /// Its name.
        variable: String,
    },
    /// Possible, but probably not what was meant. The only problem that does not keep us from starting.
    #[error("{0}")]
    Odd(String),
}

/// What may have been meant by an unknown word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suggestion {
    /// One that looks alike.
    Meant(String),
    /// All that there are.
    Known(Vec<String>),
}

/// The system's words for a missing file are not everybody's.
fn why(kind: std::io::ErrorKind) -> String {
    match kind {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        other => other.to_string(),
    }
}

impl Suggestion {
    /// The one of `known` that looks most like `word`, or all of them.
    pub(super) fn of<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let distance = |name: &&&str| strsim::damerau_levenshtein(word, name);
        let nearest = known.iter().min_by_key(distance);
        let near = |name: &&&str| distance(name) <= 1 + word.chars().count() / 4;
        let longer =
            |name: &&&str| word.len() > 2 && (name.contains(word) || word.contains(**name));
        match nearest.filter(near).or_else(|| known.iter().find(longer)) {
            Some(name) => Self::Meant((*name).to_owned()),
            None => Self::Known(known.into_iter().map(str::to_owned).collect()),
        }
    }
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Meant(name) => write!(f, "did you mean `{name}`?"),
            Self::Known(names) if names.is_empty() => f.write_str("there is none"),
            Self::Known(names) => write!(f, "known here: {}", names.join(", ")),
        }
    }
}

impl Finding {
    pub(super) fn is_odd(&self) -> bool {
        matches!(self.problem, Problem::Odd(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "{at}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", inert(&self.path))?;
        }
        f.write_str(&inert(&self.problem.to_string()))
    }
}

/// Everything that is wrong with one file, from its first line to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    file: PathBuf,
    findings: Vec<Finding>,
}

impl Faults {
    pub(super) fn new(file: &Path, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.at);
        findings.dedup();
        let file = file.to_owned();
        Self { file, findings }
    }

    /// The faults, sorted by position; never empty.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, finding) in self.findings.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            let between = if finding.at.is_some() { ":" } else { ": " };
            write!(f, "{}{between}{finding}", self.file.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_looks_alike_is_suggested() {
        let known = ["hosts", "upstream", "max_amount"];
        let suggestion = |word| Suggestion::of(word, known).to_string();
        assert_eq!(suggestion("upsteam"), "did you mean `upstream`?");
        assert_eq!(suggestion("host"), "did you mean `hosts`?");
        assert_eq!(suggestion("amount"), "did you mean `max_amount`?");
        assert_eq!(
            suggestion("color"),
            "known here: hosts, upstream, max_amount"
        );
    }
}
