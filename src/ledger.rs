//! Ledger: durable, once per order. Only this module knows the disk.

use std::path::PathBuf;

/// Where the ledger is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The SQLite file.
    pub path: PathBuf,
}
