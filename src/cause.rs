//! An error with its causes, on one line.

use std::error::Error;
use std::fmt;

/// Shows an error and everything below it. What was said already is not said again: some errors
/// say their cause themselves.
#[derive(Clone, Copy, Debug)]
pub struct Causes<'a>(pub &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        let mut below = self.0.source();
        while let Some(error) = below {
            let words = error.to_string();
            if !said.contains(&words) {
                said.push_str(": ");
                said.push_str(&words);
            }
            below = error.source();
        }
        f.write_str(&said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Layer {
        words: &'static str,
        source: Option<Box<Self>>,
    }

    #[test]
    fn each_cause_is_said_once() {
        let cases: [(&[&str], &str); 3] = [
            (&["no room"], "no room"),
            (&["cannot write", "no room"], "cannot write: no room"),
            (
                &["cannot write: no room", "no room", "disk 1"],
                "cannot write: no room: disk 1",
            ),
        ];
        for (layers, said) in cases {
            let mut error = None;
            for words in layers.iter().rev() {
                let source = error.take().map(Box::new);
                error = Some(Layer { words, source });
            }
            assert_eq!(Causes(&error.unwrap()).to_string(), said);
        }
    }
}
