//! Configurations to load: the shipped one, pieces laid over it, files in a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};

use refgate::config::keys::Missing;
use refgate::config::{self, Faults, Loaded};
use tempfile::TempDir;

/// The project's folder.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of the shipped configuration.
pub(crate) fn shipped() -> String {
    fs::read_to_string(project().join("proxy.yaml")).unwrap()
}

/// A folder with a `proxy.yaml` in it.
pub(crate) struct Folder {
    dir: TempDir,
    env: Vec<(String, String)>,
}

impl Folder {
    pub(crate) fn with(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("proxy.yaml"), text).unwrap();
        Self {
            dir,
            env: Vec::new(),
        }
    }

    /// Sets a variable for this configuration only.
    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    pub(crate) fn load(&self, missing: Missing) -> Result<Loaded, Faults> {
        let env = |name: &str| {
            let found = self.env.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        config::load(&self.path("proxy.yaml"), &env, missing)
    }

    /// The faults without the folder's name; empty if there are none.
    pub(crate) fn faults(&self) -> String {
        match self.load(Missing::Pretend) {
            Ok(_) => String::new(),
            Err(faults) => faults
                .to_string()
                .replace(&format!("{}/", self.dir.path().display()), ""),
        }
    }

    pub(crate) fn loaded(&self) -> Loaded {
        let loaded = self.load(Missing::Pretend);
        loaded.map_err(|faults| faults.to_string()).unwrap()
    }
}

/// The shipped configuration with the top-level keys of `piece` in place of its own.
pub(crate) fn shipped_with(piece: &str) -> String {
    over(&shipped(), piece)
}

/// A configuration with the top-level keys of `piece` in place of its own.
pub(crate) fn over(base: &str, piece: &str) -> String {
    let pieces = sections(piece);
    let mut whole: Vec<String> = sections(base)
        .into_iter()
        .filter(|(key, _)| !pieces.iter().any(|(own, _)| own == key))
        .map(|(_, text)| text)
        .collect();
    whole.push(piece.to_owned());
    whole.join("\n")
}

/// The top-level keys of a block-style file, each with its text.
fn sections(text: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let begins = line.starts_with(|c: char| c.is_ascii_alphabetic());
        match line.split_once(':') {
            Some((key, _)) if begins => sections.push((key.to_owned(), line.to_owned())),
            _ => {
                if let Some((_, text)) = sections.last_mut() {
                    text.push('\n');
                    text.push_str(line);
                }
            }
        }
    }
    sections
}
