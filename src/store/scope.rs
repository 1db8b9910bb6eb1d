//! Where a store's cookie counts: for each host alone, or for a domain and all that is under it.
//!
//! A browser takes a cookie for a domain (RFC 6265 §4.1.2.3) only where that is registrable or
//! below: one of a public suffix (`com`, `co.uk`) would be everybody's.

use std::net::IpAddr;
use std::sync::Arc;

use super::Store;

/// Where and how a browser sends a store's cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The domain that it is for, with all hosts under it; none: each host has its own.
    pub domain: Option<String>,
    /// Whether it comes with requests that another site makes.
    pub same_site: SameSite,
    /// The domains of all stores: a cookie of these is some store's, and never deleted as a
    /// leftover.
    pub in_use: Arc<[String]>,
    /// Whether its group has hosts that are not sent this cookie: visits are handed over to them.
    pub siblings: bool,
    /// Whether some of these are under one registrable domain with a host of its own: there a
    /// cookie of the shop's may come along where ours does not.
    pub split: bool,
}

/// What other sites' requests carry the cookie (the attribute `SameSite`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Only those that open a page with GET.
    #[default]
    Lax,
    /// All of them; only by TLS.
    None,
}

/// Why no cookie can be for a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDomain {
    /// An IP address has nothing under it.
    #[error("an IP address: browsers take no cookie for one but a host's own")]
    Address,
    /// Everybody can register a name under it.
    #[error(
        "a public suffix (or a single label), under which others have their domains: browsers \
         refuse such a cookie"
    )]
    PublicSuffix,
}

/// Whether a cookie can be for `domain`, a host name in lower case.
///
/// # Errors
/// Why not.
pub fn check(domain: &str) -> Result<(), NoDomain> {
    let number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    // A host that ends in a number is an IPv4 address to a browser (WHATWG URL, "ends in a number").
    if domain.parse::<IpAddr>().is_ok() || domain.rsplit('.').next().is_some_and(number) {
        return Err(NoDomain::Address);
    }
    match psl::domain_str(domain) {
        Some(_registrable) => Ok(()),
        None => Err(NoDomain::PublicSuffix),
    }
}

/// Whether `host` is `domain` or under it; both in lower case (RFC 6265 §5.1.3).
pub fn covers(domain: &str, host: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The domains that a cookie of `host` could be for, itself first, the registrable one last; none
/// if it is an address or a public suffix.
pub fn domains_of(host: &str) -> impl Iterator<Item = &str> {
    let first = check(host).is_ok().then_some(host);
    std::iter::successors(first, |domain| {
        let (_label, above) = domain.split_once('.')?;
        check(above).is_ok().then_some(above)
    })
}

impl Store {
    /// Whether a browser that keeps a visit of this store's `host` sends it to `other_host` of the
    /// store `other`, which then knows it: nothing needs to be handed over. Hosts in lower case,
    /// without port.
    pub fn shares_cookie(&self, host: &str, other: &Self, other_host: &str) -> bool {
        let alike = self.group == other.group && self.scheme == other.scheme;
        let shared = match (&self.scope.domain, &other.scope.domain) {
            (Some(domain), Some(_)) => covers(domain, other_host),
            _ => false,
        };
        alike && (host == other_host || shared)
    }

    /// Whether one of `all` is of the same group, with a host that is not sent the cookie of one of
    /// this store's.
    pub fn has_siblings(&self, all: &[Self]) -> bool {
        self.leaves_out(all, |_host, _other| true)
    }

    /// The same of hosts under one registrable domain: a cookie of the shop's may be for all of
    /// them, and come along where ours does not.
    pub fn is_split(&self, all: &[Self]) -> bool {
        self.leaves_out(all, |host, other| {
            let [own, others] = [host, other].map(|host| domains_of(host).last());
            own.is_some() && own == others
        })
    }

    /// Whether one of `all` is of the same group, with such a host beside one of this store's that
    /// is not sent its cookie.
    fn leaves_out(&self, all: &[Self], meant: impl Fn(&str, &str) -> bool) -> bool {
        let of_group = || all.iter().filter(|other| other.group == self.group);
        self.hosts.iter().any(|host| {
            of_group().any(|other| {
                let mut hosts = other.hosts.iter().filter(|other| meant(host, other));
                hosts.any(|other_host| !self.shares_cookie(host, other, other_host))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_for_a_registrable_domain_or_below() {
        for domain in [
            "shop.example",
            "www.shop.example",
            "shop.co.uk",
            "shop.localhost",
            "me.github.io",
            "shop.xn--55qx5d.cn",
        ] {
            assert_eq!(check(domain), Ok(()), "{domain}");
        }
        for (domain, why) in [
            ("com", NoDomain::PublicSuffix),
            ("co.uk", NoDomain::PublicSuffix),
            ("example", NoDomain::PublicSuffix),
            ("localhost", NoDomain::PublicSuffix),
            ("github.io", NoDomain::PublicSuffix),
            ("myshopify.com", NoDomain::PublicSuffix),
            ("xn--55qx5d.cn", NoDomain::PublicSuffix),
            ("127.0.0.1", NoDomain::Address),
            ("1.2.3", NoDomain::Address),
        ] {
            assert_eq!(check(domain), Err(why), "{domain}");
        }
    }

    #[test]
    fn a_domain_covers_itself_and_what_is_under_it() {
        for (host, expected) in [
            ("shop.example", true),
            ("www.shop.example", true),
            ("a.b.shop.example", true),
            ("myshop.example", false),
            ("shop.example.evil", false),
            ("example", false),
        ] {
            assert_eq!(covers("shop.example", host), expected, "{host}");
        }
    }

    #[test]
    fn the_domains_of_a_host_end_at_the_registrable_one() {
        let domains = |host| domains_of(host).collect::<Vec<_>>();
        assert_eq!(
            domains("a.www.shop.co.uk"),
            ["a.www.shop.co.uk", "www.shop.co.uk", "shop.co.uk"]
        );
        assert_eq!(domains("shop.test"), ["shop.test"]);
        assert_eq!(domains("localhost"), [""; 0]);
        assert_eq!(domains("127.0.0.1"), [""; 0]);
    }
}
