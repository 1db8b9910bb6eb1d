//! `upstream_tls:` of a store: who its shop must prove to be.

use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::fault::Problem;
use super::hosts::Named;
use super::reader::{Map, Place};
use super::value::Value;
use crate::cause::Causes;
use crate::store::Upstream;
use crate::store::tls::{self, Tls, Trust};

/// What one store says of it.
pub(super) struct Terms {
    trust: Trust,
    /// In place of the upstream's own host.
    name: Option<String>,
    /// Where a fault with it is told.
    place: Place,
}

/// Every way in which shops are trusted, made once: upstreams that share one share its sessions.
#[derive(Default)]
pub(super) struct Clients(Vec<(Trust, Option<Arc<ClientConfig>>)>);

/// Reads it; `secure` says whether any upstream of the store is an `https://` one.
pub(super) fn read(store: &Map<'_>, secure: bool) -> Terms {
    let map = store.section("upstream_tls");
    let ca = map.get("ca");
    let file = ca.as_ref().and_then(Value::text);
    let insecure = map.or("insecure", false, Value::flag);
    let name = map.or("server_name", None, |value| name(value).map(Some));
    map.finish();
    if let (Some(ca), true) = (&ca, insecure) {
        ca.wrong("`ca` beside `insecure: true`", "one of the two");
    }
    if store.has("upstream_tls") && !secure {
        let found = "`upstream_tls`".to_owned();
        let expected = "it only where `upstream` begins with https://".to_owned();
        map.cx
            .report(&map.place, Problem::Wrong { found, expected });
    }
    if insecure && secure {
        let words = "with `insecure: true` anybody between here and the shop can read and change \
                     what passes; `ca` names an authority of your own";
        map.cx.warn(&map.place, words);
    }
    Terms {
        place: ca.map_or_else(|| map.place.clone(), |ca| ca.place),
        trust: match file {
            Some(file) => Trust::File(map.cx.resolve(file.as_str())),
            None if insecure => Trust::Anyone,
            None => Trust::Machine,
        },
        name,
    }
}

fn name(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let known = ServerName::try_from(text.as_str()).is_ok();
    if !known {
        text.wrong(None, "the host name that the shop's certificate is for");
    }
    known.then(|| text.as_str().to_owned())
}

impl Clients {
    /// The upstream as it is spoken to.
    pub(super) fn complete(
        &mut self,
        store: &Map<'_>,
        named: Named,
        terms: &Terms,
    ) -> Option<Upstream> {
        let mut upstream = named.upstream;
        if named.secure {
            let client = self.client(store, terms)?;
            let name = terms.name.as_deref().unwrap_or(&upstream.host);
            // A host that is none has been told already.
            let tls = Tls::new(name, terms.trust.clone(), client).ok()?;
            upstream.tls = Some(Arc::new(tls));
        }
        Some(upstream)
    }

    fn client(&mut self, store: &Map<'_>, terms: &Terms) -> Option<Arc<ClientConfig>> {
        let known = self.0.iter().find(|(trust, _)| *trust == terms.trust);
        if let Some((_, client)) = known {
            return client.clone();
        }
        let made = tls::client(&terms.trust);
        let client = made.map_err(|error| {
            let (found, expected) = match &terms.trust {
                Trust::File(_) => (
                    format!("a file that is of no use ({})", Causes(&error)),
                    "a PEM file with the certificates of the authorities that sign the shop's",
                ),
                Trust::Machine | Trust::Anyone => (
                    format!("a machine without authorities ({})", Causes(&error)),
                    "its package of authorities' certificates; or `ca`, a file of your own",
                ),
            };
            let expected = expected.to_owned();
            let problem = Problem::Wrong { found, expected };
            store.cx.report(&terms.place, problem);
        });
        let client = client.ok();
        self.0.push((terms.trust.clone(), client.clone()));
        client
    }
}
