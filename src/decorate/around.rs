//! What stands around a place in the page, as far as decorating depends on it.

/// How a form is sent (WHATWG HTML §4.10.19.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Dialog,
}

impl Method {
    /// That of a `method` or `formmethod`.
    pub(super) fn of(value: &[u8]) -> Self {
        match value {
            _ if value.eq_ignore_ascii_case(b"post") => Self::Post,
            _ if value.eq_ignore_ascii_case(b"dialog") => Self::Dialog,
            _ => Self::Get,
        }
    }
}

/// The form around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    #[default]
    None,
    Open(Method),
    /// One began where another had no end tag: browsers may have ignored either.
    Unsure,
}

/// What is open. As in browsers only its own end tag ends a form or a template
/// (WHATWG HTML §13.2.4.4, §13.2.6.4.7).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    /// How many `<template>`s.
    templates: usize,
    form: Form,
}

impl Around {
    /// Whether it is within a `<template>`, which is no part of the page until a script makes it one.
    pub(super) const fn in_template(&self) -> bool {
        self.templates > 0
    }

    pub(super) const fn begin_template(&mut self) {
        self.templates += 1;
    }

    pub(super) const fn end_template(&mut self) {
        self.templates = self.templates.saturating_sub(1);
    }

    pub(super) const fn form(&self) -> Form {
        self.form
    }

    /// Whether no other form is open.
    pub(super) fn begin_form(&mut self, method: Method) -> bool {
        let is_alone = self.form == Form::None;
        self.form = match is_alone {
            true => Form::Open(method),
            false => Form::Unsure,
        };
        is_alone
    }

    pub(super) const fn end_form(&mut self) {
        if !self.in_template() {
            self.form = Form::None;
        }
    }
}
