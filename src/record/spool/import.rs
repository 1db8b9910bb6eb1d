//! The import: what the spool holds goes into the ledger, once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ENDING, PURPOSE, Spool, make_dir, read_file, sync_dir};
use crate::ledger::{self, Entered, Ledger};
use crate::order::Candidate;

/// Most files of one import; the next one takes the rest.
const FILES: usize = 10_000;

/// What an import did.
#[derive(Debug, Default)]
pub struct Imported {
    /// Files entered and moved to `done/`, in the order of their times.
    pub entered: Vec<(PathBuf, Entered)>,
    /// Files that were left where they are.
    pub kept: Vec<(PathBuf, Fault)>,
    /// There are more files than one import takes.
    pub more: bool,
}

/// Why a file was left where it is.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Not sealed by one of our keys, changed since, or too long.
    #[error("it was not sealed by one of our keys, or was changed since")]
    Sealed,
    /// Sealed by us, but not an order as this refgate knows it.
    #[error("it holds no order that this refgate can read")]
    Content(#[source] serde_json::Error),
    /// It cannot be read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// Its order is in the ledger, but the file cannot be moved; importing it again is harmless.
    #[error("its order is entered, but it cannot be moved to done/")]
    Move(#[source] io::Error),
    /// The ledger did not take it. The import ended here.
    #[error("the ledger did not take it")]
    Ledger(#[source] ledger::Error),
}

/// Enters every order of the spool into `ledger`, and ends at the ledger's first fault.
/// May run beside a refgate that writes to the same spool.
///
/// # Errors
/// The directory is there and cannot be read.
pub async fn import(spool: &Spool, ledger: &Ledger) -> io::Result<Imported> {
    let mut files = list(&spool.dir)?;
    let mut imported = Imported {
        more: files.len() > FILES,
        ..Imported::default()
    };
    files.truncate(FILES);
    for path in files {
        let candidate = match read(spool, &path) {
            Ok(Some(candidate)) => candidate,
            Ok(None) => continue,
            Err(fault) => {
                imported.kept.push((path, fault));
                continue;
            }
        };
        match ledger.enter(candidate).await {
            Ok(entered) => match put_away(&spool.dir, &path) {
                Ok(()) => imported.entered.push((path, entered)),
                Err(error) => imported.kept.push((path, Fault::Move(error))),
            },
            Err(error) => {
                imported.kept.push((path, Fault::Ledger(error)));
                break;
            }
        }
    }
    Ok(imported)
}

/// The orders that wait in the spool and go by `id`, each with its file, in the order of their times.
///
/// It looks at as many files as one import takes; one that cannot be read is the import's to tell. Blocks on the disk.
///
/// # Errors
/// The directory is there and cannot be read.
pub fn waiting(spool: &Spool, id: &str) -> io::Result<Vec<(PathBuf, Candidate)>> {
    let files = list(&spool.dir)?.into_iter().take(FILES);
    let held = files.filter_map(|path| {
        let candidate = read(spool, &path).ok().flatten()?;
        candidate.order.goes_by(id).then_some((path, candidate))
    });
    Ok(held.collect())
}

/// The files in the order of their times; none where there is no directory.
pub(super) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// None: the file went away since, its order being in the ledger after all.
fn read(spool: &Spool, path: &Path) -> Result<Option<Candidate>, Fault> {
    let text = match read_file(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Fault::Read(error)),
    };
    let json = text.and_then(|text| spool.keys.open(PURPOSE, text.trim()));
    let json = json.ok_or(Fault::Sealed)?;
    serde_json::from_str(&json)
        .map(Some)
        .map_err(Fault::Content)
}

fn put_away(dir: &Path, path: &Path) -> io::Result<()> {
    let done = dir.join("done");
    make_dir(&done)?;
    let name = path.file_name().unwrap_or_default();
    match fs::rename(path, done.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        moved => moved?,
    }
    sync_dir(&done)?;
    sync_dir(dir)
}
