//! What an order is worth: arithmetic over the fields that a rule reads.

mod parse;

use std::fmt;
use std::str::FromStr;

use crate::money::{Currency, Decimal, Money};

/// Longest expression in bytes.
const LIMIT: usize = 256;

/// Deepest nesting of parentheses.
const DEPTH_LIMIT: usize = 16;

/// Arithmetic over fields: `total - tax - shipping`, `(a + b) * 0.5`.
///
/// Field names, decimal constants, `+ - * /` and parentheses. Signs count as
/// printed: a shop that prints its discount as `-5.00` needs `subtotal + discount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    tokens: Vec<Token>,
    root: Expression,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Field(String),
    Constant(Decimal),
    Operator(Operator),
    Open,
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression {
    Field(String),
    Constant(Decimal),
    Binary(Operator, Box<[Self; 2]>),
}

/// Why a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// More than [`LIMIT`] bytes.
    #[error("an amount longer than {LIMIT} bytes")]
    Long,
    /// Parentheses deeper than [`DEPTH_LIMIT`].
    #[error("parentheses nested deeper than {DEPTH_LIMIT}")]
    Deep,
    /// A character that means nothing here.
    #[error(
        "{0:?} in an amount: names of fields, numbers, '+', '-', '*', '/' and parentheses are allowed"
    )]
    Character(char),
    /// A number with two dots, a dot at its end, or too many digits.
    #[error("{0:?} is no number: write 0.5")]
    Number(String),
    /// A name, number or parenthesis was due.
    #[error("an amount where {0} stands instead of a field or number")]
    Operand(String),
    /// An operator was due.
    #[error("an amount where {0} stands instead of an operator")]
    Operator(String),
    /// More opening than closing parentheses.
    #[error("an amount with a parenthesis that is not closed")]
    Open,
}

/// Why an amount could not be worked out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// A field that the expression uses was not read.
    #[error("no {0} was read")]
    Missing(String),
    /// The numbers are too large.
    #[error("numbers too large to reckon with")]
    Overflow,
    /// A division by zero.
    #[error("a division by zero")]
    DivisionByZero,
}

/// An amount that was worked out, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Worked {
    /// Rounded to the currency's decimals, half away from zero.
    pub(crate) amount: Money,
    /// `subtotal 100.00 - discount 5.00 = 95.00`
    pub(crate) working: String,
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        if text.len() > LIMIT {
            return Err(AmountError::Long);
        }
        let tokens = parse::tokens(text)?;
        let root = parse::expression(&tokens)?;
        Ok(Self { tokens, root })
    }
}

impl Amount {
    /// The names of the fields it uses, in order, each once.
    pub fn fields(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for token in &self.tokens {
            if let Token::Field(name) = token
                && !names.contains(&name.as_str())
            {
                names.push(name.as_str());
            }
        }
        names
    }

    /// Works it out with what `value` says of each field.
    pub(crate) fn work(
        &self,
        currency: Currency,
        value: &dyn Fn(&str) -> Option<Decimal>,
    ) -> Result<Worked, WorkError> {
        let exact = self.root.work(value)?;
        let plain = Money {
            amount: exact,
            currency,
        }
        .plain();
        let amount = Decimal::from_str_exact(&plain).map_err(|_overflow| WorkError::Overflow)?;
        let shown = |name: &str| value(name).map(|value| shown(value, currency));
        let working = format!("{} = {plain}", self.written(&shown));
        let amount = Money { amount, currency };
        Ok(Worked { amount, working })
    }

    /// The field below zero that makes it more than it would be without it: what is to be taken away adds.
    pub(crate) fn backwards(
        &self,
        value: &dyn Fn(&str) -> Option<Decimal>,
    ) -> Option<(String, Decimal)> {
        let whole = self.root.work(value).ok()?;
        self.fields().into_iter().find_map(|field| {
            let below =
                value(field).filter(|value| value.is_sign_negative() && !value.is_zero())?;
            let without = |name: &str| match name == field {
                true => Some(Decimal::ZERO),
                false => value(name),
            };
            let adds = self.root.work(&without).is_ok_and(|less| less < whole);
            adds.then(|| (field.to_owned(), below))
        })
    }

    /// The expression, each field followed by its value where `shown` has one.
    fn written(&self, shown: &dyn Fn(&str) -> Option<String>) -> String {
        let mut text = String::new();
        let mut glued = true;
        for token in &self.tokens {
            if !glued && *token != Token::Close {
                text.push(' ');
            }
            text.push_str(&token.to_string());
            if let Token::Field(name) = token
                && let Some(value) = shown(name)
            {
                text.push(' ');
                text.push_str(&value);
            }
            glued = *token == Token::Open;
        }
        text
    }
}

/// With the currency's decimals, or with more where there are more.
fn shown(value: Decimal, currency: Currency) -> String {
    let mut value = value.normalize();
    if value.scale() < currency.exponent() {
        value.rescale(currency.exponent());
    }
    value.to_string()
}

