//! The way out: through a proxy, or from an address of this machine's. Networks let in whom they know.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use reqwest::{ClientBuilder, Url};

use crate::secret::Secret;

/// How every postback leaves. The default: straight, from whatever address the machine's routes give.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// The proxy that it goes through.
    pub proxy: Option<Proxy>,
    /// The address that it leaves from.
    pub from: Option<IpAddr>,
}

/// A forward proxy (RFC 9110 §7.7): `https` goes through it by CONNECT, `http` by the absolute form.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Without credentials.
    url: Url,
    /// The user and his password, for `Basic`.
    credentials: Option<(String, Secret)>,
}

/// Why a text names no proxy.
#[derive(Debug, thiserror::Error)]
#[error("no plain http:// address")]
pub struct NoProxy;

impl FromStr for Proxy {
    type Err = NoProxy;

    fn from_str(text: &str) -> Result<Self, NoProxy> {
        let mut url = Url::parse(text).map_err(|_said_by_ours| NoProxy)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if url.scheme() != "http" || !bare {
            return Err(NoProxy);
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = decoded(url.username());
        let password = url.password().map(decoded);
        let credentials = match (user.as_str(), password) {
            ("", None) => None,
            (_, password) => Some((user, Secret::new(password.unwrap_or_default()))),
        };
        url.set_password(None).map_err(|()| NoProxy)?;
        url.set_username("").map_err(|()| NoProxy)?;
        Ok(Self { url, credentials })
    }
}

/// Where it is and as whom it is spoken to, without the password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))?;
        match &self.credentials {
            Some((user, _)) => write!(f, " as {user}"),
            None => Ok(()),
        }
    }
}

impl Proxy {
    /// The password, which must not be seen.
    pub const fn secret(&self) -> Option<&Secret> {
        match &self.credentials {
            Some((_, password)) => Some(password),
            None => None,
        }
    }
}

impl Egress {
    /// Has `client` go this way, and read no variable that names another.
    pub(super) fn apply(&self, client: ClientBuilder) -> Result<ClientBuilder, reqwest::Error> {
        let client = client.no_proxy().local_address(self.from);
        let Some(Proxy { url, credentials }) = &self.proxy else {
            return Ok(client);
        };
        let proxy = reqwest::Proxy::all(url.clone())?;
        Ok(client.proxy(match credentials {
            Some((user, password)) => proxy.basic_auth(user, password.reveal()),
            None => proxy,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_shown_without_its_password() {
        for (text, shown, password) in [
            ("http://10.0.0.1:3128", "http://10.0.0.1:3128", None),
            ("http://proxy/", "http://proxy", None),
            ("http://me@[::1]:1/", "http://[::1]:1 as me", Some("")),
            (
                "http://me:a%40b@proxy:1",
                "http://proxy:1 as me",
                Some("a@b"),
            ),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!(proxy.to_string(), shown);
            assert_eq!(proxy.secret().map(Secret::reveal), password);
            let seen = format!("{proxy:?}");
            assert!(!seen.contains("a@b") && !seen.contains("a%40b"), "{seen}");
        }
    }

    #[test]
    fn what_is_no_plain_proxy_is_refused() {
        for text in [
            "",
            "proxy:3128",
            "https://proxy",
            "socks5://proxy",
            "http://",
            "http://proxy/path",
            "http://proxy/?q",
            "http://proxy/#f",
        ] {
            assert!(text.parse::<Proxy>().is_err(), "{text}");
        }
    }
}
