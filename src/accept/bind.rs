//! Binding: one listener per worker on one address, and nobody else's.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// Connections the kernel keeps for us while every worker is busy.
const BACKLOG: i32 = 4096;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process, or an earlier line of the configuration, has it.
    #[error("somebody already listens on {address}")]
    Taken {
        /// The address asked for.
        address: SocketAddr,
        #[source]
        /// What the system said.
        source: io::Error,
    },
    /// The address is not this machine's, the port needs a privilege, …
    #[error("{address} cannot be listened on")]
    Refused {
        /// The address asked for.
        address: SocketAddr,
        #[source]
        /// What the system said.
        source: io::Error,
    },
}

/// Binds `workers` listeners that share `address`, non-blocking, for `TcpListener::from_std`.
///
/// The first one binds without `SO_REUSEPORT` and shares only afterwards: so a second process is
/// refused, not silently given half of the connections, and no moment lies between the question
/// and the answer. Port 0 becomes one free port for all of them. `stall` is how long a client may
/// take no data (`TCP_USER_TIMEOUT`); it and `TCP_NODELAY` are inherited by what is accepted.
///
/// # Errors
///
/// When somebody else listens there, or the system refuses the address.
pub fn bind(
    address: SocketAddr,
    workers: usize,
    stall: Duration,
) -> Result<Vec<TcpListener>, Error> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => Error::Taken { address, source },
        _ => Error::Refused { address, source },
    };
    let first = open(address, stall, Sharing::AfterBinding).map_err(refused)?;
    let bound = first.local_addr().map_err(refused)?;
    let mut listeners = vec![first];
    for _ in 1..workers {
        listeners.push(open(bound, stall, Sharing::FromTheStart).map_err(refused)?);
    }
    Ok(listeners)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    AfterBinding,
    FromTheStart,
}

fn open(address: SocketAddr, stall: Duration, sharing: Sharing) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Without it a restart would wait for the last process's connections to fade.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(stall))?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` can then both be listed, on every system alike.
        socket.set_only_v6(true)?;
    }
    if sharing == Sharing::FromTheStart {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.set_reuse_port(true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(60);

    #[test]
    fn workers_share_one_port_and_a_second_binding_is_refused() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listeners = bind(address.parse().unwrap(), 3, STALL).unwrap();
            let port = listeners[0].local_addr().unwrap();
            assert!(listeners.iter().all(|l| l.local_addr().unwrap() == port));

            let error = bind(port, 1, STALL).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("somebody already listens on {port}")
            );
            drop(listeners);
            bind(port, 1, STALL).unwrap();
        }
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let address = "192.0.2.1:0".parse().unwrap();
        assert!(matches!(
            bind(address, 1, STALL),
            Err(Error::Refused { .. })
        ));
    }
}
