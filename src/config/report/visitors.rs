//! The part of the report about visitors: by what they are known, and who is none.

use super::list;
use crate::capture::{Handling, Parameter};
use crate::click::Identifies;
use crate::config::keys::Source;
use crate::config::units::shown;
use crate::config::{Settings, pattern};
use crate::consent::Need;
use crate::exclude;
use crate::record;
use crate::visit::Attribution;

/// Clicks, cookies, who is no shopper.
pub(super) fn all(settings: &Settings, lines: &mut Vec<String>) {
    let capture = &settings.capture;
    lines.push("\nClicks".to_owned());
    for network in &capture.networks {
        let parameters: Vec<String> = network.parameters.iter().map(parameter).collect();
        let parameters = parameters.join(" and ");
        let what = match network.identifies {
            Identifies::Partner => "which partner",
            Identifies::Click => "which click",
        };
        let name = &network.name;
        lines.push(format!(
            "  {name}: a link with {parameters}, which says {what} it is{}",
            exempt(&network.consent)
        ));
    }
    let winner = match capture.attribution {
        Attribution::LastClick => "of several clicks the last wins",
        Attribution::FirstClick => "of several clicks the first wins",
        Attribution::All => {
            "every network with a click is told of it, so one order may pay several networks"
        }
    };
    lines.push(format!(
        "  an order counts for {} after the click; {winner}",
        shown(capture.window)
    ));
    let least = settings.record.min_click_age;
    if !least.is_zero() {
        let least = shown(least);
        lines.push(format!(
            "  an order that comes within {least} of the click is held for you"
        ));
    }
    lines.push(match capture.parameter {
        Handling::Strip => "  the shop does not see the parameters".to_owned(),
        Handling::Keep => "  the shop sees the parameters".to_owned(),
        Handling::Redirect => {
            "  the browser is sent on to the address without the parameters".to_owned()
        }
    });
    lines.extend(cookies(settings));
    lines.extend(hand_over(settings));
    lines.extend(excluded(&settings.exclude));
    lines.extend(watched(&settings.record));
}

/// Who looks too often, and who is blocked.
fn watched(record: &record::Settings) -> Vec<String> {
    let guard = &record.guard;
    let bounds = [
        (guard.ids_per_visit, "order ids of one visit"),
        (guard.ids_per_address, "order ids from one address"),
        (guard.buyers_per_address, "of buyers there"),
        (guard.networks_per_visit, "networks of one visit"),
    ];
    let stated = bounds.iter().filter(|(most, _)| *most > 0);
    let stated: Vec<_> = stated
        .map(|(most, what)| format!("{most} {what}"))
        .collect();
    let mut lines = Vec::new();
    if !stated.is_empty() {
        let stated = list(&stated);
        lines.push(format!("  held for you in an hour: what is above {stated}"));
    }
    let partners = record.destinations.iter();
    let mut blocked: Vec<String> = partners
        .flat_map(|(name, it)| {
            it.blocked
                .iter()
                .map(move |value| format!("{value} of {name}"))
        })
        .collect();
    blocked.sort_unstable();
    blocked.extend(
        guard
            .blocked
            .iter()
            .map(|block| format!("clients in {block}")),
    );
    if !blocked.is_empty() {
        lines.push(format!("  blocked, so held for you: {}", list(&blocked)));
    }
    lines
}

/// Which of a network's clicks need no consent.
fn exempt(need: &Need) -> String {
    match need {
        Need::Required => String::new(),
        Need::NotNeeded => "; it needs no consent".to_owned(),
        Need::NotNeededIf(all) => {
            let all: Vec<_> = all
                .iter()
                .map(|(name, is)| format!("{name}={is}"))
                .collect();
            format!("; one with {} needs no consent", all.join(" and "))
        }
    }
}

/// Who is no shopper.
fn excluded(exclude: &exclude::Settings) -> Vec<String> {
    let mut who = Vec::new();
    if exclude.bots {
        who.push("robots that say so".to_owned());
    }
    let agents = exclude.user_agents.iter();
    who.extend(agents.map(|one| format!("programs whose User-Agent matches {one}")));
    who.extend(exclude.cookies.iter().map(|cookie| match &cookie.value {
        Some(value) => format!("browsers with the cookie {}={value}", cookie.name),
        None => format!("browsers with the cookie {}", cookie.name),
    }));
    who.extend(
        exclude
            .networks
            .iter()
            .map(|net| format!("clients in {net}")),
    );
    who.extend(
        exclude
            .paths
            .iter()
            .map(|path| format!("requests for {path}")),
    );
    match who.as_slice() {
        [] => vec!["  nobody is excluded, not even robots".to_owned()],
        who => {
            let who = who.join("; ");
            vec![format!("  no clicks and no orders of: {who}")]
        }
    }
}

/// What the cookies are called, and what seals them.
fn cookies(settings: &Settings) -> Vec<String> {
    let stores = settings.stores.all().iter();
    let mut names: Vec<&str> = stores
        .map(|store| settings.capture.cookie.of(store))
        .collect();
    names.sort_unstable();
    names.dedup();
    let names = names.join(" or ");
    let mut lines = vec![format!(
        "  the cookie is {names}, sealed with {}",
        keys(&settings.keys)
    )];
    let groups = settings.group_keys.iter();
    lines.extend(groups.map(|(group, source)| {
        let keys = keys(source);
        format!("      in the group `{group}` with {keys}")
    }));
    lines
}

fn keys(source: &Source) -> String {
    match source {
        Source::File(path) => format!("the keys in {}", path.display()),
        Source::New(path) => format!("a key that `run` will make in {}", path.display()),
        Source::Given(count) => format!("{count} key(s) from the environment"),
    }
}

fn parameter(parameter: &Parameter) -> String {
    let Parameter {
        name,
        pattern,
        max_length,
        required,
    } = parameter;
    let pattern = pattern::as_written(pattern);
    let optional = if *required { "" } else { ", if it is there" };
    format!("{name}=… (matching {pattern}, at most {max_length} bytes{optional})")
}

/// What comes along when a visitor changes stores.
fn hand_over(settings: &Settings) -> Vec<String> {
    let hand_over = &settings.capture.hand_over;
    let mut stores = settings.stores.all().iter();
    if !stores.any(|store| store.scope.siblings) {
        return Vec::new();
    }
    let (parameter, lifetime) = (&hand_over.parameter, shown(hand_over.lifetime));
    let carriers: Vec<&str> = [
        (hand_over.redirects, "redirects"),
        (hand_over.links, "links and forms of pages"),
    ]
    .into_iter()
    .filter_map(|(on, what)| on.then_some(what))
    .collect();
    let mut lines = vec![match carriers.as_slice() {
        [] => "  no redirect, link or form carries a click to another store".to_owned(),
        carriers => format!(
            "  {} to other stores of the group carry the clicks on, as {parameter}=…, for {lifetime}",
            carriers.join(" and ")
        ),
    }];
    if !hand_over.ask.is_empty() {
        lines.push(format!(
            "  a visitor without a click is sent to {} and back once in {}, to be asked about",
            list(&hand_over.ask),
            shown(hand_over.again)
        ));
    }
    lines
}
