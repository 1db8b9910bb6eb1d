//! The owner: at most one `run` on a ledger.
//!
//! An advisory lock on a file beside the ledger, held while the ledger is open
//! and let go by the system when the process ends, however it ends. The file
//! stays; it holds the owner's process id for the words of a refusal.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{Error, Owner};

/// Most of a lock file that is read.
const READ_LIMIT: u64 = 32;

/// The lock; dropping it lets the ledger go.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, never read")] File);

/// Makes this process the owner of the ledger at `ledger`.
///
/// # Errors
/// [`Error::InUse`] if another one is, [`Error::Io`] if the file cannot be used.
pub(super) fn own(ledger: &Path) -> Result<Lock, Error> {
    let path = lock_path(ledger);
    let io = |source| Error::Io {
        path: path.clone(),
        source: Arc::new(source),
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let owner = Owner(read_pid(&mut file));
            return Err(Error::InUse {
                path: ledger.to_owned(),
                owner,
            });
        }
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    // A full disk must not keep the ledger from opening for want of a pid.
    let written = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(error) = written {
        tracing::debug!(%error, "no process id in the lock file");
    }
    Ok(Lock(file))
}

fn lock_path(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(READ_LIMIT).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
