//! Exclude: who is no shopper. Robots, staff and checks: no click of theirs is captured, no order
//! of theirs is entered; all else is theirs as it is everybody's.

mod bots;

use std::net::IpAddr;

use ipnet::IpNet;
use regex::Regex;

use crate::capture::cookies;
use crate::message::Fields;
use crate::observe::rule::PathPattern;

/// Who is excluded. By default nobody.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Robots that say who they are.
    pub bots: bool,
    /// Programs whose `User-Agent` one of these is found in.
    pub user_agents: Vec<Regex>,
    /// Browsers that have one of these.
    pub cookies: Vec<Cookie>,
    /// Clients of these addresses.
    pub networks: Vec<IpNet>,
    /// Requests for these pages.
    pub paths: Vec<PathPattern>,
}

/// A cookie that marks a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its exact name.
    pub name: String,
    /// Its exact value, as sent; none: any.
    pub value: Option<String>,
}

/// Why a request is excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A robot.
    Bot,
    /// A program of the operator's list.
    UserAgent,
    /// A browser that is marked.
    Cookie,
    /// The client's address.
    Network,
    /// The page.
    Path,
}

impl Settings {
    /// Why a request for `path` with these fields is excluded, if it is; `client` tells the
    /// address that it comes from.
    pub fn reason(
        &self,
        path: &str,
        fields: &Fields,
        client: impl FnOnce() -> IpAddr,
    ) -> Option<Reason> {
        let agent = fields.get("user-agent").unwrap_or_default();
        if self.bots && bots::is_bot(agent) {
            return Some(Reason::Bot);
        }
        let agent = String::from_utf8_lossy(agent);
        if self.user_agents.iter().any(|one| one.is_match(&agent)) {
            return Some(Reason::UserAgent);
        }
        if self.cookies.iter().any(|cookie| cookie.is_in(fields)) {
            return Some(Reason::Cookie);
        }
        if self.paths.iter().any(|pattern| pattern.may_mean(path)) {
            return Some(Reason::Path);
        }
        if self.networks.is_empty() {
            return None;
        }
        let client = client().to_canonical();
        let within = self.networks.iter().any(|net| net.contains(&client));
        within.then_some(Reason::Network)
    }
}

impl Cookie {
    fn is_in(&self, fields: &Fields) -> bool {
        let mut values = cookies::named(fields, self.name.as_bytes());
        values.any(|found| {
            let wanted = self.value.as_deref();
            wanted.is_none_or(|value| value.as_bytes() == found)
        })
    }
}
