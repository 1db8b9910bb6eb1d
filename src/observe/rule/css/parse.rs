//! Parses a selector list of the subset (Selectors Level 4).

use super::cursor::Cursor;
use super::selector::{Case, Comparison, Compound, Nth, Operator, Path, Relation, Step, Test};
use super::{CssError, SyntaxError};

/// Most `:not(…)` in one another.
const NESTED_LIMIT: usize = 16;

/// The paths of a list: `a, b > c`.
pub(super) fn list(text: &str) -> Result<Vec<Path>, CssError> {
    let mut cursor = Cursor::new(text);
    let mut paths = Vec::new();
    loop {
        cursor.space()?;
        paths.push(path(&mut cursor)?);
        if cursor.peek().is_none() {
            return Ok(paths);
        }
        if !cursor.take(",") {
            return Err(cursor.expected("the end, `,`, a space or `>`").into());
        }
    }
}

/// Up to the end or a comma.
fn path(cursor: &mut Cursor<'_>) -> Result<Path, CssError> {
    let mut path = Path::new();
    let mut relation = Relation::Descendant;
    loop {
        let compound = compound(cursor, NESTED_LIMIT)?;
        path.push(Step { relation, compound });
        let spaced = cursor.space()?;
        relation = match cursor.peek() {
            Some('>') => Relation::Child,
            Some(sibling @ ('+' | '~')) => return Err(CssError::Sibling(sibling)),
            Some(',') | None => return Ok(path),
            Some(_) if spaced => Relation::Descendant,
            Some(_) => return Ok(path),
        };
        if relation == Relation::Child {
            cursor.next();
            cursor.space()?;
        }
    }
}

/// One element; `nested` more `:not(…)` may stand in one another.
fn compound(cursor: &mut Cursor<'_>, nested: usize) -> Result<Compound, CssError> {
    const ELEMENT: &str =
        "an element: `tag`, `*`, `.class`, `#id`, `[attribute]` or a pseudo-class";
    let mut compound = Compound::default();
    let is_any = cursor.take("*");
    if !is_any && !matches!(cursor.peek(), Some('.' | '#' | '[' | ':')) {
        compound.name = Some(cursor.identifier(ELEMENT)?.into());
    }
    if cursor.peek() == Some('|') {
        return Err(cursor
            .expected("no `|`: elements have no namespace here")
            .into());
    }
    loop {
        let test = match cursor.peek() {
            Some('.') => {
                cursor.next();
                Test::Class(cursor.identifier("the name of a class")?.into())
            }
            Some('#') => {
                cursor.next();
                Test::Id(cursor.identifier(ID)?.into())
            }
            Some('[') => attribute(cursor)?,
            Some(':') => pseudo_class(cursor, nested)?,
            _ => return Ok(compound),
        };
        compound.tests.push(test);
    }
}

const ID: &str = "an id (one that begins with a digit: `[id=\"1a\"]`)";

fn attribute(cursor: &mut Cursor<'_>) -> Result<Test, SyntaxError> {
    cursor.next();
    cursor.space()?;
    let name = cursor.identifier("the name of an attribute")?;
    let name = name.to_ascii_lowercase().into_boxed_str();
    cursor.space()?;
    if cursor.take("]") {
        let comparison = None;
        return Ok(Test::Attribute { name, comparison });
    }
    let operators = [
        ("=", Operator::Equal),
        ("~=", Operator::Word),
        ("|=", Operator::Dash),
        ("^=", Operator::Prefix),
        ("$=", Operator::Suffix),
        ("*=", Operator::Substring),
    ];
    let operator = operators.iter().find(|(sign, _)| cursor.take(sign));
    let Some((_, operator)) = operator else {
        return Err(cursor.expected("`]` or one of `=`, `~=`, `|=`, `^=`, `$=`, `*=`"));
    };
    cursor.space()?;
    let value = match cursor.peek() {
        Some(quote @ ('"' | '\'')) => cursor.quoted(quote)?,
        _ => cursor.identifier("a value: a word, or a text in quotes")?,
    };
    cursor.space()?;
    let case = match cursor.peek() {
        Some('i' | 'I') => Case::Insensitive,
        Some('s' | 'S') => Case::Sensitive,
        _ => Case::of(&name),
    };
    if cursor
        .peek()
        .is_some_and(|c| matches!(c, 'i' | 'I' | 's' | 'S'))
    {
        cursor.next();
        cursor.space()?;
    }
    if !cursor.take("]") {
        return Err(cursor.expected("`]`, `i` or `s`"));
    }
    let comparison = Some(Comparison {
        operator: *operator,
        value: value.into(),
        case,
    });
    Ok(Test::Attribute { name, comparison })
}

