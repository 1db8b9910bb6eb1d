//! The spool: where an order goes when the ledger does not take it.
//!
//! One file per order, `TIME-RANDOM.order`, holding the candidate as JSON in a sealed
//! envelope, written beside, synced and then renamed, so that no half file has that name.
//! `import` enters them in the order of their times and moves each to `done/`; entering
//! one twice changes nothing but the count of its sightings.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::clock::Time;
use crate::order::Candidate;
use crate::seal::Keys;

mod import;

pub use import::{Fault, Imported, import, waiting};

/// What the envelopes are sealed for; the number is the form's version.
const PURPOSE: &str = "refgate.order.1";

/// How the files' names end.
const ENDING: &str = "order";

/// Longest file in bytes, written or read.
pub const FILE_LIMIT: usize = 1024 * 1024;

/// The spool's directory, with the keys that seal its files.
#[derive(Clone, Debug)]
pub struct Spool {
    dir: PathBuf,
    keys: Keys,
}

/// Why an order is not in the spool.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not become JSON.
    #[error("the order cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The sealed order is longer than [`FILE_LIMIT`].
    #[error("the order is longer than {FILE_LIMIT} bytes")]
    Long,
    /// The system gives no random number.
    #[error("no random number")]
    Random(#[source] getrandom::Error),
    /// The disk is full, the directory cannot be written …
    #[error("cannot write {path}")]
    Io {
        /// What could not be written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Spool {
    /// The spool in `dir`, which is made when it is first needed.
    pub const fn new(dir: PathBuf, keys: Keys) -> Self {
        Self { dir, keys }
    }

    /// The order as its file holds it: a line of base64.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::Long`].
    pub fn seal(&self, candidate: &Candidate) -> Result<String, Error> {
        let json = serde_json::to_string(candidate)?;
        let sealed = self.keys.seal(PURPOSE, &json);
        if sealed.len() >= FILE_LIMIT {
            return Err(Error::Long);
        }
        Ok(sealed)
    }

    /// Writes a sealed order, durably. Blocks on the disk.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Random`].
    pub fn write(&self, sealed: &str, at: Time) -> Result<PathBuf, Error> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        let random = getrandom::u64().map_err(Error::Random)?;
        // Thirteen digits until the year 2286, so names sort by time.
        let name = format!("{:013}-{random:016x}", at.millis());
        let part = self.dir.join(format!("{name}.part"));
        let path = self.dir.join(format!("{name}.{ENDING}"));
        make_dir(&self.dir).map_err(io(&self.dir))?;
        let written = write_new(&part, sealed).and_then(|()| fs::rename(&part, &path));
        if let Err(source) = written {
            // Best effort: an unfinished file is never imported.
            drop(fs::remove_file(&part));
            return Err(Error::Io { path: part, source });
        }
        sync_dir(&self.dir).map_err(io(&self.dir))?;
        Ok(path)
    }

    /// How many orders wait to be imported. Blocks on the disk.
    ///
    /// # Errors
    /// The directory is there and cannot be read.
    pub fn waiting(&self) -> io::Result<usize> {
        Ok(import::list(&self.dir)?.len())
    }

    /// Removes a file whose order is in the ledger after all.
    ///
    /// # Errors
    /// The file is there and cannot be removed.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

/// A new directory's own entry must be on disk too, or its first file is not.
fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    match dir.parent() {
        Some(parent) if parent != Path::new("") => sync_dir(parent),
        _ => sync_dir(Path::new(".")),
    }
}

fn write_new(path: &Path, sealed: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(sealed.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// A file's text, if it is not longer than one of ours can be.
fn read_file(path: &Path) -> io::Result<Option<String>> {
    let limit = u64::try_from(FILE_LIMIT).unwrap_or(u64::MAX);
    let mut text = Vec::new();
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut text)?;
    if text.len() > FILE_LIMIT {
        return Ok(None);
    }
    Ok(String::from_utf8(text).ok())
}
