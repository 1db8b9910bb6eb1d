//! The topics put together: each stage gets its part.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::added;
use super::addresses::{self, Addresses};
use super::cookie::{self, Cookie, KeyRing};
use super::keys::{Missing, Source};
use super::ledger;
use super::limits::{self, Limits, Timeouts};
use super::networks::{self, Networks};
use super::reader::Map;
use super::value::Value;
use super::{
    Settings, alarms, exclude, guard, hand_over, held, returns, rules, stores, tls, webhooks,
};
use crate::capture::{CookieName, Handling};
use crate::consent::Consent;
use crate::name::{ConfigName, GroupName};
use crate::observe::pixel::Pixels;
use crate::observe::rule::Rule;
use crate::seal::Keys;
use crate::store::{Store, Stores};
use crate::{accept, capture, forward, observe, record};

/// Everything that the file says; some of it is missing only if a fault was reported.
pub(super) fn settings(root: &Map<'_>, missing: Missing) -> Option<Settings> {
    let addresses = addresses::read(root);
    let (limits, timeouts) = (limits::limits(root), limits::timeouts(root));
    let sending = limits::deliver(root);
    let (stores, known, checkouts) = stores::read(root, &addresses.sockets());
    let (tls, acme) = tls::read(root, &addresses, &stores);
    let cookie = cookie::read(root, &known);
    let mut networks = networks::read(root);
    let webhooks = webhooks::read(root, &mut networks);
    let hand_over = hand_over::read(root, &known, &stores, (&cookie.name, &networks.captured));
    let holds = held::read(root, &networks.recorded, &webhooks);
    let rules = rules::read(root, &known);
    let (ledger, keep) = (ledger::read(root), ledger::keep(root));
    let name = root.get("name").and_then(|name| configuration_name(&name));
    let (alarms, pixels) = alarms::read(root, (&known, &checkouts), networks.hosts());
    let (guard, added, exclude) = (guard::read(root), added::read(root), exclude::read(root));
    let spool = root.or("spool", root.cx.resolve("spool"), path);
    root.finish();
    warn(root, (&stores, &networks, &rules), cookie.parameter);
    let opened = open_keys(root, &cookie, missing)?;
    let keys = (&opened.keys, &opened.group_keys);
    let seen = returns::settings(checkouts, &stores, keys);
    Some(Settings {
        acme,
        admin: addresses.admin.clone(),
        alarms,
        forwarding: added.forwarding,
        access_log: added.access_log,
        watch: added.watch,
        keys: opened.source,
        group_keys: opened.group_sources,
        secrets: Vec::new(),
        exclude,
        ledger: ledger?,
        keep,
        name,
        record: record::Settings {
            hold: timeouts.hold,
            spool,
            window: cookie.window,
            attribution: cookie.attribution,
            min_click_age: cookie.min_click_age,
            checkouts: seen.checkouts,
            shoppers: seen.shoppers,
            returns: seen.returns,
            guard,
            destinations: networks.recorded,
            webhooks,
        },
        capture: capture(
            &cookie,
            (opened.keys, opened.group_keys),
            networks.captured,
            hand_over,
        ),
        deliver: sending.settings(networks.delivered, limits.answer, holds),
        observe: observe((rules, pixels), &limits, &timeouts),
        forward: forward(&addresses, &limits, &timeouts),
        accept: accept(addresses, tls, &limits, &timeouts),
        stores: Stores::new(stores),
    })
}

fn warn(
    root: &Map<'_>,
    (stores, networks, rules): (&[Store], &Networks, &[Rule]),
    parameter: Handling,
) {
    warn_of_currencies(root, stores, networks);
    warn_of_unwatched(root, stores, rules);
    warn_of_room(root, networks);
    warn_of_redirect(root, stores, parameter);
}

fn accept(
    addresses: Addresses,
    tls: accept::tls::Settings,
    limits: &Limits,
    timeouts: &Timeouts,
) -> accept::Settings {
    accept::Settings {
        listen: addresses.listen,
        tls,
        workers: addresses.workers,
        connections: limits.connections,
        trusted: addresses.trusted_proxies,
        head_limit: limits.request_head,
        head_timeout: timeouts.request_head,
        idle_timeout: timeouts.idle,
        stall_timeout: timeouts.stall,
        drain: timeouts.drain,
    }
}

fn capture(
    cookie: &Cookie<'_>,
    (keys, group_keys): (Keys, BTreeMap<GroupName, Keys>),
    networks: Vec<capture::Network>,
    hand_over: capture::hand_over::HandOver,
) -> capture::Settings {
    capture::Settings {
        cookie: CookieName::new(&cookie.name),
        keys,
        group_keys,
        window: cookie.window,
        attribution: cookie.attribution,
        parameter: cookie.parameter,
        networks,
        hand_over,
    }
}

