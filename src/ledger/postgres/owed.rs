//! The postbacks of new orders, and the first change of each order and postback: one statement for a group.

use std::borrow::Cow;

use super::connection::{Connection, Params};
use super::enter::clean;
use crate::ledger::error::Error;
use crate::ledger::row::{money_words, standing_words};
use crate::ledger::stand::Stand;
use crate::ledger::texts::Texts;
use crate::order::Candidate;

/// Changes are told in the order of their ids: an order's before its postbacks'.
const OWED: &str = "WITH owed AS (
    INSERT INTO postbacks (order_id, destination, event, sequence, captured, amount, currency, state, doubt, cause, at,
      due)
    SELECT p.id, p.destination, p.event, p.sequence, p.captured, p.amount, p.currency, p.state, p.doubt, p.cause, p.at,
      p.due
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
      $9::text[], $10::text[], $11::bigint[], $12::bigint[]) WITH ORDINALITY
      AS p (id, destination, event, sequence, captured, amount, currency, state, doubt, cause, at, due, place)
    ORDER BY p.place RETURNING id, order_id, at, state, cause
  )
  INSERT INTO transitions (order_id, postback_id, at, became, cause)
  SELECT change.id, change.postback, change.at, change.became, change.cause FROM (
    SELECT stands.id, NULL::bigint AS postback, stands.at, stands.became, stands.cause
      FROM unnest($13::bigint[], $14::bigint[], $15::text[], $16::text[]) AS stands (id, at, became, cause)
    UNION ALL SELECT order_id, id, at, state, cause FROM owed) AS change
  ORDER BY change.id, change.postback NULLS FIRST";

/// The standing of orders, and their postbacks; column by column.
#[derive(Default)]
pub(super) struct Owed<'a> {
    stands: Stands<'a>,
    orders: Vec<i64>,
    destinations: Vec<&'a str>,
    events: Vec<Cow<'a, str>>,
    sequences: Vec<i64>,
    captured: Vec<&'a str>,
    amounts: Vec<Option<String>>,
    currencies: Vec<Option<String>>,
    states: Vec<&'static str>,
    doubts: Vec<Option<String>>,
    causes: Vec<Option<String>>,
    times: Vec<i64>,
    dues: Vec<Option<i64>>,
}

#[derive(Default)]
struct Stands<'a> {
    orders: Vec<i64>,
    times: Vec<i64>,
    standings: Vec<&'static str>,
    causes: Vec<Cow<'a, str>>,
}

impl<'a> Owed<'a> {
    /// The new order of this id, as its candidate tells it.
    pub(super) fn push(
        &mut self,
        id: i64,
        candidate: &'a Candidate,
        texts: &'a Texts,
    ) -> Result<(), Error> {
        let order = &candidate.order;
        let (standing, _doubt) = standing_words(&order.standing)?;
        self.stands.orders.push(id);
        self.stands.times.push(order.at.millis());
        self.stands.standings.push(standing);
        self.stands.causes.push(clean(&order.why));
        for (postback, captured) in candidate.postbacks.iter().zip(&texts.captured) {
            let (amount, currency) = money_words(postback.amount);
            let stand = Stand::of(postback, order.at, order.at)?;
            self.orders.push(id);
            self.destinations.push(postback.destination.as_str());
            self.events.push(clean(&postback.event));
            self.sequences.push(i64::from(postback.sequence));
            self.captured.push(captured);
            self.amounts.push(amount);
            self.currencies.push(currency);
            self.states.push(stand.state.as_str());
            self.doubts.push(stand.doubt);
            let cause = stand.cause.map(|cause| clean(&cause).into_owned());
            self.causes.push(cause);
            self.times.push(order.at.millis());
            self.dues.push(stand.due);
        }
        Ok(())
    }

    pub(super) async fn enter(&self, db: &Connection) -> Result<(), Error> {
        let given: Params<'_> = &[
            &self.orders,
            &self.destinations,
            &self.events,
            &self.sequences,
            &self.captured,
            &self.amounts,
            &self.currencies,
            &self.states,
            &self.doubts,
            &self.causes,
            &self.times,
            &self.dues,
            &self.stands.orders,
            &self.stands.times,
            &self.stands.standings,
            &self.stands.causes,
        ];
        db.run(OWED, given).await?;
        Ok(())
    }
}
