//! Where the operator is served, and who may come.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::actor::Actor;
use crate::secret::Secret;

/// Where the operator is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// At an address, on loopback unless there are tokens.
    Tcp(SocketAddr),
    /// By a Unix socket: whoever may open the file may come.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The operator's listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub listen: Address,
    /// The Unix socket's permissions: 0600 or 0660.
    pub mode: u32,
    /// Names that it is called by, beside its own address.
    pub hosts: Vec<String>,
    /// Who may come; anybody who reaches it if there are none.
    pub tokens: Vec<Token>,
}

/// What somebody shows to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Who that is: what he does is recorded with this name.
    pub name: Actor,
    /// The token itself.
    pub token: Secret,
}

impl Settings {
    /// A listener that asks nobody who he is.
    pub const fn open(listen: Address) -> Self {
        Self {
            listen,
            mode: 0o600,
            hosts: Vec::new(),
            tokens: Vec::new(),
        }
    }
}
