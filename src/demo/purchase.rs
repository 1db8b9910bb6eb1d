//! One purchase, from the affiliate's link to the network's books: `demo --once`.

use std::time::Duration;

use reqwest::Url;

use super::network::{Call, Network};
use super::shop::{Cents, Shop};
use super::shopper::{self, Shopper};

/// What is bought: above a thousand, with a coupon, so that grouping and discount count.
const PRODUCT: &str = "trail-tent";
const COUPON: &str = "WELCOME10";

/// How often the confirmation is looked at again.
const RELOADS: usize = 3;

/// How long the network may wait for its call.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The shopper could not buy.
    #[error("the shopper could not buy")]
    Shopper(#[from] shopper::Error),
    /// No call came.
    #[error("the network got no postback within {PATIENCE:?}")]
    None,
    /// More than one call came.
    #[error("the network got {0} postbacks for one order")]
    Several(usize),
    /// A call came, but with something else in it.
    #[error("the network was told {told:?}, where {name} should be {expected:?}")]
    Wrong {
        /// What is wrong in it.
        name: &'static str,
        /// What it should be.
        expected: String,
        /// The call's path and query.
        told: String,
    },
    /// The network did not accept it.
    #[error("the network answered {0:?}")]
    NotAccepted(String),
    /// The shop saw something that only refgate knows.
    #[error("the shop saw {0:?}, which is none of its business")]
    Seen(String),
}

/// What must have come of it.
#[derive(Debug)]
pub struct Expected {
    /// What the link carried.
    values: Vec<String>,
    /// The order's number.
    number: String,
    /// Subtotal less discount, plain.
    amount: String,
}

/// Buys over `link`, looks at the confirmation again and again, and waits for the network's call.
///
/// # Errors
/// The shopper cannot buy, or no call comes.
pub async fn buy(link: Url, shop: &Shop, network: &Network) -> Result<Expected, Error> {
    let values = link
        .query_pairs()
        .map(|(_, value)| value.into_owned())
        .collect();
    let mut shopper = Shopper::new()?;
    let bought = shopper.buy(link, PRODUCT, Some(COUPON)).await?;
    for _ in 0..RELOADS {
        shopper.open(bought.url.clone()).await?;
    }
    let calls = tokio::time::timeout(PATIENCE, network.wait_for(1)).await;
    calls.map_err(|_elapsed| Error::None)?;
    let orders = shop.orders();
    let sold = orders
        .iter()
        .find(|order| order.number.to_string() == bought.number);
    let amount = sold.map_or(Cents(0), |order| {
        Cents(order.bill.subtotal.0.saturating_sub(order.bill.discount.0))
    });
    Ok(Expected {
        values,
        number: bought.number,
        amount: amount.to_string().replace(',', ""),
    })
}

impl Expected {
    /// Whether the network got exactly one right postback, and the shop nothing of ours.
    /// To be asked when nothing more can come.
    ///
    /// # Errors
    /// What is wrong.
    pub fn compare(&self, shop: &Shop, network: &Network) -> Result<Call, Error> {
        let mut calls = network.calls();
        let count = calls.len();
        let call = calls.pop().filter(|_| count == 1);
        let call = call.ok_or(match count {
            0 => Error::None,
            _ => Error::Several(count),
        })?;
        for value in &self.values {
            has(&call, "what the link carried", value)?;
        }
        has(&call, "the order's number", &self.number)?;
        has(&call, "the amount", &self.amount)?;
        if !call.verdict.starts_with("success=true") {
            return Err(Error::NotAccepted(call.verdict));
        }
        let told = shop.requests().into_iter().find(|request| {
            self.values
                .iter()
                .any(|value| request.target.contains(value.as_str()))
        });
        match told {
            Some(request) => Err(Error::Seen(request.target)),
            None => Ok(call),
        }
    }
}

fn has(call: &Call, name: &'static str, expected: &str) -> Result<(), Error> {
    let mut values = call.parameters.iter().map(|(_, value)| value);
    if values.any(|value| value == expected) {
        return Ok(());
    }
    Err(Error::Wrong {
        name,
        expected: expected.to_owned(),
        told: call.target.clone(),
    })
}
