//! Rivals of what is steered: see [`rival`].

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::connection::Connection;
use super::enter::order;
use crate::ledger::error::Error;
use crate::ledger::rival;
use crate::ledger::row::{self, Columns as _};
use crate::order::SALE;
use crate::postback::PostbackId;

/// Pairs of orders that have an id in common, by their numbers: of one that is steered, and of the other.
pub(super) struct Pairs(Vec<(i64, i64)>);

/// Sales that may be one, as they are told of.
#[derive(Default)]
pub(super) struct Rivals {
    pairs: Vec<(PostbackId, PostbackId)>,
    told: BTreeSet<PostbackId>,
}

impl Pairs {
    pub(super) const NONE: Self = Self(Vec::new());

    pub(super) async fn of(db: &Connection, batch: &[PostbackId]) -> Result<Self, Error> {
        let sql = "SELECT DISTINCT ours.order_id AS ours, theirs.order_id AS theirs FROM aliases AS ours
            JOIN aliases AS theirs ON theirs.number = ours.number AND theirs.order_id <> ours.order_id
            WHERE ours.order_id IN (SELECT order_id FROM postbacks WHERE id = ANY ($1))";
        let rows = db.rows(sql, &[&batch]).await?;
        let pairs = rows
            .iter()
            .map(|row| Ok((row.number("ours")?, row.number("theirs")?)));
        Ok(Self(pairs.collect::<Result<_, Error>>()?))
    }

    /// The others, which must be locked before they are looked at.
    pub(super) fn others(&self) -> Vec<i64> {
        self.0.iter().map(|(_ours, theirs)| *theirs).collect()
    }

    /// How those stand that may be one sale.
    pub(super) async fn rivals(&self, db: &Connection) -> Result<Rivals, Error> {
        if self.0.is_empty() {
            return Ok(Rivals::default());
        }
        let mut orders = BTreeMap::new();
        for id in self.0.iter().flat_map(|(ours, theirs)| [*ours, *theirs]) {
            if let Entry::Vacant(place) = orders.entry(id) {
                place.insert(order(db, id).await?.order);
            }
        }
        let numbers: Vec<i64> = orders.keys().copied().collect();
        let sql =
            "SELECT id, order_id, state FROM postbacks WHERE order_id = ANY ($1) AND event = $2
            ORDER BY id";
        let mut sales: BTreeMap<i64, Vec<PostbackId>> = BTreeMap::new();
        let mut rivals = Rivals::default();
        for row in &db.rows(sql, &[&numbers, &SALE]).await? {
            let id = row.number("id")?;
            sales.entry(row.number("order_id")?).or_default().push(id);
            if rival::is_told(row::state(row)?) {
                rivals.told.insert(id);
            }
        }
        let of = |order| sales.get(order).into_iter().flatten().copied();
        for (ours, theirs) in &self.0 {
            let both = orders.get(ours).zip(orders.get(theirs));
            if both.is_some_and(|(ours, theirs)| rival::is_one_sale(ours, theirs)) {
                let pairs = of(ours).flat_map(|one| of(theirs).map(move |other| (one, other)));
                rivals.pairs.extend(pairs);
            }
        }
        Ok(rivals)
    }
}

impl Rivals {
    /// One that tells of the same sale as this one.
    pub(super) fn told(&self, id: PostbackId) -> Option<PostbackId> {
        let mut others = self.pairs.iter().filter(|(one, _)| *one == id);
        others.find_map(|(_, other)| self.told.get(other).copied())
    }

    /// It tells of its sale from now on.
    pub(super) fn tells(&mut self, id: PostbackId) {
        self.told.insert(id);
    }
}
