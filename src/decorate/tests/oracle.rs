//! The same links found with `lol_html`, the whole page at once.

use std::cell::RefCell;
use std::rc::Rc;

use lol_html::html_content::{Element, EndTag};
use lol_html::{
    AsciiCompatibleEncoding, ElementContentHandlers, HtmlRewriter, MemorySettings, Settings,
};

use super::super::around::{Around, Form, Method};
use super::super::attribute::Value;
use super::super::{links::Insertions, refresh};
use super::*;
use crate::hand_over::url::Insertion;

const SELECTOR: &str = "a[href],area[href],form,button[formaction],input[formaction],meta[http-equiv],template,svg,math";

/// What `lol_html` makes of a page.
#[derive(Debug, Default)]
struct Found {
    around: Around,
    insertions: Insertions,
    /// Whether a form or a template ended with an element around it, which is not so in browsers; or
    /// `<svg>` or `<math>` did, which is so there, and which the decorator does not see: it leaves out what
    /// follows.
    is_implied: bool,
}

/// The page with what goes in; none where `lol_html` does not follow the standard.
pub(super) fn decorated(page: &[u8]) -> Option<Vec<u8>> {
    let found = Rc::new(RefCell::new(Found::default()));
    let shared = Rc::clone(&found);
    let handlers =
        ElementContentHandlers::default().element(move |element: &mut Element<'_, '_>| {
            start(&shared, element);
            Ok(())
        });
    let encoding = AsciiCompatibleEncoding::new(encoding_rs::WINDOWS_1252).unwrap();
    let settings = Settings::new()
        .append_element_content_handler((Cow::Owned(SELECTOR.parse().unwrap()), handlers))
        .with_encoding(encoding)
        .with_memory_settings(MemorySettings::new())
        .with_strict(false);
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    rewriter.write(page).unwrap();
    rewriter.end().unwrap();
    let found = found.take();
    let mut out = page.to_vec();
    for (at, text) in found.insertions.iter().rev() {
        out.splice(at..at, text.bytes());
    }
    (!found.is_implied).then_some(out)
}

fn start(shared: &Rc<RefCell<Found>>, element: &mut Element<'_, '_>) {
    if matches!(element.tag_name().as_str(), "svg" | "math") {
        return on_end(shared, element, |_| {});
    }
    if element.namespace_uri() != "http://www.w3.org/1999/xhtml" {
        return;
    }
    let mut found = shared.borrow_mut();
    let name = element.tag_name();
    if found.around.in_template() && name != "template" {
        return;
    }
    match name.as_str() {
        "template" => {
            found.around.begin_template();
            on_end(shared, element, Around::end_template);
        }
        "form" => {
            let method = attribute(element, "method");
            let method = Method::of(method.unwrap_or_default().as_bytes());
            let is_alone = found.around.begin_form(method);
            on_end(shared, element, Around::end_form);
            form(&mut found, element, (method, is_alone));
        }
        "meta" => meta(&mut found, element),
        "button" | "input" => button(&mut found, element),
        _ if element.has_attribute("download") => {}
        _ => put_into(&mut found, value(element, "href")),
    }
}

fn on_end(shared: &Rc<RefCell<Found>>, element: &mut Element<'_, '_>, end: fn(&mut Around)) {
    let (shared, own) = (Rc::clone(shared), element.tag_name());
    element
        .end_tag_handlers()
        .unwrap()
        .push(Box::new(move |tag: &mut EndTag<'_>| {
            let mut found = shared.borrow_mut();
            end(&mut found.around);
            found.is_implied |= tag.name() != own;
            Ok(())
        }));
}

fn form(found: &mut Found, element: &Element<'_, '_>, (method, is_alone): (Method, bool)) {
    let action = value(element, "action");
    match method {
        Method::Post => put_into(found, action),
        Method::Get if is_alone => {
            if let Some(action) = action
                && let Some((_, insertion)) = insertion(&action.decoded())
            {
                let field = format!(
                    "<input type=\"hidden\" name=\"rg\" value=\"{}\">",
                    insertion.token
                );
                let end = element.source_location().bytes().end;
                found.insertions.push((end, field));
            }
        }
        Method::Get | Method::Dialog => {}
    }
}

fn button(found: &mut Found, element: &Element<'_, '_>) {
    let method = match attribute(element, "formmethod") {
        Some(method) => Method::of(method.as_bytes()),
        None => match found.around.form() {
            Form::Open(method) if !element.has_attribute("form") => method,
            _ => return,
        },
    };
    if method == Method::Post {
        put_into(found, value(element, "formaction"));
    }
}

fn meta(found: &mut Found, element: &Element<'_, '_>) {
    let is_refresh =
        attribute(element, "http-equiv").is_some_and(|value| value.eq_ignore_ascii_case("refresh"));
    let Some(content) = value(element, "content").filter(|_| is_refresh) else {
        return;
    };
    let decoded = content.decoded();
    if let Some(range) = refresh::address(&decoded)
        && let Some((at, insertion)) = insertion(decoded.get(range.clone()).unwrap())
    {
        put(found, &content, range.start + at, &insertion);
    }
}

fn put_into(found: &mut Found, value: Option<Value>) {
    if let Some(value) = value
        && let Some((at, insertion)) = insertion(&value.decoded())
    {
        put(found, &value, at, &insertion);
    }
}

fn put(found: &mut Found, value: &Value, at: usize, insertion: &Insertion) {
    let text = insertion.text.replace('&', "&amp;");
    let place = value.place(at);
    found.insertions.extend(place.map(|place| (place, text)));
}

fn insertion(text: &str) -> Option<(usize, Insertion)> {
    let start = text.len() - text.trim_ascii_start().len();
    let address = text.trim_ascii();
    let insertion = url::insertion(address, Scheme::Https, "rg", &mut siblings())?;
    Some((start + insertion.at, insertion))
}

fn attribute(element: &Element<'_, '_>, name: &str) -> Option<String> {
    element.get_attribute(name)
}

fn value(element: &Element<'_, '_>, name: &str) -> Option<Value> {
    let mut attributes = element.attributes().iter();
    let attribute = attributes.find(|attribute| attribute.name() == name)?;
    let bytes = attribute.value_source_location()?.bytes();
    let raw = attribute.value();
    // A byte order mark is read as one even in a value.
    (raw.chars().count() == bytes.len()).then(|| Value::new(raw, bytes.start))
}
