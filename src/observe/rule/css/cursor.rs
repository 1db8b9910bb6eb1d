//! The characters of a selector: white space, identifiers, strings (CSS Syntax Level 3, §4).

use super::SyntaxError;

/// A place in the text of a selector.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Passes `text` if it stands here.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Passes white space and comments; whether there were any.
    pub(super) fn space(&mut self) -> Result<bool, SyntaxError> {
        let mut found = false;
        loop {
            if self.peek().is_some_and(is_space) {
                self.next();
            } else if self.rest().starts_with("/*") {
                let end = self.rest().find("*/");
                self.at += end.ok_or_else(|| self.expected("`*/` after a comment"))? + 2;
            } else {
                return Ok(found);
            }
            found = true;
        }
    }

    /// What is wrong here.
    pub(super) fn expected(&self, expected: &'static str) -> SyntaxError {
        let before = self.text.get(..self.at).unwrap_or_default();
        SyntaxError {
            expected,
            at: before.chars().count() + 1,
            found: self.peek(),
        }
    }

    /// An identifier, with its escapes undone.
    pub(super) fn identifier(&mut self, expected: &'static str) -> Result<String, SyntaxError> {
        let begins = match (self.peek(), self.second()) {
            (Some('-'), Some(second)) => second == '-' || second == '\\' || is_name_start(second),
            (Some(first), _) => first == '\\' || is_name_start(first),
            _ => false,
        };
        if !begins {
            return Err(self.expected(expected));
        }
        let mut name = String::new();
        while let Some(c) = self.peek() {
            match c {
                '\\' => name.push(self.escaped()?),
                c if is_name_start(c) || c.is_ascii_digit() || c == '-' => {
                    name.push(c);
                    self.next();
                }
                _ => break,
            }
        }
        Ok(name)
    }

    /// A string in quotes, with its escapes undone.
    pub(super) fn quoted(&mut self, quote: char) -> Result<String, SyntaxError> {
        let mut value = String::new();
        self.next();
        loop {
            match self.peek() {
                Some(c) if c == quote => {
                    self.next();
                    return Ok(value);
                }
                Some('\\') if self.second().is_some_and(is_line_end) => {
                    self.next();
                    self.next();
                }
                Some('\\') => value.push(self.escaped()?),
                Some(c) if !is_line_end(c) => {
                    value.push(c);
                    self.next();
                }
                _ => return Err(self.expected("the closing quote")),
            }
        }
    }

    /// `\31 ` is `1`, `\:` is `:` (§4.3.7).
    fn escaped(&mut self) -> Result<char, SyntaxError> {
        self.next();
        let Some(first) = self.peek().filter(|c| !is_line_end(*c)) else {
            return Err(self.expected("a character after `\\`"));
        };
        if !first.is_ascii_hexdigit() {
            self.next();
            return Ok(first);
        }
        let mut number = 0;
        for _ in 0..6 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(16)) else {
                break;
            };
            number = number * 16 + digit;
            self.next();
        }
        if !self.take("\r\n") && self.peek().is_some_and(is_space) {
            self.next();
        }
        let known = char::from_u32(number).filter(|c| *c != '\0');
        Ok(known.unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Digits, as a number.
    pub(super) fn digits(&mut self) -> Option<i64> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            let before: i64 = number.unwrap_or(0);
            number = Some(before.saturating_mul(10).saturating_add(digit.into()));
            self.next();
        }
        number
    }
}

const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

const fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\x0c')
}

const fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}
