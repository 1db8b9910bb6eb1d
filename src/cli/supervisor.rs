//! What the supervisor is told (`sd_notify(3)`): ready, reloading, stopping.
//!
//! Where nobody asks to be told (`NOTIFY_SOCKET`), nothing is sent.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};
use tracing::warn;

use super::Environment;

/// Who started us, if it wants to be told.
#[derive(Debug, Default)]
pub struct Supervisor(Option<(UnixDatagram, SocketAddr)>);

impl Supervisor {
    /// The one that `NOTIFY_SOCKET` names: a path, or an abstract name behind an `@`.
    pub fn find(env: Environment<'_>) -> Self {
        let Some(name) = env("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self::default();
        };
        match reach(&name) {
            Ok(reached) => Self(Some(reached)),
            Err(error) => {
                warn!(%error, "the supervisor cannot be told: NOTIFY_SOCKET");
                Self::default()
            }
        }
    }

    /// Connections are taken.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The configuration is being read again; [`ready`](Self::ready) follows, whatever comes of it.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// No more connections are taken; what is under way may finish.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, words: &str) {
        let Some((socket, address)) = &self.0 else {
            return;
        };
        if let Err(error) = socket.send_to_addr(words.as_bytes(), address) {
            warn!(%error, "the supervisor could not be told: {words:?}");
        }
    }
}

fn reach(name: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // Not a moment is to be waited for a supervisor that does not read.
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 128];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    fn all(supervisor: &Supervisor, socket: &UnixDatagram) {
        supervisor.ready();
        assert_eq!(told(socket), "READY=1");
        supervisor.reloading();
        let words = told(socket);
        let micros = words.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(micros.parse::<u64>().unwrap() > 0);
        supervisor.stopping();
        assert_eq!(told(socket), "STOPPING=1");
    }

    #[test]
    fn a_supervisor_is_told_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let named = path.to_str().unwrap().to_owned();
        all(&Supervisor::find(&|_| Some(named.clone())), &socket);

        let name = format!("refgate-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        all(&Supervisor::find(&|_| Some(format!("@{name}"))), &socket);
    }

    #[test]
    fn nobody_is_told_where_nobody_asks() {
        for name in [None, Some(""), Some("/nowhere/at/all")] {
            let supervisor = Supervisor::find(&|_| name.map(str::to_owned));
            supervisor.ready();
        }
    }
}
