//! A configuration to fuzz with: one network, and rules with every kind of source.

use std::path::PathBuf;

use refgate::config::keys::Missing;
use refgate::config::{self, Loaded, Settings};
use refgate::seal::KEY_BYTES;
use tempfile::TempDir;

/// What the variable `SECRET` holds.
pub const SECRET: &str = "s3cr3t-value";

/// A folder in memory, where there is one: files are written many thousand times.
pub fn folder() -> TempDir {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    tempfile::tempdir_in(place).expect("a folder")
}

/// The configuration that `text` is.
///
/// # Errors
/// Its faults.
///
/// # Panics
/// When the disk is full.
pub fn load(folder: &TempDir, text: &[u8]) -> Result<Loaded, config::Faults> {
    let path = folder.path().join("proxy.yaml");
    std::fs::write(&path, text).expect("the file is written");
    let variables = |name: &str| match name {
        "SECRET" => Some(SECRET.to_owned()),
        "KEY" => Some("5a".repeat(KEY_BYTES)),
        _ => None,
    };
    config::load(&path, &variables, Missing::Pretend)
}

/// What `settings.yaml` says.
pub fn settings() -> Settings {
    let text = include_str!("settings.yaml");
    match load(&folder(), text.as_bytes()) {
        Ok(loaded) => loaded.settings,
        Err(faults) => panic!("{faults}"),
    }
}
