//! New orders, with all that belongs to them: a whole group by one statement a table, as most of what an order costs
//! the server is the statement.

use std::borrow::Cow;
use std::collections::HashMap;

use futures_util::future::try_join;
use tokio_postgres::Row;

use super::connection::{Connection, Params};
use super::enter::clean;
use super::owed::Owed;
use crate::clock::Time;
use crate::ledger::ALIASES;
use crate::ledger::error::Error;
use crate::ledger::row::{Columns as _, money_words, standing_words, to_json};
use crate::ledger::story::Entered;
use crate::ledger::texts::Texts;
use crate::name::Namespace;
use crate::order::{Candidate, Order, OrderId};

/// Enters the orders that go by none of their ids yet, and are not known without their row; the others it passes over.
/// Who makes the same order at this moment is waited for. All replicas take the orders' locks in one order, then the
/// aliases' in one. The ids are looked up one by one: a plan that was made for a small table must not read all of a large one.
/// Where an order stands aside by one of them, or near it by its namespace's name, whose that is is found out by itself.
const ORDERS: &str = "INSERT INTO orders (namespace, number, at, store, rule, amount, currency, working, standing, doubt,
    why, network, click, visit, proof, open_until, shopper, seen)
  SELECT o.namespace, o.number, o.at, o.store, o.rule, o.amount, o.currency, o.working, o.standing, o.doubt,
    o.why, o.network, o.click, o.visit, o.proof, o.open_until, o.shopper, 1
  FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::bigint[],
    $17::text[]) WITH ORDINALITY
    AS o (namespace, number, at, store, rule, amount, currency, working, standing, doubt, why, network, click, visit,
      proof, open_until, shopper, place)
  WHERE o.place NOT IN (SELECT ids.place
    FROM unnest($18::bigint[], $19::text[], $20::text[], $21::text[], $22::text[])
      AS ids (place, namespace, number, mark, aside)
    WHERE (SELECT aliases.order_id FROM aliases
        WHERE aliases.namespace = ids.namespace AND aliases.number = ids.number) IS NOT NULL
      OR (SELECT known_orders.at FROM known_orders
        WHERE known_orders.namespace = ids.namespace AND known_orders.mark = ids.mark) IS NOT NULL
      OR (SELECT count(*) FROM aliases
        WHERE aliases.number = ids.number AND substr(aliases.namespace, 1, length(ids.aside)) = ids.aside) > 0)
  ORDER BY o.place
  ON CONFLICT (namespace, number) DO NOTHING RETURNING id, namespace, number";

/// An id that is taken meanwhile fails it: the group is run again then.
const ALIASED: &str = "INSERT INTO aliases (namespace, number, order_id)
  SELECT ids.namespace, ids.number, ids.id FROM unnest($1::text[], $2::text[], $3::bigint[])
    AS ids (namespace, number, id) ORDER BY ids.namespace, ids.number";

const SEEN: &str = "INSERT INTO sightings (order_id, at, rule, body, notes)
  SELECT seen.id, seen.at, seen.rule, seen.body, seen.notes
  FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[]) AS seen (id, at, rule, body, notes)";

/// A candidate with what is written of it if it is a new order; made before it queues.
pub(super) struct New {
    pub(super) candidate: Candidate,
    /// Its own id, and the others as they are told, as many as are kept.
    pub(super) ids: Vec<OrderId>,
    pub(super) texts: Texts,
    notes: String,
}

impl New {
    pub(super) fn of(candidate: Candidate) -> Result<Self, Error> {
        let order = &candidate.order;
        let (mut ids, mut notes) = (vec![order.key.id.clone()], Vec::new());
        for alias in &order.aliases {
            if ids.contains(alias) {
                continue;
            }
            if ids.len() > ALIASES {
                notes.push(format!("{ALIASES} other ids are kept, {alias} is not"));
                break;
            }
            ids.push(alias.clone());
        }
        Ok(Self {
            texts: Texts::of(&candidate)?,
            notes: to_json("sightings.notes", &notes)?,
            ids,
            candidate,
        })
    }

    fn entered(&self) -> Entered {
        let mut aliases: Vec<OrderId> = self.ids.iter().skip(1).cloned().collect();
        aliases.sort();
        Entered::New(Order {
            aliases,
            ..self.candidate.order.clone()
        })
    }
}

/// Enters those that are new, in this order; none for each that is known, with its row or without, and for each beside which
/// one may stand aside. No two of them may go by one id.
pub(super) async fn first(db: &Connection, group: &[&New]) -> Result<Vec<Option<Entered>>, Error> {
    enter(db, group, true).await
}

/// The same of one, beside which no order stands aside that is its own.
pub(super) async fn first_of(db: &Connection, new: &New) -> Result<Option<Entered>, Error> {
    Ok(enter(db, &[new], false).await?.into_iter().flatten().next())
}

async fn enter(
    db: &Connection,
    group: &[&New],
    look_aside: bool,
) -> Result<Vec<Option<Entered>>, Error> {
    if group.is_empty() {
        return Ok(Vec::new());
    }
    let mut orders = Orders::default();
    for (place, new) in (1..).zip(group) {
        orders.push(db, (place, look_aside), new)?;
    }
    let rows = orders.enter(db).await?;
    let mut made = HashMap::with_capacity(rows.len());
    for row in &rows {
        let key = (row.text("namespace")?, row.text("number")?);
        made.insert(key, row.number("id")?);
    }
    let mut entered = Vec::with_capacity(group.len());
    let (mut belongings, mut owed) = (Belongings::default(), Owed::default());
    for new in group {
        let key = &new.candidate.order.key;
        let key = (
            key.namespace.as_str().to_owned(),
            key.id.as_str().to_owned(),
        );
        let id = made.get(&key).copied();
        if let Some(id) = id {
            belongings.push(id, new);
            owed.push(id, &new.candidate, &new.texts)?;
        }
        entered.push(id.map(|_id| new.entered()));
    }
    if !made.is_empty() {
        // None waits for another one's answer.
        try_join(belongings.enter(db), owed.enter(db)).await?;
    }
    Ok(entered)
}

