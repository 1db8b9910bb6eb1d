//! Whether the cookie is kept: who is given one, and who opens another page with it.

use super::visiting::Visiting;
use super::{Head, Settings, cookies, navigation};
use crate::store::Store;

impl Settings {
    /// Somebody opens a page, maybe with a cookie that he was given lately.
    pub(super) fn came_back(&self, head: &Head<'_>, ours: &cookies::Ours, store: &Store) {
        if ours.is_empty(head.fields) || !navigation::is_document(head.method, head.fields) {
            return;
        }
        for value in ours.all(head.fields, self.cookie.of(store)) {
            store.traffic.kept.came(value);
        }
    }
}

impl Visiting<'_> {
    /// One who came without a cookie of ours is given one by these `Set-Cookie`.
    pub(super) fn gave(&self, set_cookies: &[String]) {
        let (store, fields) = (&self.by.place.store, &*self.head.fields);
        if !self.ours.is_empty(fields) {
            return;
        }
        let name = self.settings.cookie.of(store);
        let agent = fields.text("user-agent").unwrap_or_default();
        for cookie in set_cookies {
            let pair = cookie
                .split(';')
                .next()
                .and_then(|pair| pair.split_once('='));
            if let Some((_, value)) = pair.filter(|(own, _)| *own == name) {
                store
                    .traffic
                    .kept
                    .gave(value.as_bytes(), agent, self.by.now);
            }
        }
    }
}
