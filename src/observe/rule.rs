//! A rule: which exchange means what, and how fields are read from it.

mod amount;
mod css;
mod path;

use http::{HeaderName, Method};
use regex::Regex;

use crate::name::{RuleName, StoreName};
use crate::order::IdFloor;

pub use amount::{Amount, AmountError, WorkError};
pub(super) use css::selector;
pub use css::{Css, CssError, SyntaxError};
pub use path::{PathError, PathPattern, is_one_of};

/// One rule of the operator's.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, unique.
    pub name: RuleName,
    /// The stores it is for; all if empty.
    pub stores: Vec<StoreName>,
    /// Which direction it reads.
    pub on: Direction,
    /// Which exchanges it means.
    pub when: When,
    /// What it reads, in the order written.
    pub read: Vec<Read>,
    /// What it means.
    pub then: Then,
    /// What shows that whoever sees it has bought.
    pub proof: Proof,
}

/// What shows that whoever sees an exchange has bought, beside a checkout step of his visit.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// What only the first view of a confirmation carries.
    pub first_view: Option<FirstView>,
    /// The last order's id before the installation.
    pub id_floor: Option<IdFloor>,
    /// The operator's word that no proof is needed.
    pub trust_any_view: bool,
}

/// What only the first view of a confirmation carries.
#[derive(Clone, Debug)]
pub enum FirstView {
    /// Texts, all of them, as [`When::contains`].
    Contains(Vec<String>),
    /// What this finds, if it finds anything.
    Read(Box<Read>),
}

impl Proof {
    /// What marks a first view, if it is to be read as fields are.
    pub(super) fn read(&self) -> Option<&Read> {
        match &self.first_view {
            Some(FirstView::Read(read)) => Some(read),
            Some(FirstView::Contains(_)) | None => None,
        }
    }
}

/// Which direction of the exchange a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What the shop answers.
    Response,
    /// What the shopper sends.
    Request,
}

/// Which exchanges a rule means. Everything stated must hold.
#[derive(Clone, Debug)]
pub struct When {
    /// Host names; any of the store's if empty.
    pub hosts: Vec<String>,
    /// Methods; `GET` and `POST` if the rule names none.
    pub methods: Vec<Method>,
    /// The path.
    pub path: PathPattern,
    /// Query parameters that must be there, with what the decoded value must match.
    pub query: Vec<(String, Regex)>,
    /// Statuses, inclusive ranges; 200–299 if the rule names none.
    pub status: Vec<(u16, u16)>,
    /// Media types without parameters (`text/html`); any if empty.
    pub content_types: Vec<String>,
    /// Texts that the decoded body must contain, all of them.
    pub contains: Vec<String>,
    /// Texts that the decoded body must not contain, any of them.
    pub lacks: Vec<String>,
}

/// One field to read.
#[derive(Clone, Debug)]
pub struct Read {
    /// Its name: `order_id`, `alias`, `currency`, or any that `amount` uses.
    pub field: String,
    /// Where it is.
    pub source: Source,
    /// Which one, when the source gives several.
    pub pick: Pick,
    /// What the text must match: group 1 (or the whole match) is the value.
    pub pattern: Option<Regex>,
    /// Whether its absence is no fault (then it counts as zero in `amount`).
    pub optional: bool,
    /// An amount in minor units (`7836` = 78.36 USD).
    pub minor_units: bool,
}

/// Where a field is.
#[derive(Clone, Debug)]
pub enum Source {
    /// A named segment of the path.
    Path(String),
    /// A query parameter, decoded.
    Query(String),
    /// A response header.
    Header(HeaderName),
    /// HTML by CSS selector: the element's text, or an attribute of it.
    Css {
        /// The selector, of the documented subset.
        selector: Css,
        /// The attribute; the text if none.
        attribute: Option<String>,
    },
    /// JSON by an RFC 9535 path: the body, or the text of the `<script>` elements that `within` selects.
    Json {
        /// The path.
        path: serde_json_path::JsonPath,
        /// Selects the script elements; the whole body if none.
        within: Option<Css>,
    },
    /// The decoded body by regular expression: group 1, or the whole match.
    Regex(Regex),
}

/// Which of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// There must be only one, or all the same. The default.
    Only,
    /// The first.
    First,
    /// The last.
    Last,
    /// The n-th, from 1.
    Nth(u16),
}

/// What a matched exchange means.
#[derive(Clone, Debug)]
pub enum Then {
    /// An order was placed.
    Order {
        /// What it is worth: `subtotal - discount`, over the fields read.
        amount: Amount,
    },
    /// Keep the fields for a later exchange of the same visitor.
    Remember,
    /// The order was paid.
    Payment,
    /// The order's amount changed.
    Adjust,
}