fn pseudo_class(cursor: &mut Cursor<'_>, nested: usize) -> Result<Test, CssError> {
    cursor.next();
    if cursor.peek() == Some(':') {
        return Err(CssError::Pseudo);
    }
    let name = cursor.identifier("the name of a pseudo-class")?;
    let name = name.to_ascii_lowercase();
    let first = Nth { step: 0, offset: 1 };
    match (name.as_str(), cursor.take("(")) {
        ("first-child", false) => Ok(Test::NthChild(first)),
        ("first-of-type", false) => Ok(Test::NthOfType(first)),
        ("nth-child", true) => Ok(Test::NthChild(nth(cursor)?)),
        ("nth-of-type", true) => Ok(Test::NthOfType(nth(cursor)?)),
        ("not", true) => Ok(Test::Not(none_of(cursor, nested)?)),
        _ => Err(CssError::Pseudo),
    }
}

/// What stands in `:not(…)`.
fn none_of(cursor: &mut Cursor<'_>, nested: usize) -> Result<Vec<Compound>, CssError> {
    let Some(nested) = nested.checked_sub(1) else {
        return Err(cursor.expected("fewer `:not(…)` in one another").into());
    };
    let mut compounds = Vec::new();
    loop {
        cursor.space()?;
        compounds.push(compound(cursor, nested)?);
        cursor.space()?;
        if cursor.take(")") {
            return Ok(compounds);
        }
        if !cursor.take(",") {
            let expected = "`)` or `,`: `:not(…)` takes single elements, not `a b` or `a > b`";
            return Err(cursor.expected(expected).into());
        }
    }
}

/// `odd`, `even`, `3`, `2n+1`, `-n + 3` (CSS Syntax Level 3, §6), and the bracket.
fn nth(cursor: &mut Cursor<'_>) -> Result<Nth, SyntaxError> {
    const NTH: &str = "a number, `2n+1`, `odd` or `even`";
    cursor.space()?;
    let nth = if word(cursor, "odd") {
        Nth { step: 2, offset: 1 }
    } else if word(cursor, "even") {
        Nth { step: 2, offset: 0 }
    } else {
        let sign = sign(cursor);
        let number = cursor.digits();
        if word(cursor, "n") {
            let step = sign.unwrap_or(1).saturating_mul(number.unwrap_or(1));
            let offset = offset(cursor)?;
            Nth { step, offset }
        } else {
            let number = number.ok_or_else(|| cursor.expected(NTH))?;
            let offset = sign.unwrap_or(1).saturating_mul(number);
            Nth { step: 0, offset }
        }
    };
    cursor.space()?;
    match cursor.take(")") {
        true => Ok(nth),
        false => Err(cursor.expected("`)`")),
    }
}

/// What is added in `2n + 1`.
fn offset(cursor: &mut Cursor<'_>) -> Result<i64, SyntaxError> {
    cursor.space()?;
    let Some(sign) = sign(cursor) else {
        return Ok(0);
    };
    cursor.space()?;
    let number = cursor.digits();
    let number = number.ok_or_else(|| cursor.expected("a number"))?;
    Ok(sign.saturating_mul(number))
}

fn sign(cursor: &mut Cursor<'_>) -> Option<i64> {
    match cursor.peek() {
        Some('+') => cursor.next().map(|_| 1),
        Some('-') => cursor.next().map(|_| -1),
        _ => None,
    }
}

/// Passes `word`, in any case.
fn word(cursor: &mut Cursor<'_>, word: &str) -> bool {
    let mut ahead = *cursor;
    for expected in word.chars() {
        if !ahead
            .next()
            .is_some_and(|c| c.eq_ignore_ascii_case(&expected))
        {
            return false;
        }
    }
    *cursor = ahead;
    true
}
