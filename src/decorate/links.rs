//! Which tags of a page lead to another store, and what goes into them.

use super::around::{Around, Form, Method};
use super::attribute::{self, Value};
use super::refresh;
use crate::hand_over::url::{self, Insertion, Siblings};
use crate::html::tokens::Tag;
use crate::store::Scheme;

/// What goes into a page before which of its bytes.
pub(super) type Insertions = Vec<(usize, String)>;

/// Puts tokens into the tags of one page.
pub(super) struct Links<S: ?Sized> {
    pub(super) scheme: Scheme,
    pub(super) parameter: String,
    pub(super) around: Around,
    pub(super) insertions: Insertions,
    pub(super) siblings: S,
}

/// What a tag is to decorating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `<a>`, `<area>`
    Link,
    Form,
    /// `<button>`, `<input>`
    Button,
    Meta,
    Template,
}

impl Kind {
    /// That of a name in any case.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let names: [(&[u8], Self); 7] = [
            (b"a", Self::Link),
            (b"area", Self::Link),
            (b"input", Self::Button),
            (b"button", Self::Button),
            (b"form", Self::Form),
            (b"meta", Self::Meta),
            (b"template", Self::Template),
        ];
        let found = names
            .iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known));
        found.map(|(_, kind)| *kind)
    }
}

impl<S: Siblings + ?Sized> Links<S> {
    /// A start tag of this kind, in HTML.
    pub(super) fn start(&mut self, kind: Kind, tag: &Tag<'_>) {
        if kind == Kind::Template {
            return self.around.begin_template();
        }
        if self.around.in_template() {
            return;
        }
        match kind {
            Kind::Form => self.form(tag),
            Kind::Meta => self.meta(tag),
            Kind::Button => self.button(tag),
            Kind::Link | Kind::Template => self.link(tag),
        }
    }

    /// An end tag of this kind, in HTML.
    pub(super) const fn end(&mut self, kind: Kind) {
        match kind {
            Kind::Template => self.around.end_template(),
            Kind::Form => self.around.end_form(),
            Kind::Link | Kind::Button | Kind::Meta => {}
        }
    }

    /// `<a>`, `<area>`: what is downloaded is no page.
    fn link(&mut self, tag: &Tag<'_>) {
        if let Some(value) = Value::of(tag, "href")
            && attribute::written(tag, "download").is_none()
        {
            self.decorate(&value);
        }
    }

    /// `<form>`: by POST the query of its `action` is kept. By GET the fields replace it, so there
    /// the token is a field, unless the form stands in another: then it would become the other's.
    fn form(&mut self, tag: &Tag<'_>) {
        let method = Method::of(attribute::written(tag, "method").unwrap_or_default());
        let is_alone = self.around.begin_form(method);
        let Some(action) = Value::of(tag, "action") else {
            return;
        };
        match method {
            Method::Post => self.decorate(&action),
            Method::Get if is_alone => {
                if let Some((_, insertion)) = self.insertion(&action) {
                    let field = format!(
                        "<input type=\"hidden\" name=\"{}\" value=\"{}\">",
                        htmlize::escape_all_quotes(&self.parameter),
                        htmlize::escape_all_quotes(&*insertion.token),
                    );
                    self.insertions.push((tag.to + 1, field));
                }
            }
            Method::Get | Method::Dialog => {}
        }
    }

    /// A button with an address of its own: decorated where the form is sent by POST. By GET its
    /// query is replaced, and a field would go to the form's own address as well.
    fn button(&mut self, tag: &Tag<'_>) {
        let Some(value) = Value::of(tag, "formaction") else {
            return;
        };
        let method = match attribute::written(tag, "formmethod") {
            Some(method) => Method::of(method),
            None => match self.around.form() {
                Form::Open(method) if attribute::written(tag, "form").is_none() => method,
                _ => return,
            },
        };
        if method == Method::Post {
            self.decorate(&value);
        }
    }

    fn meta(&mut self, tag: &Tag<'_>) {
        let is_refresh = attribute::written(tag, "http-equiv")
            .is_some_and(|value| value.eq_ignore_ascii_case(b"refresh"));
        if !is_refresh {
            return;
        }
        let Some(content) = Value::of(tag, "content") else {
            return;
        };
        let decoded = content.decoded();
        if let Some(range) = refresh::address(&decoded)
            && let Some(address) = decoded.get(range.clone())
            && let Some((at, insertion)) = self.address(address)
        {
            self.put(&content, range.start + at, &insertion);
        }
    }

    /// The value is an address.
    fn decorate(&mut self, value: &Value) {
        if let Some((at, insertion)) = self.insertion(value) {
            self.put(value, at, &insertion);
        }
    }

    fn insertion(&mut self, value: &Value) -> Option<(usize, Insertion)> {
        self.address(&value.decoded())
    }

    /// What goes into an address that may have space around it, and where.
    fn address(&mut self, text: &str) -> Option<(usize, Insertion)> {
        let start = text.len() - text.trim_ascii_start().len();
        let address = text.trim_ascii();
        let insertion = url::insertion(address, self.scheme, &self.parameter, &mut self.siblings)?;
        Some((start + insertion.at, insertion))
    }

    fn put(&mut self, value: &Value, at: usize, insertion: &Insertion) {
        if let Some(place) = value.place(at) {
            // No other of its characters means something in HTML.
            let text = match insertion.text.strip_prefix('&') {
                Some(rest) => ["&amp;", rest].concat(),
                None => insertion.text.clone(),
            };
            self.insertions.push((place, text));
        }
    }
}
