//! Within `<svg>` and `<math>` other rules hold (WHATWG HTML §13.2.6.5), as far as they can be
//! told without building the tree.

use super::attributes::{self, Attributes};
use super::kind::Kind;
use super::tokens::Tag;

/// Whose element names these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Namespace {
    Html,
    Svg,
    MathMl,
}

/// What an element's name does to the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    None,
    /// `<svg>`
    Svg,
    /// `<math>`
    Math,
    /// HTML that cannot stand in foreign content, and ends it.
    Leave,
    /// The same, even as an end tag.
    LeaveTwice,
    /// `<font>`: it does if it has certain attributes.
    Font,
    /// `MathML` that contains HTML.
    MathText,
    /// SVG that contains HTML.
    SvgHtml,
    /// `<annotation-xml>`: it may contain HTML.
    Annotation,
}

impl Role {
    /// That of a name in lower case.
    pub(crate) fn of(name: &[u8]) -> Self {
        match name {
            b"svg" => Self::Svg,
            b"math" => Self::Math,
            b"p" | b"br" => Self::LeaveTwice,
            b"b" | b"big" | b"blockquote" | b"body" | b"center" | b"code" | b"dd" | b"div"
            | b"dl" | b"dt" | b"em" | b"embed" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6"
            | b"head" | b"hr" | b"i" | b"img" | b"li" | b"listing" | b"menu" | b"meta"
            | b"nobr" | b"ol" | b"pre" | b"ruby" | b"s" | b"small" | b"span" | b"strong"
            | b"strike" | b"sub" | b"sup" | b"table" | b"tt" | b"u" | b"ul" | b"var" => Self::Leave,
            b"font" => Self::Font,
            b"mi" | b"mo" | b"mn" | b"ms" | b"mtext" => Self::MathText,
            b"desc" | b"title" | b"foreignobject" => Self::SvgHtml,
            b"annotation-xml" => Self::Annotation,
            _ => Self::None,
        }
    }
}

/// The namespaces that the place in the page is in.
pub(crate) struct Namespaces {
    /// Those around the current one; HTML is around all.
    outer: Vec<Namespace>,
    current: Namespace,
}

impl Namespaces {
    pub(crate) const fn new() -> Self {
        Self {
            outer: Vec::new(),
            current: Namespace::Html,
        }
    }

    /// The one that elements are in here.
    pub(crate) const fn current(&self) -> Namespace {
        self.current
    }

    /// Whether all around is HTML.
    #[inline]
    pub(crate) const fn is_html(&self) -> bool {
        matches!(self.current, Namespace::Html) && self.outer.is_empty()
    }

    /// How many there are within one another.
    pub(crate) const fn depth(&self) -> usize {
        self.outer.len()
    }

    fn enter(&mut self, namespace: Namespace) {
        self.outer.push(self.current);
        self.current = namespace;
    }

    fn leave(&mut self) {
        self.current = self.outer.pop().unwrap_or(Namespace::Html);
    }

    /// A start tag comes: whether its element is open thereafter. The element's own
    /// namespace is the current one.
    ///
    /// `<svg/>` is whole, as the standard has it.
    #[inline]
    pub(crate) fn start(&mut self, kind: Kind, tag: &Tag<'_>) -> bool {
        if self.current == Namespace::Html && kind.is_plain {
            return true;
        }
        self.start_special(kind, tag)
    }

    fn start_special(&mut self, kind: Kind, tag: &Tag<'_>) -> bool {
        let is_whole = attributes::is_self_closing(tag.attributes());
        match (kind.role, self.current) {
            (Role::Svg | Role::Math, _) if is_whole => return false,
            (Role::Svg, _) => self.enter(Namespace::Svg),
            (Role::Math, _) => self.enter(Namespace::MathMl),
            (_, Namespace::Html) => {}
            (Role::Leave | Role::LeaveTwice, _) => self.leave(),
            (Role::Font, _) if leaves(tag) => self.leave(),
            _ if is_whole => {}
            (Role::SvgHtml, Namespace::Svg) | (Role::MathText, Namespace::MathMl) => {
                self.enter(Namespace::Html);
            }
            (Role::Annotation, Namespace::MathMl) if is_html(tag) => {
                self.enter(Namespace::Html);
            }
            _ => {}
        }
        match self.current {
            Namespace::Html => !kind.is_void,
            Namespace::Svg | Namespace::MathMl => !is_whole,
        }
    }

    /// An end tag comes.
    #[inline]
    pub(crate) fn end(&mut self, role: Role) {
        if self.is_html() {
            return;
        }
        let around = self.outer.last();
        match (role, self.current) {
            (Role::Svg, Namespace::Svg)
            | (Role::Math, Namespace::MathMl)
            | (Role::LeaveTwice, Namespace::Svg | Namespace::MathMl) => self.leave(),
            (Role::SvgHtml, Namespace::Html) if around == Some(&Namespace::Svg) => self.leave(),
            (Role::MathText | Role::Annotation, Namespace::Html)
                if around == Some(&Namespace::MathMl) =>
            {
                self.leave();
            }
            _ => {}
        }
    }
}

/// Whether a `<font>` is the one of HTML.
fn leaves(tag: &Tag<'_>) -> bool {
    let known: [&[u8]; 3] = [b"color", b"face", b"size"];
    let is_known = |name: &[u8]| known.iter().any(|known| name.eq_ignore_ascii_case(known));
    Attributes::new(tag.attributes()).any(|attribute| is_known(attribute.name))
}

/// Whether an `<annotation-xml>` says that it contains HTML.
fn is_html(tag: &Tag<'_>) -> bool {
    Attributes::new(tag.attributes()).any(|attribute| {
        let value = attribute.decoded();
        attribute.name.eq_ignore_ascii_case(b"encoding")
            && (value.eq_ignore_ascii_case("text/html")
                || value.eq_ignore_ascii_case("application/xhtml+xml"))
    })
}
