//! One page on its way through `lol_html`.

use std::borrow::Cow;
use std::fmt;

use lol_html::send::{Element, ElementContentHandlers, HtmlRewriter, Settings};
use lol_html::{AsciiCompatibleEncoding, MemorySettings};

use super::around::Around;
use super::links::{Links, SELECTOR};
use super::splice::Splice;
use crate::hand_over::url::Siblings;
use crate::store::Scheme;

/// Most memory in bytes that reading one page may take: a tag that has not ended, and the elements
/// around.
const MEMORY_LIMIT: usize = 512 * 1024;

/// A page that is being read; without a reader the rest of it passes.
pub(super) struct Page {
    reader: Option<HtmlRewriter<'static, Splice>>,
    splice: Splice,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("is_read", &self.reader.is_some())
            .finish_non_exhaustive()
    }
}

impl Page {
    pub(super) fn new(
        scheme: Scheme,
        parameter: &str,
        siblings: impl Siblings + Send + 'static,
    ) -> Self {
        let splice = Splice::default();
        let links = Links {
            scheme,
            parameter: parameter.to_owned(),
            siblings,
            around: Around::default(),
            splice: splice.clone(),
        };
        Self {
            reader: reader(links, splice.clone()),
            splice,
        }
    }

    /// What passes of `bytes`, and of what was kept back.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Vec<u8> {
        match &mut self.reader {
            Some(reader) => {
                if let Err(error) = reader.write(bytes) {
                    tracing::debug!(%error, "the rest of a page is not decorated");
                    // It has given out all that it had.
                    self.reader = None;
                }
            }
            None => self.splice.pass(bytes),
        }
        self.splice.take()
    }

    /// What was kept back.
    pub(super) fn end(&mut self) -> Vec<u8> {
        if let Some(Err(error)) = self.reader.take().map(HtmlRewriter::end) {
            tracing::debug!(%error, "a page was not read to its end");
        }
        self.splice.take()
    }
}

/// Reads tags byte by byte, whatever the charset; where it is not sure what browsers see it goes on,
/// as it changes nothing that could be wrong. Out of memory it gives out what it kept.
fn reader<S>(mut links: Links<S>, splice: Splice) -> Option<HtmlRewriter<'static, Splice>>
where
    S: Siblings + Send + 'static,
{
    let selector = SELECTOR.as_ref().ok()?;
    let encoding = AsciiCompatibleEncoding::new(encoding_rs::WINDOWS_1252)?;
    let handlers =
        ElementContentHandlers::default().element(move |element: &mut Element<'_, '_>| {
            links.element(element);
            Ok(())
        });
    let memory = MemorySettings::new()
        .with_max_allowed_memory_usage(MEMORY_LIMIT)
        .with_graceful_bail_out_on_memory_limit_exceeded(true);
    let settings = Settings::new_send()
        .append_element_content_handler((Cow::Borrowed(selector), handlers))
        .with_encoding(encoding)
        .with_memory_settings(memory)
        .with_strict(false);
    Some(HtmlRewriter::new(settings, splice))
}
