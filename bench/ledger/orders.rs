//! Orders as a shop's confirmation page gives them: owed to a click, with what was read of the page.

use refgate::click::{Came, Click};
use refgate::clock::Time;
use refgate::money::Money;
use refgate::order::{
    Candidate, Field, FoundBy, NewPostback, Order, OrderKey, Proof, Sighting, Standing, Timing,
};
use refgate::visit::{Visit, VisitId};

/// How a shop numbers its orders.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Numbers {
    /// One after another, as nearly all do.
    Sequential,
    /// By chance, as UUIDs are: every order falls on pages of its own in each index of numbers.
    Random,
}

impl Numbers {
    /// The `count`th number of a run.
    pub(crate) fn number(self, run: u64, count: u64) -> String {
        match self {
            Self::Sequential => format!("{:09}", run * 10_000_000 + count),
            Self::Random => format!("{:016x}-{run}", scramble(count)),
        }
    }
}

/// A number that looks like chance: the finaliser of `SplitMix64`, which maps no two to one.
fn scramble(count: u64) -> u64 {
    let mixed = (count ^ (count >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// An order that is owed to a click.
pub(crate) fn candidate(id: &str) -> Candidate {
    let at = Time::now();
    let click = click(at);
    let amount = Some(Money {
        amount: "1249.95".parse().unwrap(),
        currency: "USD".parse().unwrap(),
    });
    let key = OrderKey {
        namespace: "us".parse().unwrap(),
        id: id.parse().unwrap(),
    };
    let working = Some("total 1249.95 = 1249.95".to_owned());
    let postback = NewPostback {
        destination: click.network.clone(),
        event: "sale".to_owned(),
        sequence: 0,
        amount,
        held: None,
        timing: Timing::default(),
    };
    let order = Order {
        key: key.clone(),
        aliases: Vec::new(),
        at,
        store: "us".parse().unwrap(),
        rule: "thank-you".parse().unwrap(),
        amount,
        working: working.clone(),
        standing: Standing::Credited,
        why: "last click, of aspire".to_owned(),
        click: Some(click.clone()),
        visit: Some(VisitId(0x1020_3040_5060_7080_90a0_b0c0_d0e0_f007)),
        proof: Some(Proof::Checkout(at)),
        open_until: None,
    };
    let sighting = Sighting {
        at,
        store: order.store.clone(),
        rule: order.rule.clone(),
        request: format!("GET /checkout/thank-you/{id}"),
        key,
        aliases: Vec::new(),
        fields: vec![
            field("id", id, "path /checkout/thank-you/{id}"),
            field("total", "$1,249.95", "css table#totals tr.subtotal td"),
        ],
        amount,
        working,
        faults: Vec::new(),
        visit: order.visit.map(|id| Visit::new(id, click)),
        found_by: FoundBy::default(),
    };
    Candidate {
        sighting,
        order,
        postbacks: vec![postback.clone()],
        quotes: vec![postback],
        shopper: Vec::new(),
    }
}

fn click(at: Time) -> Click {
    let values = [
        ("affiliate_id", "123456"),
        ("transaction_id", "102f4a6b8c0d2e4f6a8b0c2d4e6f80"),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Click {
        network: "aspire".parse().unwrap(),
        values: values.into(),
        at,
        came: Came::landed("us".parse().unwrap(), false),
    }
}

fn field(name: &str, text: &str, origin: &str) -> Field {
    Field {
        name: name.to_owned(),
        text: text.to_owned(),
        origin: origin.to_owned(),
    }
}
