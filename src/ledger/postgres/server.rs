//! Where the database is, and how it is reached: the URL as the operator writes it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::config::{Config, Host, SslMode, TargetSessionAttrs};
use tokio_rustls::rustls::ClientConfig;

use super::tls::Tls;
use crate::secret::Secret;
use crate::store::tls::Trust;

/// How long connecting to one host may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Where servers listen if nothing else is said.
const USUAL_PORT: u16 = 5432;

/// A peer that is silent for so long while something waits for it is gone.
const SILENCE: Duration = Duration::from_secs(10);

/// A database on a server, or on several of which one takes writes.
#[derive(Clone)]
pub struct Server {
    url: Secret,
    config: Box<Config>,
    secure: bool,
    trust: Trust,
    tls: Option<Arc<ClientConfig>>,
}

/// Why a text is no URL of a ledger. Says nothing of what stands in it.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// It does not begin as one.
    #[error("it does not begin with postgres:// or postgresql://")]
    Scheme,
    /// It cannot be read.
    #[error("it is no PostgreSQL URL")]
    Url,
    /// A query parameter that is not known here.
    #[error(
        "of the parameters after \"?\" only sslmode, host, port, user, password, dbname, connect_timeout and target_session_attrs are known"
    )]
    Parameter,
    /// No host and no folder of a socket.
    #[error("it names no host")]
    Host,
    /// No database.
    #[error("it names no database")]
    Database,
    /// No user.
    #[error("it names no user")]
    User,
    /// A mode that proves nothing, or none where the network lies between.
    #[error(
        "say sslmode=verify-full, or sslmode=disable where nobody can listen: other modes do not prove who the server is"
    )]
    Mode,
}

impl FromStr for Server {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let schemes = ["postgres://", "postgresql://"];
        if !schemes.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(UrlError::Scheme);
        }
        let (plain, mode) = without_mode(url)?;
        let mut config: Config = plain.parse().map_err(|_may_show_it| UrlError::Url)?;
        if config.get_hosts().is_empty() {
            return Err(UrlError::Host);
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(UrlError::Database);
        }
        if config.get_user().is_none_or(str::is_empty) {
            return Err(UrlError::User);
        }
        let near = config.get_hosts().iter().all(is_near);
        let secure = match mode.as_deref() {
            Some("verify-full") => true,
            Some("disable") => false,
            None if near => false,
            _ => return Err(UrlError::Mode),
        };
        config.ssl_mode(if secure {
            SslMode::Require
        } else {
            SslMode::Disable
        });
        config.application_name("refgate");
        config.keepalives_idle(SILENCE);
        config.tcp_user_timeout(SILENCE);
        // A standby takes no orders: of several hosts the one that writes is looked for.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        Ok(Self {
            url: Secret::new(url),
            config: Box::new(config),
            secure,
            trust: Trust::Machine,
            tls: None,
        })
    }
}

/// The URL without `sslmode`, and what that was: tokio-postgres knows none that proves who the server is.
fn without_mode(url: &str) -> Result<(String, Option<String>), UrlError> {
    const KNOWN: [&str; 7] = [
        "host",
        "port",
        "user",
        "password",
        "dbname",
        "connect_timeout",
        "target_session_attrs",
    ];
    let Some((before, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), None));
    };
    let (mut kept, mut mode) = (Vec::new(), None);
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some((key, _)) if KNOWN.contains(&key) => kept.push(pair),
            _ => return Err(UrlError::Parameter),
        }
    }
    let plain = match kept.as_slice() {
        [] => before.to_owned(),
        kept => format!("{before}?{}", kept.join("&")),
    };
    Ok((plain, mode))
}

/// Whether nothing lies between but this machine.
fn is_near(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(host) => {
            host == "localhost"
                || host
                    .parse()
                    .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
    }
}

impl Server {
    /// Whether it must prove who it is, by TLS.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The same server, spoken to by TLS with this client, which was made for this trust.
    #[must_use]
    pub fn trusting(self, trust: Trust, client: &ClientConfig) -> Self {
        let mut client = client.clone();
        client.alpn_protocols = vec![b"postgresql".to_vec()];
        Self {
            trust,
            tls: Some(Arc::new(client)),
            ..self
        }
    }

    /// What keeps the URL's password secret wherever texts are shown.
    pub fn password(&self) -> Option<Secret> {
        let password = std::str::from_utf8(self.config.get_password()?).ok()?;
        (!password.is_empty()).then(|| Secret::new(password))
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn tls(&self) -> Tls {
        Tls(self.tls.clone())
    }
}

/// Without the password.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.config.get_ports();
        let user = self.config.get_user().unwrap_or_default();
        write!(f, "postgres://{user}@")?;
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(host) => f.write_str(host)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            let port = ports.get(at).or(ports.first());
            if let Some(port) = port.filter(|port| **port != USUAL_PORT) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        (&self.url, &self.trust) == (&other.url, &other.trust)
    }
}

impl Eq for Server {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let url = "postgres://shop:s3cr%40t@db-1:5433,db-2:5434/ledger?sslmode=verify-full";
        let server: Server = url.parse().unwrap();
        assert_eq!(
            server.to_string(),
            "postgres://shop@db-1:5433,db-2:5434/ledger"
        );
        assert!(!format!("{server:?} {:?}", server.config).contains("s3cr"));
        assert_eq!(server.password(), Some(Secret::new("s3cr@t")));
        assert!(server.is_secure());
    }

    #[test]
    fn a_socket_is_a_place_too() {
        let server: Server = "postgres://shop@%2Frun%2Fpostgresql/ledger"
            .parse()
            .unwrap();
        assert_eq!(server.to_string(), "postgres://shop@/run/postgresql/ledger");
        let server: Server = "postgres:///ledger?host=/run/postgresql&user=shop"
            .parse()
            .unwrap();
        assert_eq!(server.to_string(), "postgres://shop@/run/postgresql/ledger");
        assert!(!server.is_secure());
    }

    #[test]
    fn what_proves_nothing_is_refused() {
        let error = |url: &str| url.parse::<Server>().unwrap_err();
        for mode in [
            "",
            "?sslmode=require",
            "?sslmode=prefer",
            "?sslmode=verify-ca",
        ] {
            let error = error(&format!("postgres://shop@db/ledger{mode}"));
            assert!(matches!(error, UrlError::Mode), "{mode}: {error:?}");
        }
        let plain = "postgres://shop@db/ledger?sslmode=disable".parse::<Server>();
        assert!(!plain.unwrap().is_secure());
        assert!(
            !"postgres://shop@127.0.0.1/l"
                .parse::<Server>()
                .unwrap()
                .is_secure()
        );
        assert!(matches!(error("mysql://shop@db/ledger"), UrlError::Scheme));
        assert!(matches!(error("postgres://shop@db"), UrlError::Database));
        assert!(matches!(error("postgres://db/ledger"), UrlError::User));
        assert!(matches!(error("postgres://shop@/ledger"), UrlError::Host));
        let unknown = "postgres://shop@db/ledger?sslrootcert=x";
        assert!(matches!(error(unknown), UrlError::Parameter));
    }
}
