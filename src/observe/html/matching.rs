//! The open elements of a page, and which steps of selectors they lead to.
//!
//! Unlike in browsers an element ends with its own end tag or with that
//! of an element around it: an end tag that is left out is not made up. What is done for
//! an element does not depend on how deep it stands.

use memchr::memchr;

use super::super::rule::selector::Relation;
use super::HtmlError;
use super::element::Element;
use super::names::{NOWHERE, Name, Names};
use super::program::{Program, Then};
use crate::html::foreign::Namespace;
use crate::html::kind::Kind;
use crate::html::scan;
use crate::html::tokens::{Beginnings, Tag, Tokens};

/// Most elements within one another.
pub(super) const DEPTH_LIMIT: usize = 32 * 1024;

/// Any type.
const ANY: Name = usize::MAX;

/// An element whose end has not come.
struct Open {
    name: Name,
    /// The next one outwards of the same name.
    outer: usize,
}

/// How many children a place has so far.
struct Children {
    /// The number of the parent in the page.
    parent: usize,
    count: i64,
}

/// A step that elements at some depth may take.
#[derive(Clone, Copy)]
struct Active {
    step: usize,
    /// How many elements were open in the element that led to it.
    depth: usize,
}

/// What is known of a step in this page.
struct Hint {
    name: Name,
    /// Where its literal stands next, at or after the last tag that was asked.
    literal: usize,
}

/// The elements of a page.
pub(super) struct Elements<'p> {
    program: &'p Program,
    page: &'p [u8],
    names: Names,
    hints: Vec<Hint>,
    /// Where the next `&` is.
    reference: usize,
    /// Before it no tag has a literal of an untyped step, nor a reference.
    quiet: usize,
    /// What the names begin with that some step or the reading itself asks for.
    telling: Beginnings,
    /// Whether elements were passed that may be open.
    pub(super) has_gap: bool,
    open: Vec<Open>,
    /// Those of the page, then of each open element.
    children: Vec<Children>,
    is_counting: bool,
    elements: usize,
    /// Both with the innermost last.
    descendants: Vec<Active>,
    direct: Vec<Active>,
    /// The steps that the last element led to.
    led: Vec<(Relation, usize)>,
    /// The queries that found the last element.
    pub(super) found: Vec<usize>,
}

impl<'p> Elements<'p> {
    pub(super) fn new(program: &'p Program, page: &'p [u8]) -> Result<Self, HtmlError> {
        let mut names = Names::new();
        let mut hints = Vec::with_capacity(program.steps.len());
        for step in &program.steps {
            let name = match step.compound.name.as_deref() {
                Some(name) => names.number(name.as_bytes(), scan::key(name.as_bytes()))?,
                None => ANY,
            };
            hints.push(Hint { name, literal: 0 });
        }
        let mut telling = Kind::telling();
        for step in &program.typed {
            let name = hints.get(*step).map_or(ANY, |hint| hint.name);
            if let Some(known) = names.known(name) {
                known.is_wanted = true;
            }
            let step = program.steps.get(*step);
            if let Some(name) = step.and_then(|step| step.compound.name.as_deref()) {
                telling.add(name);
            }
        }
        let mut elements = Self {
            program,
            page,
            names,
            hints,
            reference: 0,
            quiet: if program.untyped.is_empty() {
                usize::MAX
            } else {
                0
            },
            telling,
            has_gap: false,
            open: Vec::with_capacity(64),
            children: Vec::new(),
            is_counting: program.counts || program.counts_types,
            elements: 0,
            descendants: Vec::new(),
            direct: Vec::new(),
            led: Vec::new(),
            found: Vec::new(),
        };
        elements.count_in(0);
        Ok(elements)
    }

    /// How many elements are open.
    pub(super) const fn depth(&self) -> usize {
        self.open.len()
    }

