//! The operator's listener: an address, or a Unix socket that only its owner (and group) may open.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::settings::{Address, Settings};

/// A listener, with who may come by it.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: Socket,
    pub(super) settings: Settings,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, File),
}

/// The socket's file; it goes with the listener, unless another one has taken its place.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    inode: u64,
}

impl Drop for File {
    fn drop(&mut self) {
        let is_ours = fs::metadata(&self.path).is_ok_and(|about| about.ino() == self.inode);
        if is_ours {
            // A file that stays is replaced by the next start.
            fs::remove_file(&self.path).ok();
        }
    }
}

impl Listener {
    /// Listens as `settings` say; a socket that was passed is used where it is the one.
    ///
    /// # Errors
    /// The address is taken, the file cannot be made, or somebody else serves by it.
    pub fn bind(
        settings: Settings,
        passed: impl FnOnce(SocketAddr) -> Option<TcpListener>,
    ) -> io::Result<Self> {
        let socket = match &settings.listen {
            Address::Tcp(address) => match passed(*address) {
                Some(listener) => Socket::Tcp(listener),
                None => Socket::Tcp(TcpListener::bind(address)?),
            },
            Address::Unix(path) => unix(path, settings.mode)?,
        };
        Ok(Self { socket, settings })
    }

    /// Where it is.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<Address> {
        Ok(match &self.socket {
            Socket::Tcp(listener) => Address::Tcp(listener.local_addr()?),
            Socket::Unix(_, file) => Address::Unix(file.path.clone()),
        })
    }
}

/// Made beside its place and moved there, so that nobody can open it before it has its permissions, and
/// one that an earlier run left is replaced.
fn unix(path: &Path, mode: u32) -> io::Result<Socket> {
    if UnixStream::connect(path).is_ok() {
        let words = format!("somebody serves by {} already", path.display());
        return Err(io::Error::new(io::ErrorKind::AddrInUse, words));
    }
    if let Ok(about) = fs::symlink_metadata(path)
        && !std::os::unix::fs::FileTypeExt::is_socket(&about.file_type())
    {
        let words = format!("{} is there, and is no socket", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, words));
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    fs::remove_file(&draft).ok();
    let listener = UnixListener::bind(&draft)?;
    let placed = place(&draft, path, mode);
    if placed.is_err() {
        fs::remove_file(&draft).ok();
    }
    let file = File {
        path: path.to_owned(),
        inode: placed?,
    };
    Ok(Socket::Unix(listener, file))
}

fn place(draft: &Path, path: &Path, mode: u32) -> io::Result<u64> {
    fs::set_permissions(draft, fs::Permissions::from_mode(mode))?;
    let inode = fs::metadata(draft)?.ino();
    fs::rename(draft, path)?;
    Ok(inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(path: &Path, mode: u32) -> io::Result<Listener> {
        let mut settings = Settings::open(Address::Unix(path.to_owned()));
        settings.mode = mode;
        Listener::bind(settings, |_| None)
    }

    #[test]
    fn the_socket_is_its_owners_and_goes_with_the_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        for mode in [0o600, 0o660] {
            let listener = bind(&path, mode).unwrap();
            let about = fs::metadata(&path).unwrap();
            assert_eq!(about.permissions().mode() & 0o777, mode);
            let taken = bind(&path, mode).unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
            drop(listener);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
        // One that was killed leaves its file.
        drop(UnixListener::bind(&path).unwrap());
        let listener = bind(&path, 0o600).unwrap();
        drop(listener);
        fs::write(&path, "mine").unwrap();
        assert!(bind(&path, 0o600).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
