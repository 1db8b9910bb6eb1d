//! What must outlive the process: the account, and each host's certificate with its key.
//!
//! `CACHE/DIRECTORY/account.json` and `CACHE/DIRECTORY/HOST.pem` (key, then chain), readable by
//! their owner only. Each authority has a folder of its own: a certificate for trying out must
//! never be taken for a real one.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use tracing::warn;

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made.
    #[error("the folder {path} cannot be made")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file in it cannot be read or written.
    #[error("{path} cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The account's file holds something else.
    #[error("{path} holds no account")]
    Account {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// The folder of one authority.
#[derive(Debug)]
pub(super) struct Cache(PathBuf);

impl Cache {
    pub(super) fn open(folder: &Path, directory: &str) -> Result<Self, Error> {
        let path = folder.join(name(directory));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        match made {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(Error::Folder { path, source }),
        }
    }

    /// Where the certificate of `host` is.
    pub(super) fn path(&self, host: &str) -> PathBuf {
        self.0.join(format!("{host}.pem"))
    }

    /// The certificate of `host`; none if there is no file.
    pub(super) fn certificate(&self, host: &str) -> Result<Option<Vec<u8>>, Error> {
        read(self.path(host))
    }

    pub(super) fn keep(&self, host: &str, pem: &str) -> Result<(), Error> {
        write(self.path(host), pem.as_bytes())
    }

    pub(super) fn account(&self) -> Result<Option<AccountCredentials>, Error> {
        let path = self.account_path();
        let Some(text) = read(path.clone())? else {
            return Ok(None);
        };
        match serde_json::from_slice(&text) {
            Ok(account) => Ok(Some(account)),
            Err(source) => Err(Error::Account { path, source }),
        }
    }

    pub(super) fn keep_account(&self, account: &AccountCredentials) -> Result<(), Error> {
        let path = self.account_path();
        match serde_json::to_vec(account) {
            Ok(text) => write(path, &text),
            Err(source) => Err(Error::Account { path, source }),
        }
    }

    /// The authority knows it no longer; kept beside, for whoever wants to look.
    pub(super) fn forget_account(&self) {
        let path = self.account_path();
        if let Err(error) = fs::rename(&path, path.with_extension("json.gone")) {
            warn!(%error, file = %path.display(), "could not put an account aside");
        }
    }

    fn account_path(&self) -> PathBuf {
        self.0.join("account.json")
    }
}

/// The directory's URL as the name of a folder.
fn name(directory: &str) -> String {
    let rest = directory
        .split_once("://")
        .map_or(directory, |(_, rest)| rest);
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    // Neither `..` nor a hidden one.
    rest.trim_matches(['/', '.']).chars().map(plain).collect()
}

fn read(path: PathBuf) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { path, source }),
    }
}

/// Whole or not at all, also where the power goes.
fn write(path: PathBuf, bytes: &[u8]) -> Result<(), Error> {
    let draft = path.with_extension("new");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&draft, &path));
    written.map_err(|source| Error::File { path, source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn each_authority_has_a_folder_of_its_own_beneath_the_cache() {
        for (directory, expected) in [
            (
                super::super::PRODUCTION,
                "acme-v02.api.letsencrypt.org-directory",
            ),
            ("https://localhost:14000/dir", "localhost-14000-dir"),
            ("https://ca.test/", "ca.test"),
            ("https://../..", ""),
        ] {
            assert_eq!(name(directory), expected, "{directory}");
        }
    }

    #[test]
    fn what_is_kept_is_the_owners_only() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("acme"), "https://ca.test/").unwrap();
        assert_eq!(cache.certificate("shop.test").unwrap(), None);
        for text in ["one", "two"] {
            cache.keep("shop.test", text).unwrap();
            assert_eq!(
                cache.certificate("shop.test").unwrap().unwrap(),
                text.as_bytes()
            );
        }
        for (path, mode) in [(cache.path("shop.test"), 0o600), (cache.0.clone(), 0o700)] {
            let about = fs::metadata(&path).unwrap();
            assert_eq!(about.permissions().mode() & 0o777, mode, "{path:?}");
        }
        assert_eq!(
            fs::read_dir(&cache.0).unwrap().count(),
            1,
            "no draft is left"
        );
    }

    #[test]
    fn a_file_that_holds_no_account_is_no_account() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path(), "https://ca.test/").unwrap();
        assert!(cache.account().unwrap().is_none());
        fs::write(cache.account_path(), "{}").unwrap();
        assert!(matches!(cache.account(), Err(Error::Account { .. })));
        cache.forget_account();
        assert!(cache.account().unwrap().is_none());
    }
}
