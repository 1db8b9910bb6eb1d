//! `group`, `cookie_domain` and `same_site` of a store: who knows its visitors.

use super::fault::Problem;
use super::hosts::host;
use super::reader::{Map, Place};
use super::text::Text;
use super::value::Value;
use crate::name::GroupName;
use crate::store::scope::{NoDomain, SameSite, Scope, check, covers};
use crate::store::{Scheme, Store};

const DOMAIN: &str = "the domain that all hosts of the store are, or are under, like shop.example; none for a \
     cookie of each host alone";

/// Which groups there are, and which domains their cookies are for.
#[derive(Default)]
pub(super) struct Scopes {
    pub(super) groups: Vec<String>,
    domains: Vec<Domain>,
}

/// A domain with whose it is.
struct Domain {
    domain: String,
    group: GroupName,
    scheme: Scheme,
    same_site: SameSite,
}

#[derive(Debug, thiserror::Error)]
enum DomainError {
    #[error(transparent)]
    Host(#[from] super::hosts::HostError),
    #[error(transparent)]
    None(#[from] NoDomain),
}

impl Scopes {
    /// Reads one store's.
    pub(super) fn read(
        &mut self,
        map: &Map<'_>,
        scheme: Scheme,
        hosts: &[(String, Text<'_>)],
    ) -> (Option<GroupName>, Scope) {
        let group = match map.get("group") {
            Some(value) => value.parse("a name, like main"),
            None => Some(GroupName::default()),
        };
        let groups = group.iter().map(|group| group.as_str().to_owned());
        self.groups.extend(groups);
        let same_site = same_site(map, scheme);
        let domain = map
            .get("cookie_domain")
            .and_then(|value| Some((domain(&value, hosts)?, value.place)));
        if let (Some((domain, place)), Some(group)) = (&domain, &group) {
            let own = Domain {
                domain: domain.clone(),
                group: group.clone(),
                scheme,
                same_site,
            };
            for other in &self.domains {
                own.beside(other, map, place);
            }
            self.domains.push(own);
        }
        let scope = Scope {
            domain: domain.map(|(domain, _)| domain),
            same_site,
            ..Scope::default()
        };
        (group, scope)
    }

    /// Tells every store which domains are in use.
    pub(super) fn finish(&self, stores: &mut [Store]) {
        let domains = self.domains.iter().map(|own| own.domain.clone());
        let in_use: std::sync::Arc<[String]> = domains.collect();
        for store in stores {
            store.scope.in_use = in_use.clone();
        }
    }
}

impl Domain {
    /// What is wrong or odd with the two of them, if they come to the same browser under one name.
    fn beside(&self, other: &Self, map: &Map<'_>, place: &Place) {
        let wider = covers(&self.domain, &other.domain);
        if self.scheme != other.scheme || !(wider || covers(&other.domain, &self.domain)) {
            return;
        }
        let (same, own_group) = (self.domain == other.domain, self.group == other.group);
        match (same, own_group) {
            (true, false) => {
                let found = "the domain of a store of another group".to_owned();
                let expected = "a domain of its own for each group, or one `group`: \
                                their cookies would overwrite one another"
                    .to_owned();
                map.cx.report(place, Problem::Wrong { found, expected });
            }
            (true, true) if self.same_site != other.same_site => map.cx.warn(
                place,
                "another store with this domain has another `same_site`: they share the cookie, \
                 and whichever sets it last decides",
            ),
            (true, true) => {}
            (false, true) => map.cx.warn(
                place,
                "the domain of another store of the group is above or under it: visits go only \
                 from the wider one to the narrower one; give both the wider one to share them",
            ),
            (false, false) => map.cx.warn(
                place,
                "the domain of a store of another group is above or under it: browsers send the \
                 wider one's cookie to both, where it is nothing but bytes for the narrower one",
            ),
        }
    }
}

fn domain(value: &Value<'_>, hosts: &[(String, Text<'_>)]) -> Option<String> {
    let text = value.text()?;
    let read = |text: &str| -> Result<String, DomainError> {
        let domain = host(text)?;
        check(&domain)?;
        Ok(domain)
    };
    let domain = text.make_plain(read, DOMAIN)?;
    let mut covered = true;
    for (_, text) in hosts.iter().filter(|(host, _)| !covers(&domain, host)) {
        let why = "it is not the store's `cookie_domain`, nor under it";
        text.wrong(
            Some(&why),
            "a host that the cookie can be for; another one needs a store of its own",
        );
        covered = false;
    }
    covered.then_some(domain)
}

/// Browsers refuse `SameSite=None` without `Secure`.
fn same_site(map: &Map<'_>, scheme: Scheme) -> SameSite {
    let words = [("lax", SameSite::Lax), ("none", SameSite::None)];
    let same_site = map.or("same_site", SameSite::Lax, |value| value.one_of(&words));
    if (same_site, scheme) == (SameSite::None, Scheme::Http) {
        map.wrong(
            "same_site",
            "`none` with `scheme: http`",
            "`lax`, or `scheme: https`: browsers take such a cookie by TLS only",
        );
    }
    same_site
}