impl Expression {
    /// Recursion ends: parentheses are at most [`DEPTH_LIMIT`] deep, and a
    /// chain of operators is at most [`LIMIT`] bytes long.
    fn work(&self, value: &dyn Fn(&str) -> Option<Decimal>) -> Result<Decimal, WorkError> {
        let (operator, sides) = match self {
            Self::Field(name) => {
                return value(name).ok_or_else(|| WorkError::Missing(name.clone()));
            }
            Self::Constant(number) => return Ok(*number),
            Self::Binary(operator, sides) => (operator, sides),
        };
        let [left, right] = sides.as_ref();
        let (left, right) = (left.work(value)?, right.work(value)?);
        let result = match operator {
            Operator::Add => left.checked_add(right),
            Operator::Subtract => left.checked_sub(right),
            Operator::Multiply => left.checked_mul(right),
            Operator::Divide if right.is_zero() => return Err(WorkError::DivisionByZero),
            Operator::Divide => left.checked_div(right),
        };
        result.ok_or(WorkError::Overflow)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::Constant(number) => write!(f, "{number}"),
            Self::Operator(Operator::Add) => f.write_str("+"),
            Self::Operator(Operator::Subtract) => f.write_str("-"),
            Self::Operator(Operator::Multiply) => f.write_str("*"),
            Self::Operator(Operator::Divide) => f.write_str("/"),
            Self::Open => f.write_str("("),
            Self::Close => f.write_str(")"),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written(&|_name| None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(expression: &str, fields: &[(&str, &str)]) -> Result<Worked, WorkError> {
        let value = |name: &str| {
            let (_, text) = fields.iter().find(|(field, _)| *field == name)?;
            Some(text.parse().unwrap())
        };
        let amount: Amount = expression.parse().unwrap();
        amount.work("USD".parse().unwrap(), &value)
    }

    #[test]
    fn an_amount_is_worked_out_and_says_how() {
        let fields = [("a", "119.00"), ("b", "19"), ("c", "0.5"), ("d", "-5.00")];
        let cases = [
            ("a", "a 119.00 = 119.00"),
            ("a - b - c", "a 119.00 - b 19.00 - c 0.50 = 99.50"),
            ("a-(b-c)", "a 119.00 - (b 19.00 - c 0.50) = 100.50"),
            ("a + b * 2", "a 119.00 + b 19.00 * 2 = 157.00"),
            ("(a + b) * 0.5", "(a 119.00 + b 19.00) * 0.5 = 69.00"),
            ("a / 1.19", "a 119.00 / 1.19 = 100.00"),
            ("a / 7", "a 119.00 / 7 = 17.00"),
            ("b / 3", "b 19.00 / 3 = 6.33"),
            ("a + d", "a 119.00 + d -5.00 = 114.00"),
        ];
        for (expression, working) in cases {
            let worked = work(expression, &fields).unwrap();
            assert_eq!(worked.working, working, "{expression}");
            let (_, result) = working.rsplit_once(' ').unwrap();
            assert_eq!(worked.amount.amount.to_string(), result);
        }
    }

    #[test]
    fn what_cannot_be_worked_out_is_said() {
        let most = Decimal::MAX.to_string();
        let fields = [("a", "1"), ("zero", "0"), ("most", most.as_str())];
        assert_eq!(
            work("a - tax", &fields),
            Err(WorkError::Missing("tax".into()))
        );
        assert_eq!(work("a / zero", &fields), Err(WorkError::DivisionByZero));
        assert_eq!(work("most * 2", &fields), Err(WorkError::Overflow));
        assert_eq!(work("most + most", &fields), Err(WorkError::Overflow));
    }

    #[test]
    fn what_is_taken_away_and_adds_is_told() {
        let fields = [("a", "119.00"), ("b", "19"), ("d", "-5.00"), ("e", "-0.00")];
        let value = |name: &str| {
            let (_, text) = fields.iter().find(|(field, _)| *field == name)?;
            text.parse().ok()
        };
        for (expression, told) in [
            ("a - b", None),
            ("a + d", None),
            ("a - d", Some("d")),
            ("a - (b - d)", None),
            ("a - (b + d) * 2", Some("d")),
            ("a - e", None),
            ("a - missing - d", None),
        ] {
            let amount: Amount = expression.parse().unwrap();
            let found = amount.backwards(&value).map(|(field, _)| field);
            assert_eq!(found.as_deref(), told, "{expression}");
        }
    }

    #[test]
    fn the_fields_are_told_once_each() {
        let amount: Amount = "(total - tax) * 0.5 + total".parse().unwrap();
        assert_eq!(amount.fields(), ["total", "tax"]);
        assert_eq!(amount.to_string(), "(total - tax) * 0.5 + total");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        let refused = [
            ("", AmountError::Operand("the end".into())),
            ("a -", AmountError::Operand("the end".into())),
            ("a b", AmountError::Operator("b".into())),
            ("a - - b", AmountError::Operand("-".into())),
            ("(a", AmountError::Open),
            ("a)", AmountError::Operator(")".into())),
            ("a % b", AmountError::Character('%')),
            ("sub.total", AmountError::Character('.')),
            ("a * 1.2.3", AmountError::Number("1.2.3".into())),
            ("a * 1.", AmountError::Number("1.".into())),
            ("a * 2x", AmountError::Number("2x".into())),
        ];
        for (text, error) in refused {
            assert_eq!(text.parse::<Amount>(), Err(error), "{text}");
        }
        let deep = format!("{}a{}", "(".repeat(17), ")".repeat(17));
        assert_eq!(deep.parse::<Amount>(), Err(AmountError::Deep));
        assert_eq!("a".repeat(257).parse::<Amount>(), Err(AmountError::Long));
    }
}
