//! The project's own Rust sources, for the tests that read them.

use std::fs;
use std::path::{Path, PathBuf};

/// One source file: its path below `src/`, and its text.
pub(crate) struct Source {
    /// `ledger/sqlite.rs`
    pub(crate) path: PathBuf,
    /// All of it.
    pub(crate) text: String,
}

impl Source {
    /// The module of lib.rs that it belongs to: `ledger` for `ledger.rs` and `ledger/sqlite.rs`.
    pub(crate) fn module(&self) -> String {
        let first = self.path.iter().next().unwrap_or_default();
        Path::new(first)
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// The lines before the unit tests, without comments.
    pub(crate) fn code(&self) -> String {
        self.text
            .lines()
            .take_while(|line| line.trim() != "#[cfg(test)]")
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Every `.rs` file below `src/`, sorted.
pub(crate) fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                let path = path.strip_prefix(&root).expect("below src").to_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
