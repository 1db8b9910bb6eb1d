//! A table by host name, asked with every request.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use memchr::memchr;

/// Values by host name. A host is found in any case, and without its being copied.
///
/// Only the operator's own hosts are keys, so that nobody can choose keys that collide: a quick
/// hash will do.
#[derive(Clone, Debug)]
pub struct Hosts<V>(HashMap<String, V, BuildHasherDefault<Fnv>>);

impl<V> Hosts<V> {
    /// The value of `host`.
    pub fn get(&self, host: &str) -> Option<&V> {
        // Without an early end, so that it is done many bytes at a time.
        if host
            .bytes()
            .fold(false, |upper, byte| upper | byte.is_ascii_uppercase())
        {
            return self.0.get(&host.to_ascii_lowercase());
        }
        self.0.get(host)
    }

    /// The host, where there is only one.
    pub fn only(&self) -> Option<&str> {
        if self.0.len() > 1 {
            return None;
        }
        self.0.keys().next().map(String::as_str)
    }
}

impl<V> Default for Hosts<V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<V> FromIterator<(String, V)> for Hosts<V> {
    /// Of several values of one host the last one stays.
    fn from_iter<I: IntoIterator<Item = (String, V)>>(hosts: I) -> Self {
        let lower = |(host, value): (String, V)| (host.to_ascii_lowercase(), value);
        Self(hosts.into_iter().map(lower).collect())
    }
}

/// FNV-1a of 64 bits, over eight bytes at a time.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    const fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0100_0000_01b3);
        // What is high in the word reaches the low bits too.
        self.0 ^= self.0 >> 29;
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.mix(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// The name of a `Host` or an authority, without its port and without the dot that ends a full name.
pub fn name(host: &str) -> &str {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => {
            memchr(b':', host.as_bytes()).map_or(host, |colon| host.get(..colon).unwrap_or(host))
        }
    };
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_any_case() {
        let names = (0..1000).map(|n| format!("Shop-{n}.example"));
        let hosts: Hosts<usize> = names.zip(0..).collect();
        assert_eq!(hosts.get("shop-7.example"), Some(&7));
        assert_eq!(hosts.get("SHOP-999.example"), Some(&999));
        assert_eq!(hosts.get("shop-1000.example"), None);
        assert_eq!(hosts.get(""), None);
    }

    #[test]
    fn the_only_host_is_told() {
        let hosts = |names: &[&str]| -> Hosts<()> {
            names.iter().map(|name| ((*name).to_owned(), ())).collect()
        };
        assert_eq!(hosts(&[]).only(), None);
        assert_eq!(hosts(&["A"]).only(), Some("a"));
        assert_eq!(hosts(&["a", "b"]).only(), None);
    }
}
