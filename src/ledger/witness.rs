//! The witness: what this process has seen of its ledger, in a file beside the spool. By it a ledger is known again
//! that is new where one was, or older than it was.
//!
//! It says which ledger it was, how often it was run on, its newest attempt, order and change. The file is written when
//! a ledger was compared with it and before anything is sent, at most every second while there is something new, and at
//! the end. A running process has it in memory to the last order: so a database that lost the newest commits in a
//! failover is found out by whoever had made one of them. What the file cannot show: commits of the last second before
//! a process died together with its database; and, where it is new, anything.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::cause::Causes;
use crate::clock::Time;
use crate::order::OrderKey;
use crate::postback::{AttemptId, PostbackId};

/// Longest file in bytes.
const LIMIT: u64 = 16 * 1024;

/// What a ledger shows of its age.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// `ledger_id`.
    pub(super) ledger: String,
    /// When somebody last said that it is right as it stands; in milliseconds.
    pub(super) accepted: i64,
    /// How often it was run on.
    pub(super) runs: i64,
    /// The number of its newest change.
    pub(super) changes: i64,
    /// Its newest attempt.
    pub(super) attempt: Option<Begun>,
    /// Its newest order.
    pub(super) order: Option<OrderKey>,
}

/// An attempt, so that another one of the same number is told from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) id: AttemptId,
    pub(super) postback: PostbackId,
    pub(super) at: Time,
}

/// What was seen, and when that was last so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) at: Time,
    pub(super) facts: Facts,
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// There is none: nothing was seen yet.
    Nothing,
    /// This was seen.
    Seen(Seen),
    /// It cannot be read, for this reason.
    Unreadable(String),
}

/// The file, and what is in memory of it.
#[derive(Debug)]
pub(super) struct Witness {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    told: Told,
    /// Whether the file is older than this.
    stale: bool,
    /// Whether the ledger is not accepted: then what was seen stays as it was.
    held: bool,
    /// Whether the last write failed, which was told.
    failed: bool,
}

impl Witness {
    /// Reads the file, if there is one.
    pub(super) fn at(path: PathBuf) -> Self {
        let told = read(&path);
        let state = State {
            told,
            stale: false,
            held: false,
            failed: false,
        };
        Self {
            path,
            state: Mutex::new(state),
        }
    }

    pub(super) fn told(&self) -> Told {
        self.lock().told.clone()
    }

    /// Keeps what was seen as it is, until a ledger is taken for the right one.
    pub(super) fn doubt(&self) {
        self.lock().held = true;
    }

    /// Goes by this ledger from now on, as it stands.
    pub(super) fn trust(&self, facts: Facts, now: Time) {
        let mut state = self.lock();
        let seen = Seen { at: now, facts };
        state.held = false;
        let same = |before: &Seen| before.facts == seen.facts;
        if !matches!(&state.told, Told::Seen(before) if same(before)) {
            state.stale = true;
        }
        state.told = Told::Seen(seen);
    }

    /// An attempt began; it is on disk.
    pub(super) fn begun(&self, begun: Begun) {
        self.note(begun.at, |facts| {
            if facts.attempt.is_none_or(|before| before.id < begun.id) {
                facts.attempt = Some(begun);
            }
        });
    }

    /// An order was entered; it is on disk.
    pub(super) fn entered(&self, order: &OrderKey, at: Time) {
        self.note(at, |facts| facts.order = Some(order.clone()));
    }

    fn note(&self, at: Time, note: impl FnOnce(&mut Facts)) {
        let mut state = self.lock();
        if state.held {
            return;
        }
        if let Told::Seen(seen) = &mut state.told {
            note(&mut seen.facts);
            seen.at = seen.at.max(at);
            state.stale = true;
        }
    }

    /// Writes the file if there is anything new. Blocks on the disk. That it cannot is told once.
    pub(super) fn write(&self) {
        let seen = {
            let mut state = self.lock();
            if state.held || !state.stale {
                return;
            }
            let Told::Seen(seen) = &state.told else {
                return;
            };
            let seen = seen.clone();
            state.stale = false;
            seen
        };
        let written = write(&self.path, &seen);
        let mut state = self.lock();
        let failed = written.is_err();
        state.stale |= failed;
        if let Err(error) = written
            && !state.failed
        {
            let (file, error) = (self.path.display().to_string(), Causes(&error).to_string());
            tracing::error!(
                file,
                error,
                "the ledger's witness cannot be written: should the ledger be replaced by an older one, nobody would notice"
            );
        }
        state.failed = failed;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.write();
    }
}

fn read(path: &Path) -> Told {
    let text = match read_bounded(path) {
        Ok(text) => text,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Told::Nothing;
        }
        Err(error) => return Told::Unreadable(error.to_string()),
    };
    match serde_json::from_str(&text) {
        Ok(seen) => Told::Seen(seen),
        Err(error) => Told::Unreadable(error.to_string()),
    }
}

fn read_bounded(path: &Path) -> io::Result<String> {
    use io::Read as _;
    let mut text = String::new();
    File::open(path)?.take(LIMIT).read_to_string(&mut text)?;
    Ok(text)
}

/// Written beside, synced and renamed: a power loss leaves the one or the other.
fn write(path: &Path, seen: &Seen) -> io::Result<()> {
    let text = serde_json::to_string(seen)?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let draft = path.with_extension("part");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}
