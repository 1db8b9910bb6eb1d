//! What is asked of a page, made ready to be asked of every element.

use memchr::memmem::Finder;

use super::super::rule::selector::{Case, Compound, Path, Relation, Test};
use super::Query;

/// All queries of a rule.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// The steps that any element may take: the first of each path, by whether it names a type.
    pub(super) typed: Vec<usize>,
    pub(super) untyped: Vec<usize>,
    /// Whether a step asks for the number of an element among all of its parent.
    pub(super) counts: bool,
    /// Whether one asks for the number among those of the same type.
    pub(super) counts_types: bool,
}

/// One element of a path.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) compound: Compound,
    /// Bytes that stand in the tag of every element that is meant, unless as references.
    pub(super) literal: Option<Finder<'static>>,
    pub(super) then: Then,
}

/// What a matched element means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The next step, in what it contains.
    Step(Relation, usize),
    /// That a query found it.
    Found(usize),
}

impl Program {
    pub(super) fn new(queries: &[Query]) -> Self {
        let mut program = Self::default();
        for (query, asked) in queries.iter().enumerate() {
            for path in asked.selector.paths() {
                program.add(query, path);
            }
        }
        program
    }

    fn add(&mut self, query: usize, path: &Path) {
        match path
            .first()
            .is_some_and(|step| step.compound.name.is_some())
        {
            true => self.typed.push(self.steps.len()),
            false => self.untyped.push(self.steps.len()),
        }
        for (at, step) in path.iter().enumerate() {
            let then = match path.get(at + 1) {
                Some(next) => Then::Step(next.relation, self.steps.len() + 1),
                None => Then::Found(query),
            };
            self.counted(&step.compound);
            self.steps.push(Step {
                literal: literal(&step.compound).map(|text| Finder::new(text).into_owned()),
                compound: step.compound.clone(),
                then,
            });
        }
    }

    fn counted(&mut self, compound: &Compound) {
        for test in &compound.tests {
            match test {
                Test::NthChild(_) => self.counts = true,
                Test::NthOfType(_) => self.counts_types = true,
                Test::Not(none) => none.iter().for_each(|compound| self.counted(compound)),
                Test::Id(_) | Test::Class(_) | Test::Attribute { .. } => {}
            }
        }
    }
}

/// The longest text that the tag of such an element must contain.
fn literal(compound: &Compound) -> Option<&str> {
    let literals = compound.tests.iter().filter_map(|test| match test {
        Test::Id(text) | Test::Class(text) => Some(text),
        Test::Attribute {
            comparison: Some(comparison),
            ..
        } => (comparison.case == Case::Sensitive).then_some(&comparison.value),
        _ => None,
    });
    let literal = literals.max_by_key(|text| text.len())?;
    (!literal.is_empty()).then_some(literal)
}
