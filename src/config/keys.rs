//! The key file: what seals the cookies, readable by its owner only.
//!
//! One key a line, the newest first: the first seals, every one opens. Empty lines and
//! lines that begin with `#` are passed over.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::seal::{KEY_BYTES, KeyError, Keys};

/// Largest key file in bytes.
const LIMIT: u64 = 64 * 1024;

/// What to do where the key file is not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Make it: for `run`.
    Create,
    /// Use a key that is gone with the process: for `check`, `test` and `demo`.
    Pretend,
}

/// Where the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In this file, which is there.
    File(PathBuf),
    /// In this file, which is not there yet.
    New(PathBuf),
    /// They came from the environment.
    Given(usize),
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The file cannot be made.
    #[error("cannot be made: {0}")]
    Create(#[source] io::Error),
    /// Others than the owner may read or write it.
    #[error("its mode is {mode:04o}: others may read it; do `chmod 600 {}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is a folder, a device, or the like.
    #[error("it is no file")]
    NoFile,
    /// More than 64 KiB.
    #[error("it is larger than 64 KiB: no key file")]
    Large,
    /// What stands in it is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

impl Error {
    /// Whether the file is simply not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Read(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// A new key: 64 random bytes in hexadecimal.
///
/// # Errors
/// The system gives no random bytes.
pub fn create() -> Result<String, Error> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The keys of the file `path`.
///
/// # Errors
/// It is not there, not readable, readable by others, or holds something else than keys.
pub fn load(path: &Path) -> Result<Keys, Error> {
    let file = File::open(path).map_err(Error::Read)?;
    let about = file.metadata().map_err(Error::Read)?;
    if !about.is_file() {
        return Err(Error::NoFile);
    }
    let mode = about.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(Error::Open { path, mode });
    }
    if about.len() > LIMIT {
        return Err(Error::Large);
    }
    let mut text = String::new();
    file.take(LIMIT)
        .read_to_string(&mut text)
        .map_err(Error::Read)?;
    let lines = text.lines().map(str::trim);
    let keys = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(Keys::parse(keys)?)
}

/// The keys of the file `path`, which is made with one new key if it is not there.
///
/// It is whole from its first moment on: two processes that start at once end up with one key.
///
/// # Errors
/// As [`load`]; or it cannot be made.
pub fn load_or_create(path: &Path) -> Result<Keys, Error> {
    match load(path) {
        Err(error) if error.is_missing() => {}
        done => return done,
    }
    let key = create()?;
    let draft = draft_beside(path, &key);
    let made = write_new(&draft, &key).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    });
    let removed = fs::remove_file(&draft);
    made.and(removed).map_err(Error::Create)?;
    load(path)
}

fn write_new(path: &Path, key: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(
        file,
        "# refgate's key. Who has it can forge clicks: keep it, and keep it to yourself."
    )?;
    writeln!(file, "{key}")?;
    file.sync_all()
}

/// A name that no other process uses: the key's first digits tell it apart, and the file is gone at once.
fn draft_beside(path: &Path, key: &str) -> PathBuf {
    let some: String = key.chars().take(8).collect();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(
        ".{}.new",
        u32::from_str_radix(&some, 16).unwrap_or(0) % 1_000_000
    ));
    path.with_file_name(name)
}
