//! Candidates and ledgers, one line each.

use std::path::Path;
use std::time::Duration;

use refgate::click::{Came, Click};
use refgate::clock::Time;
use refgate::ledger::{Action, Follows, Ledger, Role, Settings, Settlement, Steer, Which};
use refgate::money::Money;
use refgate::name::NetworkName;
use refgate::order::{
    Candidate, Doubt, Field, FoundBy, NewPostback, Order, OrderKey, Proof, Sighting, Standing,
    Timing,
};
use refgate::postback::{AttemptId, Outcome, Postback, PostbackId, State, Verdict};
use refgate::visit::{Visit, VisitId};

use super::postgres;

/// The moment at which the tests begin.
pub(crate) const NOW: Time = Time::from_millis(1_795_392_000_000);

/// How long the tests lease.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// `NOW` and so many seconds.
pub(crate) fn later(seconds: u64) -> Time {
    NOW.plus(Duration::from_secs(seconds))
}

/// Opens the ledger of `dir`: on PostgreSQL where the tests are to run on it, otherwise in SQLite.
pub(crate) fn open(dir: &Path, role: Role) -> Result<Ledger, refgate::ledger::Error> {
    match postgres::of(dir) {
        Some(url) => Ledger::open(&postgres::settings(&url), role, NOW),
        None => sqlite(dir, role),
    }
}

/// Opens the SQLite file in `dir`.
pub(crate) fn sqlite(dir: &Path, role: Role) -> Result<Ledger, refgate::ledger::Error> {
    let path = dir.join("refgate.db");
    Ledger::open(&Settings::Sqlite(path), role, NOW)
}

/// The network that the orders of the tests are owed to.
pub(crate) fn aspire() -> NetworkName {
    "aspire".parse().unwrap()
}

/// An affiliate's click.
pub(crate) fn click() -> Click {
    let values = [("affiliate_id".to_owned(), "123456".to_owned())].into();
    Click {
        network: aspire(),
        values,
        at: NOW.minus(Duration::from_secs(600)),
        came: Came::default(),
    }
}

/// US dollars.
pub(crate) fn usd(amount: &str) -> Money {
    Money {
        amount: amount.parse().unwrap(),
        currency: "USD".parse().unwrap(),
    }
}

/// What a rule reads on a confirmation.
pub(crate) fn sighting(id: &str, amount: Option<&str>) -> Sighting {
    let visit = Visit {
        id: VisitId(7),
        clicks: vec![click()],
        checkout: Some(NOW),
    };
    let field = |name: &str, text: &str| Field {
        name: name.to_owned(),
        text: text.to_owned(),
        origin: "css #order".to_owned(),
    };
    let mut fields = vec![field("order_id", id)];
    fields.extend(amount.map(|amount| field("total", amount)));
    Sighting {
        at: NOW,
        store: "us".parse().unwrap(),
        rule: "thank-you".parse().unwrap(),
        request: format!("GET /checkout/thank-you/{id}"),
        key: OrderKey {
            namespace: "demo".parse().unwrap(),
            id: id.parse().unwrap(),
        },
        aliases: Vec::new(),
        fields,
        amount: amount.map(usd),
        working: amount.map(|amount| format!("total {amount} = {amount}")),
        faults: Vec::new(),
        visit: Some(visit),
        found_by: FoundBy::default(),
    }
}

/// A credited order of that amount; held as unreadable without one.
pub(crate) fn candidate(id: &str, amount: Option<&str>) -> Candidate {
    let sighting = sighting(id, amount);
    let standing = match amount {
        Some(_) => Standing::Credited,
        None => Standing::Held(Doubt::Unreadable),
    };
    let order = Order {
        key: sighting.key.clone(),
        aliases: Vec::new(),
        at: sighting.at,
        store: sighting.store.clone(),
        rule: sighting.rule.clone(),
        amount: sighting.amount,
        working: sighting.working.clone(),
        standing,
        why: "last click, of aspire".to_owned(),
        click: Some(click()),
        visit: Some(VisitId(7)),
        proof: Some(Proof::Checkout(NOW)),
        open_until: None,
    };
    let held = amount
        .is_none()
        .then(|| (Doubt::Unreadable, "no amount".to_owned()));
    let postback = NewPostback {
        destination: aspire(),
        event: "sale".to_owned(),
        sequence: 0,
        amount: sighting.amount,
        held,
        timing: Timing::default(),
    };
    Candidate {
        sighting,
        order,
        postbacks: vec![postback.clone()],
        quotes: vec![postback],
        shopper: Vec::new(),
    }
}

/// The end of an attempt.
pub(crate) fn settlement(postback: &Postback, attempt: AttemptId, state: State) -> Settlement {
    let verdict = match state {
        State::Accepted => Verdict::Accepted,
        State::Due => Verdict::NotProcessed,
        _ => Verdict::Unclear,
    };
    let outcome = Outcome {
        at: NOW,
        status: Some(200),
        words: "success=true;".to_owned(),
        verdict,
    };
    Settlement {
        postback: postback.id,
        attempt,
        outcome,
        state,
        due: None,
        doubt: None,
        cause: None,
    }
}

/// The operator's word on postbacks.
pub(crate) fn steer(action: Action, ids: &[PostbackId]) -> Steer {
    Steer {
        which: Which::These(ids.to_vec()),
        action,
        from: action.usual(),
        reason: "asked".parse().unwrap(),
        actor: "alice".parse().unwrap(),
        follows: Follows::default(),
    }
}
