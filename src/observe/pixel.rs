//! Whether a page loads something from a network's own tracking, which would count the order once more.

use std::sync::Arc;

use regex::Regex;

/// Hosts whose scripts, images and frames are looked for. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pixels(Option<Arc<Regex>>);

impl Pixels {
    /// Those hosts, and the ones beneath them.
    pub fn of(hosts: &[String]) -> Self {
        if hosts.is_empty() {
            return Self(None);
        }
        let hosts: Vec<String> = hosts.iter().map(|host| regex::escape(host)).collect();
        // `src="https://…"` of an element, or `.src = '//…'` of a script, where slashes may be escaped.
        let pattern = format!(
            r#"(?i)\bsrc\s*=\s*\\?["']?\s*(?:https?:)?\\?/\\?/(?:[a-z0-9_-]+\.)*({})(?:[:/?"'\\\s>]|$)"#,
            hosts.join("|")
        );
        Self(Regex::new(&pattern).ok().map(Arc::new))
    }

    /// The first host that the page loads from.
    pub(super) fn find(&self, page: &str) -> Option<String> {
        let found = self.0.as_ref()?.captures_iter(page);
        let mut loaded = found.filter(|found| {
            let at = found.get(0).map_or(0, |whole| whole.start());
            !is_comment(page.get(..at).unwrap_or_default())
        });
        let host = loaded.next()?.get(1)?;
        Some(host.as_str().to_ascii_lowercase())
    }
}

/// Whether what follows `before` stands in a comment.
fn is_comment(before: &str) -> bool {
    let begins = before.rfind("<!--");
    begins.is_some_and(|at| before.get(at..).is_some_and(|text| !text.contains("-->")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_loads_from_the_network_is_found() {
        let hosts = ["aspireiq.go2cloud.org".to_owned(), "10.0.0.1".to_owned()];
        let pixels = Pixels::of(&hosts);
        let found = |page: &str| pixels.find(page);
        for page in [
            r#"<iframe src="https://aspireiq.go2cloud.org/aff_l?offer_id=1" width=1></iframe>"#,
            "<IMG width=1 SRC = '//aspireiq.go2cloud.org/aff_i'>",
            "<img src=http://cdn.aspireiq.GO2cloud.org>",
            "<script>new Image().src = \"https://aspireiq.go2cloud.org:443/x\"</script>",
            r#"{"html":"<img src=\"https:\/\/aspireiq.go2cloud.org\/aff_l\">"}"#,
            "<!-- their pixel --><img src='//aspireiq.go2cloud.org/x'>",
        ] {
            assert_eq!(
                found(page).as_deref(),
                Some("aspireiq.go2cloud.org"),
                "{page}"
            );
        }
        assert_eq!(
            found("<img src=//10.0.0.1:80/>").as_deref(),
            Some("10.0.0.1")
        );
        for page in [
            "",
            "<a href='https://aspireiq.go2cloud.org/'>our partners</a>",
            "<p>src = our source: aspireiq.go2cloud.org</p>",
            "<img src='https://aspireiq.go2cloud.org.example/x'>",
            "<img src='https://notaspireiq.go2cloud.org/x'>",
            "<img src='/img?from=https://aspireiq.go2cloud.org/'>",
            "<!-- <img src='//aspireiq.go2cloud.org/x'> -->",
            "<img src=//1000001/>",
        ] {
            assert_eq!(found(page), None, "{page}");
        }
        assert_eq!(Pixels::default().find("<img src=//a/>"), None);
    }
}
