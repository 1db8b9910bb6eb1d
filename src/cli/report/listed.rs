//! What a network says of one order, all rows of it together.

use std::sync::Arc;

use crate::money::{Decimal, Money};

/// What the network says of one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The line of its first row.
    pub line: u64,
    /// Rows by which the network counts it.
    pub counted: u32,
    /// Rows by which it does not.
    pub refused: u32,
    /// What it counts, all rows together.
    pub worth: Worth,
    /// Whose it is.
    pub affiliate: Affiliate,
}

/// An amount of several rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Worth {
    /// There was no row yet.
    #[default]
    None,
    /// So much.
    Sum(Money),
    /// A row has none, or two of them have different currencies.
    Unknown,
}

/// The affiliate of several rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Affiliate {
    /// No row has one.
    #[default]
    None,
    /// Every row that has one has this.
    One(Arc<str>),
    /// Not all have the same.
    Several,
}

impl Worth {
    pub(in crate::cli) fn add(&mut self, amount: Option<Money>) {
        *self = match (*self, amount) {
            (Self::None, Some(money)) => Self::Sum(money),
            (Self::Sum(sum), Some(money)) if sum.currency == money.currency => Self::Sum(Money {
                amount: sum.amount.checked_add(money.amount).unwrap_or(Decimal::MAX),
                ..sum
            }),
            _ => Self::Unknown,
        };
    }

    /// The amount, where it is known.
    pub const fn money(self) -> Option<Money> {
        match self {
            Self::Sum(money) => Some(money),
            Self::None | Self::Unknown => None,
        }
    }
}

impl Affiliate {
    pub(super) fn add(&mut self, affiliate: Option<Arc<str>>) {
        let Some(name) = affiliate else { return };
        *self = match self {
            Self::None => Self::One(name),
            Self::One(one) if *one == name => return,
            Self::One(_) | Self::Several => Self::Several,
        };
    }

    /// The one, if it is one.
    pub fn one(&self) -> Option<&str> {
        match self {
            Self::One(one) => Some(one),
            Self::None | Self::Several => None,
        }
    }
}
