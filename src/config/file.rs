//! The file's text: bounded, UTF-8.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::fault::{Finding, Position, Problem};
use super::yaml::SIZE_LIMIT;

/// Reads the file; a little more than is allowed, so that the parser can say that it is too large.
pub(super) fn read(path: &Path) -> Result<String, Finding> {
    let limit = u64::try_from(SIZE_LIMIT).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| finding(None, Problem::Unreadable(error.kind())))?;
    String::from_utf8(bytes).map_err(|error| {
        let (good, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + good.iter().rev().take_while(|byte| **byte != b'\n').count();
        let problem = Problem::Syntax {
            found: "bytes that are no UTF-8".to_owned(),
            expected: "save the file as UTF-8",
        };
        finding(Some(Position { line, column }), problem)
    })
}

fn finding(at: Option<Position>, problem: Problem) -> Finding {
    Finding {
        at,
        path: String::new(),
        problem,
    }
}
