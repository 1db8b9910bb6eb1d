//! What is said of the stores.

use super::list;
use crate::config::Settings;
use crate::config::units::shown;
use crate::consent::{Consent, Sign, Teller};
use crate::name::GroupName;
use crate::observe::rule::PathPattern;
use crate::record::Sessions;
use crate::store::Store;
use crate::store::scope::{SameSite, Scope};
use crate::store::tls::{Tls, Trust};
use crate::store::upstreams::{Balance, Plan, Upstreams};
use crate::visit::{GUARDED, STEP_COUNTS};

/// Every store: its hosts, its shop, its money.
pub(super) fn all(settings: &Settings, lines: &mut Vec<String>) {
    lines.push("\nStores".to_owned());
    for store in settings.stores.all() {
        let urls = store
            .hosts
            .iter()
            .map(|host| format!("{}://{host}", store.scheme));
        let urls = list(&urls.collect::<Vec<_>>());
        let upstreams = store.upstreams.members().iter();
        let upstreams: Vec<_> = upstreams.map(|member| &member.upstream).collect();
        lines.push(format!("  {}: {urls} → {}", store.name, list(&upstreams)));
        if let Some(tls) = upstreams.iter().find_map(|upstream| upstream.tls.as_ref()) {
            lines.push(format!("      {}", proof(tls)));
        }
        lines.extend(sharing(&store.upstreams));
        lines.extend(cookie(store));
        let record = &settings.record;
        lines.extend(record.checkouts.get(&store.name).map(|it| steps(it)));
        let sessions = record.returns.get(&store.name);
        lines.extend(sessions.map(session));
        lines.extend(
            sessions
                .filter(|_| store.scope.split)
                .map(|_| APART.to_owned()),
        );
        lines.push(format!(
            "      prices in {}, written like {}; an order above {} {} is held for you; order numbers are unique in `{}`",
            store.currency, store.number_format, store.max_amount, store.currency, store.orders
        ));
        lines.push(format!("      {}", consent(&store.consent)));
    }
}

/// Who knows its visitors, where that is not each host alone.
fn cookie(store: &Store) -> Vec<String> {
    let Scope {
        domain, same_site, ..
    } = &store.scope;
    let mut lines = Vec::new();
    if store.group != GroupName::default() {
        lines.push(format!(
            "      its visits are those of the group `{}`",
            store.group
        ));
    }
    if let Some(domain) = domain {
        lines.push(format!(
            "      browsers send its cookie to {domain} and to every host under it"
        ));
    }
    if *same_site == SameSite::None {
        lines.push("      and with every request that another site makes".to_owned());
    }
    lines
}

/// Whether clicks are remembered without being asked for.
fn consent(consent: &Consent) -> String {
    let Consent::Told(Teller { cookie, sign }) = consent else {
        return "consent is not needed: the cookie is set on every affiliate click".to_owned();
    };
    let says = match sign {
        Sign::OneTrust { group } => format!("OneTrust's cookie {cookie} has the group {group} on"),
        Sign::Cookiebot => format!("Cookiebot's cookie {cookie} has marketing on"),
        Sign::CookieYes => format!("CookieYes's cookie {cookie} has advertisement on"),
        Sign::Complianz => format!("Complianz's cookie {cookie} says allow"),
        Sign::Tcf { purposes } => {
            let purposes = list(purposes);
            format!("the TCF string in {cookie} has the purposes {purposes} on")
        }
        Sign::Pattern { given, .. } => format!("the cookie {cookie} matches {given}"),
    };
    let refused = match sign {
        Sign::Pattern {
            refused: Some(refused),
            ..
        } => format!("; matching {refused} refuses"),
        _ => String::new(),
    };
    format!("a click is remembered once {says}{refused}; Sec-GPC refuses")
}

/// Where its shoppers are seen on their way to an order.
fn steps(routes: &[PathPattern]) -> String {
    format!(
        "      {} is its checkout: the visitor's cookie keeps when he was there, which shows for {} that he bought, and for {} no \
         new click takes the place of one that he has",
        list(routes),
        shown(STEP_COUNTS),
        shown(GUARDED)
    )
}

/// What its sessions do not show.
const APART: &str = "      its hosts do not share a cookie of ours, so a session that somebody plants is not told from a \
     shopper's: see `cookie_domain`";

/// What is remembered of its sessions.
fn session(sessions: &Sessions) -> String {
    format!(
        "      there the visit is remembered with a keyed hash of the session cookie `{}` for {}: a payment page that leads \
         back without our cookie is credited by it",
        sessions.cookie,
        shown(sessions.memory)
    )
}

/// What is done with several upstreams, and where none is left.
fn sharing(upstreams: &Upstreams) -> Vec<String> {
    let Plan {
        balance,
        health,
        unavailable,
    } = upstreams.plan();
    let mut lines = Vec::new();
    if upstreams.are_several() {
        lines.push(match balance {
            Balance::RoundRobin => "      each upstream is asked in turn".to_owned(),
            Balance::LeastBusy => "      the upstream with the fewest requests is asked".to_owned(),
        });
    }
    if let Some(health) = health {
        lines.push(format!(
            "      every {} each is asked for {}: {} times in a row without {} within {} and it gets no request, {} times with it and it does again",
            shown(health.every), health.path, health.falls, health.status, shown(health.timeout), health.rises
        ));
    }
    if let Some(page) = unavailable {
        lines.push(format!(
            "      where none is left shoppers see your page of {} bytes",
            page.len()
        ));
    }
    lines
}

/// What a shop must prove.
fn proof(tls: &Tls) -> String {
    let name = tls.name().to_str();
    match tls.trust() {
        Trust::Machine => {
            format!("it must prove to be {name} by an authority that this machine trusts")
        }
        Trust::File(file) => {
            let file = file.display();
            format!("it must prove to be {name} by an authority in {file}")
        }
        Trust::Anyone => "it need not prove anything: `insecure` is set".to_owned(),
    }
}