fn observe(
    (rules, pixels): (Vec<Rule>, Pixels),
    limits: &Limits,
    timeouts: &Timeouts,
) -> observe::Settings {
    observe::Settings {
        rules,
        pixels,
        body_limit: limits.body_copy,
        decoded_limit: limits.body_decoded,
        read_timeout: timeouts.read,
        abandoned_timeout: timeouts.abandoned,
        readers: limits.readers,
    }
}

fn forward(addresses: &Addresses, limits: &Limits, timeouts: &Timeouts) -> forward::Settings {
    forward::Settings {
        trusted_proxies: addresses.trusted_proxies.clone(),
        connect_timeout: timeouts.connect,
        response_timeout: timeouts.response,
        body_timeout: timeouts.body,
        pool_idle: timeouts.pool,
        pool_size: limits.pool,
        tunnel_timeout: timeouts.tunnel,
    }
}

fn configuration_name(value: &Value<'_>) -> Option<ConfigName> {
    value
        .text()?
        .parse("a name of letters, digits, `_`, `-` and `.`")
}

/// A file or a folder.
pub(super) fn path(value: &Value<'_>) -> Option<PathBuf> {
    let text = value.text()?;
    if text.as_str().is_empty() || text.as_str().contains('\0') {
        text.wrong(None, "a path");
        return None;
    }
    Some(value.cx.resolve(text.as_str()))
}

/// Every ring's keys, with where they are.
struct Opened {
    keys: Keys,
    source: Source,
    group_keys: BTreeMap<GroupName, Keys>,
    group_sources: BTreeMap<GroupName, Source>,
}

/// Key files are made only for a configuration without faults, so that a wrong one leaves nothing behind.
fn open_keys(root: &Map<'_>, cookie: &Cookie<'_>, missing: Missing) -> Option<Opened> {
    if missing == Missing::Create {
        open_keys(root, cookie, Missing::Pretend)?;
        if root.cx.is_faulty() {
            return None;
        }
    }
    let open = |ring: &KeyRing<'_>| {
        let opened = ring.open(missing);
        opened.map_err(|(place, problem)| root.cx.report(&place, problem))
    };
    let first = cookie.keys.as_ref().map(open);
    let (mut group_keys, mut group_sources) = (BTreeMap::new(), BTreeMap::new());
    for (group, ring) in &cookie.groups {
        if let Ok((keys, source)) = open(ring) {
            group_keys.insert(group.clone(), keys);
            group_sources.insert(group.clone(), source);
        }
    }
    let (keys, source) = first?.ok()?;
    Some(Opened {
        keys,
        source,
        group_keys,
        group_sources,
    })
}

/// Money that the network would count as its own is held instead.
fn warn_of_currencies(root: &Map<'_>, stores: &[Store], networks: &Networks) {
    for (name, place) in &networks.places {
        let Some(network) = networks.recorded.get(name) else {
            continue;
        };
        for store in stores {
            let (own, other) = (network.currency, store.currency);
            if own == other || network.rates.contains_key(&other) {
                continue;
            }
            let words = format!(
                "the store `{}` sells in {other} and this network counts in {own}: without \
                 `rates: {{ {other}: … }}` (one {other} in {own}) every such order will be held",
                store.name
            );
            root.cx.warn(place, words);
        }
    }
}

/// What a browser keeps of one cookie is 4,096 bytes (RFC 6265 §6.1); sealing makes a third more of it.
const ROOM: usize = 2_600;

fn warn_of_room(root: &Map<'_>, networks: &Networks) {
    let parameters = networks.captured.iter().flat_map(|one| &one.parameters);
    let most: usize = parameters.map(|one| one.name.len() + one.max_length).sum();
    if most > ROOM {
        let words = format!(
            "one click of every network could take {most} bytes, and a cookie has room for {ROOM}: \
             set `max_length` of their parameters lower"
        );
        let place = networks
            .places
            .first()
            .map_or(&root.place, |(_, place)| place);
        root.cx.warn(place, words);
    }
}

/// A click before the choice is captured by the `Referer` of the next page, which a redirect empties.
fn warn_of_redirect(root: &Map<'_>, stores: &[Store], parameter: Handling) {
    let asks = |store: &&Store| matches!(store.consent, Consent::Told(_));
    if parameter != Handling::Redirect {
        return;
    }
    if let Some(store) = stores.iter().find(asks) {
        let words = format!(
            "with `parameter: redirect` a visitor of the store `{}` who consents only after he \
             landed is lost: the page no longer tells by which link he came",
            store.name
        );
        root.cx.warn(&root.section("cookie").place, words);
    }
}

fn warn_of_unwatched(root: &Map<'_>, stores: &[Store], rules: &[Rule]) {
    let watched = |store: &&Store| {
        let of_store = |rule: &Rule| rule.stores.is_empty() || rule.stores.contains(&store.name);
        rules.iter().any(of_store)
    };
    // A rule at fault is not among the rules.
    if rules.is_empty() || root.cx.is_faulty() {
        return;
    }
    for store in stores.iter().filter(|store| !watched(store)) {
        let words = format!(
            "no rule is for the store `{}`: its orders will never be seen",
            store.name
        );
        root.cx.warn(&root.place, words);
    }
}
