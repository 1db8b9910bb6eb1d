//! What stands around a place in the page, as far as decorating depends on it.

use std::sync::{Arc, Mutex, PoisonError};

/// How a form is sent (WHATWG HTML §4.10.19.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Dialog,
}

impl Method {
    /// That of a `method` or `formmethod`.
    pub(super) fn of(value: &str) -> Self {
        match value {
            _ if value.eq_ignore_ascii_case("post") => Self::Post,
            _ if value.eq_ignore_ascii_case("dialog") => Self::Dialog,
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

/// Shared by who sees start tags and who sees end tags.
#[derive(Clone, Debug, Default)]
pub(super) struct Around(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    /// How many `<template>`s.
    templates: usize,
    form: Form,
}

impl Around {
    fn with<T>(&self, act: impl FnOnce(&mut Open) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it is within a `<template>`, which is no part of the page until a script makes it one.
    pub(super) fn in_template(&self) -> bool {
        self.with(|open| open.templates > 0)
    }

    pub(super) fn begin_template(&self) {
        self.with(|open| open.templates += 1);
    }

    pub(super) fn end_template(&self) {
        self.with(|open| open.templates = open.templates.saturating_sub(1));
    }

    pub(super) fn form(&self) -> Form {
        self.with(|open| open.form)
    }

    /// Whether no other form is open.
    pub(super) fn begin_form(&self, method: Method) -> bool {
        self.with(|open| {
            let is_alone = open.form == Form::None;
            open.form = match is_alone {
                true => Form::Open(method),
                false => Form::Unsure,
            };
            is_alone
        })
    }

    pub(super) fn end_form(&self) {
        self.with(|open| open.form = Form::None);
    }
}
