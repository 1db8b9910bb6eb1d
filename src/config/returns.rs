//! `stores.NAME.checkout:` and `session_cookie:` → where checkout steps are seen, and what sessions
//! are remembered there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::fault::Problem;
use super::reader::Map;
use super::value::Value;
use crate::name::{GroupName, StoreName};
use crate::observe::rule::PathPattern;
use crate::record;
use crate::seal::Keys;
use crate::session::Marker;
use crate::store::Store;

/// Most paths of one store's checkout.
const PATHS: usize = 32;

/// Longest memory: a payment takes minutes, and what is remembered is about people.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What stores say of their checkouts.
pub(super) type Checkouts = Vec<(StoreName, Checkout)>;

/// What one store says.
pub(super) struct Checkout {
    routes: Vec<PathPattern>,
    session: Option<Session>,
}

struct Session {
    cookie: String,
    memory: Duration,
}

/// Reads a store's three keys; nothing if it names no checkout, or one of them is at fault.
pub(super) fn read(store: &Map<'_>) -> Option<Checkout> {
    let (cookie, routes, memory) = (
        store.get("session_cookie"),
        store.get("checkout"),
        store.get("session_memory"),
    );
    if let (None, Some(memory)) = (&cookie, &memory) {
        // Without it this says nothing.
        let found = "it without a `session_cookie`".to_owned();
        let expected = "the name of the shop's session cookie beside it".to_owned();
        store
            .cx
            .report(&memory.place, Problem::Wrong { found, expected });
    }
    let session = cookie.map(|cookie| {
        let memory = memory.map_or(Some(Duration::from_secs(2 * 3600)), |value| time(&value));
        let (cookie, memory) = (name(&cookie)?, memory?);
        Some(Session { cookie, memory })
    });
    let Some(routes) = routes else {
        if session.is_some() {
            let expected = "the paths of the checkout, like [/cart, \"/checkout/*\"]";
            store.missing("checkout", expected);
        }
        return None;
    };
    let routes = paths(&routes)?;
    let session = match session {
        Some(session) => Some(session?),
        None => None,
    };
    Some(Checkout { routes, session })
}

/// A token, as cookies' names are (RFC 6265 §4.1.1).
fn name(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let name = text.as_str();
    if (1..=256).contains(&name.len()) && name.bytes().all(token) {
        return Some(text.free());
    }
    text.wrong(None, "a cookie's exact name, like PHPSESSID");
    None
}

fn paths(value: &Value<'_>) -> Option<Vec<PathPattern>> {
    let items = value.one_or_many();
    if items.is_empty() || items.len() > PATHS {
        value.wrong("a list of another length", "one path, or a list of 1 to 32");
        return None;
    }
    let read = |item: &Value<'_>| item.parse("a path like /cart, /checkout/* or /checkout/**");
    // All are read, so that all faults are told.
    let paths: Vec<Option<PathPattern>> = items.iter().map(read).collect();
    paths.into_iter().collect()
}

fn time(value: &Value<'_>) -> Option<Duration> {
    let memory = value.duration()?;
    if memory > Duration::ZERO && memory <= LONGEST {
        return Some(memory);
    }
    value.wrong("another time", "a duration above zero, at most 1d");
    None
}

/// What the order path goes by of the stores' shoppers, by store.
pub(super) struct Shoppers {
    pub(super) checkouts: HashMap<StoreName, Vec<PathPattern>>,
    pub(super) shoppers: HashMap<StoreName, Marker>,
    pub(super) returns: HashMap<StoreName, record::Sessions>,
}

/// Fills the order path's settings, with the keys and the stores' order namespaces.
pub(super) fn settings(
    checkouts: Checkouts,
    stores: &[Store],
    (keys, group_keys): (&Keys, &BTreeMap<GroupName, Keys>),
) -> Shoppers {
    let (mut routes, mut returns) = (HashMap::new(), HashMap::new());
    for (name, checkout) in checkouts {
        routes.insert(name.clone(), checkout.routes);
        let store = stores.iter().find(|store| store.name == name);
        let Some((store, session)) = store.zip(checkout.session) else {
            continue;
        };
        let sessions = record::Sessions {
            cookie: session.cookie,
            memory: session.memory,
            marker: Marker::new(
                group_keys.get(&store.group).unwrap_or(keys),
                &store.group,
                &store.orders,
            ),
            complained: Arc::default(),
        };
        returns.insert(name, sessions);
    }
    Shoppers {
        checkouts: routes,
        shoppers: shoppers(stores, (keys, group_keys)),
        returns,
    }
}

/// What makes the marks of who looks at a confirmation, of every store.
fn shoppers(
    stores: &[Store],
    (keys, group_keys): (&Keys, &BTreeMap<GroupName, Keys>),
) -> HashMap<StoreName, Marker> {
    let marker = |store: &Store| {
        let keys = group_keys.get(&store.group).unwrap_or(keys);
        let marker = Marker::of_shoppers(keys, &store.group, &store.orders);
        (store.name.clone(), marker)
    };
    stores.iter().map(marker).collect()
}