/// Rows of `orders`, column by column, and their ids with the marks of these.
#[derive(Default)]
struct Orders<'a> {
    namespaces: Vec<&'a str>,
    numbers: Vec<&'a str>,
    times: Vec<i64>,
    stores: Vec<&'a str>,
    rules: Vec<&'a str>,
    amounts: Vec<Option<String>>,
    currencies: Vec<Option<String>>,
    workings: Vec<Option<Cow<'a, str>>>,
    standings: Vec<&'static str>,
    doubts: Vec<Option<String>>,
    whys: Vec<Cow<'a, str>>,
    networks: Vec<Option<&'a str>>,
    clicks: Vec<Option<&'a str>>,
    visits: Vec<Option<String>>,
    proofs: Vec<Option<&'a str>>,
    ends: Vec<Option<i64>>,
    shoppers: Vec<Option<&'a str>>,
    ids: Ids<'a>,
}

#[derive(Default)]
struct Ids<'a> {
    places: Vec<i64>,
    namespaces: Vec<&'a str>,
    numbers: Vec<&'a str>,
    marks: Vec<String>,
    /// How the namespaces begin in which the same order may stand; none: it is known not to.
    asides: Vec<Option<String>>,
}

impl<'a> Orders<'a> {
    fn push(
        &mut self,
        db: &Connection,
        (place, look_aside): (i64, bool),
        new: &'a New,
    ) -> Result<(), Error> {
        let (order, texts) = (&new.candidate.order, &new.texts);
        let (amount, currency) = money_words(order.amount);
        let (standing, doubt) = standing_words(&order.standing)?;
        self.namespaces.push(order.key.namespace.as_str());
        self.numbers.push(order.key.id.as_str());
        self.times.push(order.at.millis());
        self.stores.push(order.store.as_str());
        self.rules.push(order.rule.as_str());
        self.amounts.push(amount);
        self.currencies.push(currency);
        self.workings.push(order.working.as_deref().map(clean));
        self.standings.push(standing);
        self.doubts.push(doubt);
        self.whys.push(clean(&order.why));
        let network = order.click.as_ref().map(|click| click.network.as_str());
        self.networks.push(network);
        self.clicks.push(texts.click.as_deref());
        self.visits.push(order.visit.map(|visit| visit.to_string()));
        self.proofs.push(texts.proof.as_deref());
        self.ends.push(order.open_until.map(Time::millis));
        self.shoppers.push(texts.shopper.as_deref());
        let namespace = &order.key.namespace;
        let look_aside = look_aside && order.visit.is_some();
        for id in &new.ids {
            let aside = look_aside.then(|| format!("{namespace}{}", Namespace::ASIDE));
            self.ids.asides.push(aside);
            self.ids.places.push(place);
            self.ids.namespaces.push(namespace.as_str());
            self.ids.numbers.push(id.as_str());
            self.ids
                .marks
                .push(db.marker()?.mark(namespace, id.as_str()));
        }
        Ok(())
    }

    async fn enter(&self, db: &Connection) -> Result<Vec<Row>, Error> {
        let given: Params<'_> = &[
            &self.namespaces,
            &self.numbers,
            &self.times,
            &self.stores,
            &self.rules,
            &self.amounts,
            &self.currencies,
            &self.workings,
            &self.standings,
            &self.doubts,
            &self.whys,
            &self.networks,
            &self.clicks,
            &self.visits,
            &self.proofs,
            &self.ends,
            &self.shoppers,
            &self.ids.places,
            &self.ids.namespaces,
            &self.ids.numbers,
            &self.ids.marks,
            &self.ids.asides,
        ];
        db.rows(ORDERS, given).await
    }
}

/// Rows of `aliases` and `sightings`, column by column.
#[derive(Default)]
struct Belongings<'a> {
    /// Of each id: the namespace, itself, its order.
    namespaces: Vec<&'a str>,
    numbers: Vec<&'a str>,
    owners: Vec<i64>,
    orders: Vec<i64>,
    times: Vec<i64>,
    rules: Vec<&'a str>,
    bodies: Vec<&'a str>,
    notes: Vec<&'a str>,
}

impl<'a> Belongings<'a> {
    fn push(&mut self, order: i64, new: &'a New) {
        let sighting = &new.candidate.sighting;
        for id in &new.ids {
            let namespace = &new.candidate.order.key.namespace;
            self.namespaces.push(namespace.as_str());
            self.numbers.push(id.as_str());
            self.owners.push(order);
        }
        self.orders.push(order);
        self.times.push(sighting.at.millis());
        self.rules.push(sighting.rule.as_str());
        self.bodies.push(&new.texts.sighting);
        self.notes.push(&new.notes);
    }

    async fn enter(&self, db: &Connection) -> Result<(), Error> {
        let ids: Params<'_> = &[&self.namespaces, &self.numbers, &self.owners];
        let seen: Params<'_> = &[
            &self.orders,
            &self.times,
            &self.rules,
            &self.bodies,
            &self.notes,
        ];
        try_join(db.run(ALIASED, ids), db.run(SEEN, seen)).await?;
        Ok(())
    }
}
