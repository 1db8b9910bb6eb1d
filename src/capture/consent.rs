//! Whose clicks may be remembered, and what becomes of those that may no more.

use super::visiting::Visiting;
use super::{Head, Network, Settings, cookies, navigation};
use crate::click::Click;
use crate::consent::{Choice, Consent, Need};
use crate::message::Fields;
use crate::store::Store;
use crate::visit::Visit;

/// What the visitor of a request to `store` has chosen. A store that asks nobody has been given
/// it; Global Privacy Control refuses (`Sec-GPC: 1`, domain.md §5).
pub(super) fn choice(store: &Store, fields: &Fields) -> Choice {
    let Consent::Told(teller) = &store.consent else {
        return Choice::Given;
    };
    if fields.get("sec-gpc") == Some(b"1") {
        return Choice::Refused;
    }
    teller.choice(cookies::named(fields, teller.cookie.as_bytes()))
}

/// Whether a visit ends here: its visitor has refused, or the consent tool has nothing of him where
/// the browser sends all the cookies of the site. It does not so when another site leads here:
/// a payment page that comes back by POST brings neither our cookie nor the tool's.
pub(super) fn is_withdrawn(choice: Choice, head: &Head<'_>) -> bool {
    match choice {
        Choice::Given => false,
        Choice::Refused => true,
        Choice::Unknown => {
            navigation::is_document(head.method, head.fields)
                && navigation::is_from_within(head.fields, head.host)
        }
    }
}

impl Settings {
    /// Whether `click` is one that only a visitor who agrees is remembered for.
    pub(super) fn needs_consent(&self, click: &Click) -> bool {
        let mut networks = self.networks.iter();
        let network = networks.find(|network| network.name == click.network);
        network.is_none_or(|network| network.consent.is_of(&click.values))
    }

    /// Whether there is a network whose clicks may be remembered of the visitor.
    pub(super) fn may_keep_any(&self, store: &Store, fields: &Fields) -> bool {
        let exempt = |network: &Network| network.consent != Need::Required;
        choice(store, fields) == Choice::Given || self.networks.iter().any(exempt)
    }

    /// What is left of a visit whose visitor has not agreed, or no more: the clicks that need no
    /// consent.
    pub(super) fn exempt(&self, mut visit: Visit) -> Option<Visit> {
        visit.clicks.retain(|click| !self.needs_consent(click));
        (!visit.clicks.is_empty()).then_some(visit)
    }
}

impl Visiting<'_> {
    /// Whether `click` may be remembered of a visitor with that choice.
    pub(super) fn may_keep(&self, click: &Click) -> bool {
        self.choice == Choice::Given || !self.settings.needs_consent(click)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::consent::{Sign, Teller};

    proptest! {
        #[test]
        fn no_cookie_bytes_make_it_panic(
            before in proptest::collection::vec(any::<u8>(), 0..60),
            value in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let teller = Teller {
                cookie: "CookieConsent".to_owned(),
                sign: Sign::Cookiebot,
            };
            let field = [&before[..], b"; CookieConsent=", &value].concat();
            let fields: Fields = [("Cookie", &before[..]), ("Cookie", &field)].into_iter().collect();
            teller.choice(cookies::named(&fields, teller.cookie.as_bytes()));
        }
    }
}
