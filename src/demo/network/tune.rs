//! What TUNE makes of a call (domain.md §2): one offer, both protocols, its ways of deduplicating.

use super::Call;
use crate::money::Decimal;

/// The one offer of the test network.
const OFFER: &str = "1";

/// Hexadecimal digits of a transaction id.
const TRANSACTION_LENGTH: usize = 30;

/// Conversions kept for looking up duplicates; the oldest are forgotten.
const LIMIT: usize = 100_000;

/// A conversion that was counted, so a commission that is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The partner, where the call named one.
    pub aff_id: Option<String>,
    /// The click, where the call named one.
    pub transaction_id: Option<String>,
    /// What was sold; a missing or malformed amount is booked as zero, without an error.
    pub amount: Decimal,
    /// The advertiser's own id of it (Aspire puts the order's number here).
    pub adv_unique1: Option<String>,
    /// The network-wide unique id.
    pub unique_id: Option<String>,
}

/// What has been counted.
#[derive(Debug, Default)]
pub(super) struct Books {
    conversions: Vec<Conversion>,
}

impl Books {
    pub(super) fn conversions(&self) -> &[Conversion] {
        &self.conversions
    }

    /// The body of the answer.
    pub(super) fn judge(&mut self, call: &Call) -> String {
        match self.count(call) {
            Ok(()) => "success=true;".to_owned(),
            Err(words) => format!("success=false; err_msg={words};"),
        }
    }

    fn count(&mut self, call: &Call) -> Result<(), String> {
        let path = call.target.split('?').next().unwrap_or_default();
        if call.method != "GET" || path != "/aff_lsr" {
            return Err("Invalid request.".to_owned());
        }
        let parameter = |name: &str| call.parameter(name).filter(|value| !value.is_empty());
        match parameter("offer_id") {
            None => return Err("Missing offer_id.".to_owned()),
            Some(OFFER) => {}
            Some(other) => return Err(format!("Invalid offer_id {other}.")),
        }
        let owned = |name: &str| parameter(name).map(str::to_owned);
        let conversion = Conversion {
            aff_id: owned("aff_id"),
            transaction_id: owned("transaction_id"),
            amount: parameter("amount")
                .and_then(|amount| amount.parse().ok())
                .unwrap_or_default(),
            adv_unique1: owned("adv_unique1"),
            unique_id: owned("conversion_unique_id"),
        };
        self.accept(conversion)
    }

    fn accept(&mut self, conversion: Conversion) -> Result<(), String> {
        match (&conversion.transaction_id, &conversion.aff_id) {
            (Some(id), _) if !is_transaction(id) => {
                return Err(format!("Invalid Trans. ID #{id}."));
            }
            (None, None) => return Err("Missing aff_id.".to_owned()),
            (None, Some(id)) if !id.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(format!("Invalid aff_id {id}."));
            }
            _ => {}
        }
        if self
            .conversions
            .iter()
            .any(|known| same(known, &conversion))
        {
            return Err("Duplicate conversion.".to_owned());
        }
        if self.conversions.len() >= LIMIT {
            self.conversions.remove(0);
        }
        self.conversions.push(conversion);
        Ok(())
    }
}

fn is_transaction(id: &str) -> bool {
    id.len() == TRANSACTION_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// With a unique id that alone decides; else the transaction id; a partner id deduplicates nothing.
fn same(known: &Conversion, new: &Conversion) -> bool {
    match (&new.unique_id, &new.transaction_id) {
        (Some(_), _) => known.unique_id == new.unique_id,
        (None, Some(_)) => known.transaction_id == new.transaction_id,
        (None, None) => false,
    }
}
