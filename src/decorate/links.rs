//! Which tags of a page lead to another store, and what goes into them.

use std::sync::LazyLock;

use lol_html::Selector;
use lol_html::errors::SelectorError;
use lol_html::send::Element;

use super::around::{Around, Form, Method};
use super::attribute::Value;
use super::refresh;
use super::splice::Splice;
use crate::hand_over::url::{self, Insertion, Siblings};
use crate::store::Scheme;

const HTML: &str = "http://www.w3.org/1999/xhtml";

/// The tags that are looked at.
pub(super) static SELECTOR: LazyLock<Result<Selector, SelectorError>> = LazyLock::new(|| {
    "a[href],area[href],form,button[formaction],input[formaction],meta[http-equiv],template".parse()
});

/// Puts tokens into the tags of one page.
pub(super) struct Links<S> {
    pub(super) scheme: Scheme,
    pub(super) parameter: String,
    pub(super) siblings: S,
    pub(super) around: Around,
    pub(super) splice: Splice,
}

impl<S: Siblings> Links<S> {
    /// A start tag that the selector means.
    pub(super) fn element(&mut self, element: &mut Element<'_, '_>) {
        if element.namespace_uri() != HTML {
            return;
        }
        let name = element.tag_name();
        if name == "template" {
            return self.template(element);
        }
        if self.around.in_template() {
            return;
        }
        match name.as_str() {
            "form" => self.form(element),
            "meta" => self.meta(element),
            "button" | "input" => self.button(element),
            _ => self.link(element),
        }
    }

    fn template(&self, element: &mut Element<'_, '_>) {
        if let Some(handlers) = element.end_tag_handlers() {
            self.around.begin_template();
            let around = self.around.clone();
            handlers.push(Box::new(move |_| {
                around.end_template();
                Ok(())
            }));
        }
    }

    /// `<a>`, `<area>`: what is downloaded is no page.
    fn link(&mut self, element: &Element<'_, '_>) {
        if let Some(value) = Value::of(element, "href")
            && value.may_lead_away()
            && !element.has_attribute("download")
        {
            self.decorate(&value);
        }
    }

    /// `<form>`: by POST the query of its `action` is kept. By GET the fields replace it, so there
    /// the token is a field, unless the form stands in another: then it would become the other's.
    fn form(&mut self, element: &mut Element<'_, '_>) {
        let method = Method::of(&element.get_attribute("method").unwrap_or_default());
        let is_alone = self.around.begin_form(method);
        if let Some(handlers) = element.end_tag_handlers() {
            let around = self.around.clone();
            handlers.push(Box::new(move |_| {
                around.end_form();
                Ok(())
            }));
        }
        let Some(action) = Value::of(element, "action").filter(Value::may_lead_away) else {
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
                    self.splice
                        .insert(element.source_location().bytes().end, field);
                }
            }
            Method::Get | Method::Dialog => {}
        }
    }

    /// A button with an address of its own: decorated where the form is sent by POST. By GET its
    /// query is replaced, and a field would go to the form's own address as well.
    fn button(&mut self, element: &Element<'_, '_>) {
        let method = match element.get_attribute("formmethod") {
            Some(method) => Method::of(&method),
            None => match self.around.form() {
                Form::Open(method) if !element.has_attribute("form") => method,
                _ => return,
            },
        };
        if method == Method::Post
            && let Some(value) = Value::of(element, "formaction")
        {
            self.decorate(&value);
        }
    }

    fn meta(&mut self, element: &Element<'_, '_>) {
        let is_refresh = element
            .get_attribute("http-equiv")
            .is_some_and(|value| value.eq_ignore_ascii_case("refresh"));
        if !is_refresh {
            return;
        }
        let Some(content) = Value::of(element, "content") else {
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

    fn put(&self, value: &Value, at: usize, insertion: &Insertion) {
        if let Some(place) = value.place(at) {
            self.splice
                .insert(place, insertion.text.replace('&', "&amp;"));
        }
    }
}
