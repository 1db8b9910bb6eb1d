//! Whether an element is what a compound selector says.

use std::borrow::Cow;

use super::super::rule::selector::{Case, Comparison, Compound, Operator, Test};
use crate::html::attributes::{Attribute, Attributes};
use crate::html::foreign::Namespace;
use crate::html::tokens::Tag;

/// An element that comes, as far as selectors ask.
#[derive(Clone, Copy)]
pub(super) struct Element<'p, 't> {
    pub(super) tag: &'t Tag<'p>,
    pub(super) namespace: Namespace,
    /// Its number among the children of its parent, and among those of its type; 0 if nobody asks.
    pub(super) child: i64,
    pub(super) of_type: i64,
}

impl<'p> Element<'p, '_> {
    /// Whether it is one. Values of attributes are compared decoded.
    pub(super) fn is(&self, compound: &Compound) -> bool {
        let same = |name: &str| self.tag.name().eq_ignore_ascii_case(name.as_bytes());
        compound.name.as_deref().is_none_or(same)
            && compound.tests.iter().all(|test| self.holds(test))
    }

    fn holds(&self, test: &Test) -> bool {
        match test {
            Test::Id(id) => attribute(self.tag, "id").is_some_and(|found| found == **id),
            Test::Class(class) => attribute(self.tag, "class")
                .is_some_and(|found| words(&found).any(|word| word == &**class)),
            Test::Attribute { name, comparison } => {
                let meant = |value: &str| match comparison {
                    Some(comparison) => self.compares(comparison, value),
                    None => true,
                };
                attribute(self.tag, name).is_some_and(|value| meant(&value))
            }
            Test::NthChild(nth) => nth.has(self.child),
            Test::NthOfType(nth) => nth.has(self.of_type),
            Test::Not(none) => !none.iter().any(|compound| self.is(compound)),
        }
    }

    fn compares(&self, comparison: &Comparison, found: &str) -> bool {
        let has_case = match comparison.case {
            Case::Sensitive => true,
            Case::Insensitive => false,
            Case::InsensitiveInHtml => self.namespace != Namespace::Html,
        };
        if has_case {
            return compares(comparison.operator, found, &comparison.value);
        }
        let lower = |text: &str| text.to_ascii_lowercase();
        compares(
            comparison.operator,
            &lower(found),
            &lower(&comparison.value),
        )
    }
}

/// The value of an attribute of a tag, decoded. Of several of one name the first counts.
pub(super) fn attribute<'p>(tag: &Tag<'p>, name: &str) -> Option<Cow<'p, str>> {
    let is_it = |found: &[u8]| found.eq_ignore_ascii_case(name.as_bytes());
    let mut all = Attributes::new(tag.attributes());
    let found = all.find(|attribute| is_it(attribute.name));
    found.map(Attribute::decoded)
}

fn compares(operator: Operator, found: &str, wanted: &str) -> bool {
    // By the standard nothing has an empty word, beginning, end or part.
    let is_some = !wanted.is_empty();
    match operator {
        Operator::Equal => found == wanted,
        Operator::Word => is_some && words(found).any(|word| word == wanted),
        Operator::Dash => found
            .strip_prefix(wanted)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
        Operator::Prefix => is_some && found.starts_with(wanted),
        Operator::Suffix => is_some && found.ends_with(wanted),
        Operator::Substring => is_some && found.contains(wanted),
    }
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split([' ', '\n', '\r', '\t', '\x0c'])
}
