//! From an expression's text to its tree, bounded in length and depth.

use super::{AmountError, DEPTH_LIMIT, Expression, Operator, Token};
use crate::money::Decimal;

/// The words of an expression.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, AmountError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let length = match first {
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        tokens.push(token(first, word)?);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn token(first: char, word: &str) -> Result<Token, AmountError> {
    Ok(match first {
        '+' => Token::Operator(Operator::Add),
        '-' => Token::Operator(Operator::Subtract),
        '*' => Token::Operator(Operator::Multiply),
        '/' => Token::Operator(Operator::Divide),
        '(' => Token::Open,
        ')' => Token::Close,
        '0'..='9' => Token::Constant(constant(word)?),
        'a'..='z' | 'A'..='Z' | '_' => match word.contains('.') {
            true => return Err(AmountError::Character('.')),
            false => Token::Field(word.to_owned()),
        },
        other => return Err(AmountError::Character(other)),
    })
}

fn constant(word: &str) -> Result<Decimal, AmountError> {
    let error = || AmountError::Number(word.to_owned());
    let plain = word.chars().all(|c| c.is_ascii_digit() || c == '.');
    if !plain || word.ends_with('.') {
        return Err(error());
    }
    Decimal::from_str_exact(word).map_err(|_overflow| error())
}

/// What the words mean: `*` and `/` before `+` and `-`, from left to right.
pub(super) fn expression(tokens: &[Token]) -> Result<Expression, AmountError> {
    let mut parser = Parser { tokens, depth: 0 };
    let root = parser.sum()?;
    match parser.tokens.first() {
        None => Ok(root),
        Some(token) => Err(AmountError::Operator(token.to_string())),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    depth: usize,
}

impl Parser<'_> {
    fn sum(&mut self) -> Result<Expression, AmountError> {
        let mut left = self.product()?;
        while let Some(operator) = self.operator(&[Operator::Add, Operator::Subtract]) {
            let right = self.product()?;
            left = Expression::Binary(operator, Box::new([left, right]));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, AmountError> {
        let mut left = self.operand()?;
        while let Some(operator) = self.operator(&[Operator::Multiply, Operator::Divide]) {
            let right = self.operand()?;
            left = Expression::Binary(operator, Box::new([left, right]));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expression, AmountError> {
        match self.next() {
            Some(Token::Field(name)) => Ok(Expression::Field(name)),
            Some(Token::Constant(number)) => Ok(Expression::Constant(number)),
            Some(Token::Open) => self.group(),
            Some(other) => Err(AmountError::Operand(other.to_string())),
            None => Err(AmountError::Operand("the end".to_owned())),
        }
    }

    fn group(&mut self) -> Result<Expression, AmountError> {
        if self.depth == DEPTH_LIMIT {
            return Err(AmountError::Deep);
        }
        self.depth += 1;
        let inner = self.sum()?;
        self.depth -= 1;
        match self.next() {
            Some(Token::Close) => Ok(inner),
            Some(other) => Err(AmountError::Operator(other.to_string())),
            None => Err(AmountError::Open),
        }
    }

    fn next(&mut self) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn operator(&mut self, wanted: &[Operator]) -> Option<Operator> {
        match self.tokens.split_first() {
            Some((Token::Operator(operator), rest)) if wanted.contains(operator) => {
                self.tokens = rest;
                Some(*operator)
            }
            _ => None,
        }
    }
}
