//! Sockets that were opened for us: systemd's socket activation.
//!
//! A supervisor that holds the listening sockets starts us without a privilege for the port, and
//! keeps what arrives while we are replaced. One socket is passed for an address, so all workers
//! accept from the same one: `SO_REUSEPORT` is no way out, because the kernel lets only sockets of
//! one user share a port, and the supervisor's is root's.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use listenfd::ListenFd;
use socket2::SockRef;

/// Why a socket that was passed is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no TCP socket, or does not listen.
    #[error("socket {number} of those that were passed is no listening TCP socket")]
    Kind {
        /// Its number, counted from 0.
        number: usize,
        /// What the system said, where it said something.
        source: Option<io::Error>,
    },
    /// Nothing of ours is to listen there.
    #[error("a socket for {0} was passed, and the configuration does not listen there")]
    Stray(SocketAddr),
    /// The system does not let us use it.
    #[error("the socket for {address} that was passed cannot be used")]
    Refused {
        /// Where it listens.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Listening sockets that were opened for us, and where.
#[derive(Debug, Default)]
pub struct Passed {
    listeners: Vec<(SocketAddr, TcpListener)>,
}

impl Passed {
    /// Takes what `LISTEN_FDS` announces, if it is meant for this process (`LISTEN_PID`).
    ///
    /// To be called once, before there is a second thread: the variables are removed.
    ///
    /// # Errors
    /// One of them is no listening TCP socket.
    pub fn take() -> Result<Self, Error> {
        let mut passed = ListenFd::from_env();
        let numbers = 0..passed.len();
        let taken = numbers.map(|number| {
            let kind = |source| Error::Kind { number, source };
            let listener = passed.take_tcp_listener(number);
            let listener = listener.map_err(|error| kind(Some(error)))?;
            let listener = listener.ok_or_else(|| kind(None))?;
            if !SockRef::from(&listener).is_listener().unwrap_or(false) {
                return Err(kind(None));
            }
            let address = listener.local_addr();
            Ok((address.map_err(|error| kind(Some(error)))?, listener))
        });
        let listeners = taken.collect::<Result<_, _>>()?;
        Ok(Self { listeners })
    }

    /// The socket for `address`, non-blocking, `count` times over: every one of them accepts from
    /// the same queue. None if there is no such socket. `stall` as in [`bind`](super::bind()).
    ///
    /// # Errors
    /// The system refuses.
    pub fn shared(
        &mut self,
        address: SocketAddr,
        count: usize,
        stall: Duration,
    ) -> Result<Option<Vec<TcpListener>>, Error> {
        let Some(listener) = self.one(address) else {
            return Ok(None);
        };
        let prepare = || {
            listener.set_nonblocking(true)?;
            let socket = SockRef::from(&listener);
            socket.set_tcp_nodelay(true)?;
            socket.set_tcp_user_timeout(Some(stall))?;
            (0..count).map(|_| listener.try_clone()).collect()
        };
        let shared: io::Result<_> = prepare();
        shared
            .map(Some)
            .map_err(|source| Error::Refused { address, source })
    }

    /// The socket for `address`, if there is one.
    pub fn one(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let mut passed = self.listeners.iter();
        let at = passed.position(|(own, _)| *own == address)?;
        Some(self.listeners.swap_remove(at).1)
    }

    /// Whether any were passed and not taken.
    pub fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// To be called when everything was taken that is needed.
    ///
    /// # Errors
    /// One is left: whoever passed it expects it to be served.
    pub fn finish(self) -> Result<(), Error> {
        match self.listeners.first() {
            Some((address, _)) => Err(Error::Stray(*address)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(60);

    fn passed() -> (Passed, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let listeners = vec![(address, listener)];
        (Passed { listeners }, address)
    }

    #[test]
    fn every_worker_gets_the_one_socket() {
        let (mut passed, address) = passed();
        let shared = passed.shared(address, 3, STALL).unwrap().unwrap();
        assert_eq!(shared.len(), 3);
        for listener in &shared {
            assert_eq!(listener.local_addr().unwrap(), address);
            let error = listener.accept().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
        // What one has taken, another one does not see.
        let _client = std::net::TcpStream::connect(address).unwrap();
        assert!(shared[1].accept().is_ok());
        assert!(shared[0].accept().is_err());
        assert!(passed.shared(address, 1, STALL).unwrap().is_none());
        passed.finish().unwrap();
    }

    #[test]
    fn a_socket_that_nothing_of_ours_wants_is_told() {
        let (mut passed, address) = passed();
        let other = "127.0.0.1:1".parse().unwrap();
        assert!(passed.shared(other, 1, STALL).unwrap().is_none());
        assert!(!passed.is_empty());
        let error = passed.finish().unwrap_err();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
}