    /// The number of a tag's name, and what an element of that name is.
    #[inline]
    pub(super) fn name(&mut self, tag: &Tag<'p>) -> Result<(Name, Kind), HtmlError> {
        let name = self.names.number(tag.name(), tag.key)?;
        let known = self.names.known(name).ok_or(HtmlError::Names)?;
        Ok((name, known.kind))
    }

    /// Whether elements need not be known: no selector looks at what is around or before them.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.descendants.is_empty() && self.direct.is_empty() && !self.is_counting
    }

    /// Passes what nobody asks about, as far as it is known. What is open is forgotten.
    pub(super) fn pass(&mut self, tokens: &mut Tokens<'p>) {
        self.has_gap |= !self.open.is_empty();
        while let Some(open) = self.open.pop() {
            if let Some(known) = self.names.known(open.name) {
                known.open = NOWHERE;
            }
        }
        let names = &mut self.names;
        let telling = &self.telling;
        // What is open is not known, so no end tag tells anything.
        let telling = |is_end: bool, first, second| !is_end && telling.has(first, second);
        self.has_gap |= tokens.pass(self.quiet, telling, |tag| {
            let name = names.number(tag.name(), tag.key);
            let known = name.ok().and_then(|name| names.known(name));
            known.is_some_and(|known| known.kind.is_dull() && !known.is_wanted)
        });
    }

    /// A start tag comes: the queries that find its element are in `found` then.
    #[inline]
    pub(super) fn start(&mut self, tag: &Tag<'p>, name: Name, namespace: Namespace) {
        self.found.clear();
        self.led.clear();
        let is_wanted = self.names.known(name).is_some_and(|known| known.is_wanted);
        if tag.to > self.quiet || is_wanted || !self.is_idle() {
            self.ask(tag, name, namespace, is_wanted);
        }
    }

    /// Every step that an element may take.
    fn ask(&mut self, tag: &Tag<'p>, name: Name, namespace: Namespace, is_wanted: bool) {
        let mut element = Element {
            tag,
            namespace,
            child: 0,
            of_type: 0,
        };
        if self.is_counting {
            self.count(&mut element, name);
        }
        let program = self.program;
        if !self.is_quiet(tag) {
            for step in &program.untyped {
                self.take(*step, &element, name);
            }
        }
        if is_wanted {
            for step in &program.typed {
                self.take(*step, &element, name);
            }
        }
        for at in 0..self.descendants.len() {
            if let Some(active) = self.descendants.get(at).copied() {
                self.take(active.step, &element, name);
            }
        }
        for at in (0..self.direct.len()).rev() {
            match self.direct.get(at).copied() {
                Some(active) if active.depth == self.open.len() => {
                    self.take(active.step, &element, name);
                }
                _ => break,
            }
        }
    }

    /// The element that came last is open.
    #[inline]
    pub(super) fn push(&mut self, name: Name) -> Result<(), HtmlError> {
        if self.open.len() == DEPTH_LIMIT {
            return Err(HtmlError::Deep);
        }
        let known = self.names.known(name).ok_or(HtmlError::Names)?;
        let outer = std::mem::replace(&mut known.open, self.open.len());
        self.open.push(Open { name, outer });
        if !self.led.is_empty() || self.is_counting {
            self.lead();
        }
        Ok(())
    }

    /// In the innermost open element others are asked.
    fn lead(&mut self) {
        let depth = self.open.len();
        while let Some((relation, step)) = self.led.pop() {
            let active = Active { step, depth };
            match relation {
                Relation::Child => self.direct.push(active),
                // Whoever is in this element is in the outer one too.
                Relation::Descendant if self.descendants.iter().any(|other| other.step == step) => {
                }
                Relation::Descendant => self.descendants.push(active),
            }
        }
        self.count_in(self.elements);
    }

    /// An end tag comes: how many elements are open then, if it ends any. The outermost
    /// of those that end has its name.
    #[inline]
    pub(super) fn end(&mut self, name: Name) -> Option<usize> {
        let depth = self.names.known(name)?.open;
        if depth == NOWHERE {
            return None;
        }
        while self.open.len() > depth {
            let open = self.open.pop()?;
            self.names.known(open.name)?.open = open.outer;
        }
        while self
            .descendants
            .last()
            .is_some_and(|active| active.depth > depth)
        {
            self.descendants.pop();
        }
        while self
            .direct
            .last()
            .is_some_and(|active| active.depth > depth)
        {
            self.direct.pop();
        }
        self.children.truncate(depth + 1);
        Some(depth)
    }

    /// The element takes a step if it is what the step says.
    fn take(&mut self, number: usize, element: &Element<'p, '_>, name: Name) {
        let program = self.program;
        let Some((step, hint)) = program.steps.get(number).zip(self.hints.get_mut(number)) else {
            return;
        };
        if hint.name != ANY && hint.name != name {
            return;
        }
        if let Some(literal) = &step.literal {
            let tag = element.tag;
            if hint.literal < tag.from {
                hint.literal = next(self.page, tag.from, |rest| literal.find(rest));
            }
            if hint.literal >= tag.to && !self.has_reference(tag) {
                return;
            }
        }
        if !element.is(&step.compound) {
            return;
        }
        match step.then {
            Then::Step(relation, next) => self.led.push((relation, next)),
            Then::Found(query) if self.found.contains(&query) => {}
            Then::Found(query) => self.found.push(query),
        }
    }

    /// Whether a tag may have a character reference.
    fn has_reference(&mut self, tag: &Tag<'_>) -> bool {
        if self.reference < tag.from {
            self.reference = next(self.page, tag.from, |rest| memchr(b'&', rest));
        }
        self.reference < tag.to
    }

    /// Whether no untyped step can be taken by an element of this tag.
    fn is_quiet(&mut self, tag: &Tag<'_>) -> bool {
        if tag.to <= self.quiet {
            return true;
        }
        let program = self.program;
        let mut quiet = usize::MAX;
        for number in &program.untyped {
            let Some((step, hint)) = program.steps.get(*number).zip(self.hints.get_mut(*number))
            else {
                continue;
            };
            let Some(literal) = &step.literal else {
                return false;
            };
            if hint.literal < tag.from || self.quiet == 0 {
                hint.literal = next(self.page, tag.from, |rest| literal.find(rest));
            }
            quiet = quiet.min(hint.literal);
        }
        let has_reference = self.has_reference(tag);
        self.quiet = quiet.min(self.reference);
        quiet >= tag.to && !has_reference
    }

    fn count(&mut self, element: &mut Element<'p, '_>, name: Name) {
        self.elements += 1;
        let Some(children) = self.children.last_mut() else {
            return;
        };
        children.count += 1;
        element.child = children.count;
        let parent = children.parent;
        if !self.program.counts_types {
            return;
        }
        let Some(known) = self.names.known(name) else {
            return;
        };
        // Parents that came after this one and are not this one are closed.
        while known
            .counts
            .last()
            .is_some_and(|(other, _)| *other > parent)
        {
            known.counts.pop();
        }
        match known.counts.last_mut() {
            Some((other, count)) if *other == parent => {
                *count += 1;
                element.of_type = *count;
            }
            _ => {
                known.counts.push((parent, 1));
                element.of_type = 1;
            }
        }
    }

    /// From here on children of the element with this number are counted.
    fn count_in(&mut self, parent: usize) {
        if self.is_counting {
            self.children.push(Children { parent, count: 0 });
        }
    }
}

/// Where something stands next in the page; beyond its end if nowhere.
fn next(page: &[u8], from: usize, find: impl Fn(&[u8]) -> Option<usize>) -> usize {
    let rest = page.get(from..).unwrap_or_default();
    find(rest).map_or(usize::MAX, |found| from + found)
}
