//! Where a request is: its store among the others.

use std::sync::Arc;

use crate::message::Fields;
use crate::store::hosts;
use crate::store::{Store, Stores};

/// A request's store, and all that there are.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Every store.
    pub stores: &'a Stores,
    /// The request's.
    pub store: &'a Arc<Store>,
}

impl<'a> Place<'a> {
    /// The store of `host`, where a visitor who comes from `here` to there is to be handed over:
    /// of the same group, and without the cookie that he has here. Hosts in any case.
    pub fn sibling(self, here: &str, host: &str) -> Option<&'a Arc<Store>> {
        let store = self.stores.find(host)?;
        let shared = || {
            let (here, host) = (here.to_ascii_lowercase(), host.to_ascii_lowercase());
            self.store.shares_cookie(&here, store, &host)
        };
        (store.group == self.store.group && !shared()).then_some(store)
    }

    /// The sibling that the page before was one of, as its `Referer` has it, with its host.
    pub(super) fn sibling_before(
        self,
        here: &str,
        fields: &Fields,
    ) -> Option<(&'a Store, &'a str)> {
        let (scheme, rest) = fields.text("referer")?.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let host = hosts::name(rest.get(..end)?);
        let store = self.sibling(here, host)?;
        let host = store
            .hosts
            .iter()
            .find(|own| own.eq_ignore_ascii_case(host))?;
        let by_scheme = scheme.eq_ignore_ascii_case(&store.scheme.to_string());
        by_scheme.then_some((store, host))
    }
}
