//! Money: exact decimals with a currency, read in the store's own format.

mod format;
mod mark;
mod read;

use std::fmt;
use std::str::FromStr;

use rust_decimal::RoundingStrategy;
use serde::{Deserialize, Serialize};

pub use format::{FormatError, NumberFormat};
pub use mark::Mark;
pub use read::{Found, ReadError, read, read_data, read_minor, read_number};
pub use rust_decimal::Decimal;

/// An ISO 4217 code: `USD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// A text is not three ASCII letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a currency is an ISO 4217 code of three letters, like USD")]
pub struct CurrencyError;

impl Currency {
    /// How many decimals its amounts have (ISO 4217 exponent): USD 2, JPY 0, KWD 3.
    pub fn exponent(self) -> u32 {
        const NONE: [&str; 16] = [
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND",
            "VUV", "XAF", "XOF", "XPF",
        ];
        const THREE: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
        let code = self.as_str();
        if NONE.contains(&code) {
            0
        } else if THREE.contains(&code) {
            3
        } else {
            2
        }
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    /// Three ASCII letters, in any case (some shops answer `"currency":"eur"`).
    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        let mut code = <[u8; 3]>::try_from(text.as_bytes()).map_err(|_length| CurrencyError)?;
        code.make_ascii_uppercase();
        if code.iter().all(u8::is_ascii_uppercase) {
            Ok(Self(code))
        } else {
            Err(CurrencyError)
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = CurrencyError;

    fn try_from(text: String) -> Result<Self, CurrencyError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.to_string()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in a currency; prints as `1249.95 EUR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// How much, exact.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    /// Of what.
    pub currency: Currency,
}

impl Money {
    /// The amount as networks take it (domain.md §4): a dot, the currency's
    /// decimals, nothing else. Finer fractions are rounded half away from zero.
    pub fn plain(self) -> String {
        let decimals = self.currency.exponent();
        let mut amount = self
            .amount
            .round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
        amount.rescale(decimals);
        amount.to_string()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.plain(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_get_plain_decimals() {
        let plain = |amount: &str, currency: &str| {
            let amount = amount.parse().unwrap();
            let currency = currency.parse().unwrap();
            Money { amount, currency }.plain()
        };
        assert_eq!(plain("25", "USD"), "25.00");
        assert_eq!(plain("68.9000", "USD"), "68.90");
        assert_eq!(plain("1234.565", "EUR"), "1234.57");
        assert_eq!(plain("2500.4", "JPY"), "2500");
        assert_eq!(plain("1.5", "KWD"), "1.500");
    }
}
