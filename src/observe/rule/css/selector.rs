//! What a CSS selector says, taken apart.

/// One item of a selector list, from the outermost element to the one that is meant.
pub(crate) type Path = Vec<Step>;

/// One element of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// How it stands to the element before it; the first is a descendant of the page.
    pub(crate) relation: Relation,
    pub(crate) compound: Compound,
}

/// How an element stands to the one before it in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// `a b`
    Descendant,
    /// `a > b`
    Child,
}

/// What must hold of one element: `td.price:first-child`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Compound {
    /// Its type, compared without regard to ASCII case; any if none.
    pub(crate) name: Option<Box<str>>,
    pub(crate) tests: Vec<Test>,
}

/// What an element must be, besides its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// `#id`
    Id(Box<str>),
    /// `.class`
    Class(Box<str>),
    /// `[name]`, `[name=value]` and the like.
    Attribute {
        /// In lower case.
        name: Box<str>,
        comparison: Option<Comparison>,
    },
    /// `:nth-child(…)`, `:first-child`
    NthChild(Nth),
    /// `:nth-of-type(…)`, `:first-of-type`
    NthOfType(Nth),
    /// `:not(a, b)`: none of them.
    Not(Vec<Compound>),
}

/// What an attribute's value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) operator: Operator,
    pub(crate) value: Box<str>,
    pub(crate) case: Case,
}

/// How an attribute's value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `=`
    Equal,
    /// `~=`: one of the words.
    Word,
    /// `|=`: it, or it and a hyphen.
    Dash,
    /// `^=`
    Prefix,
    /// `$=`
    Suffix,
    /// `*=`
    Substring,
}

/// Whether ASCII case counts in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Sensitive,
    Insensitive,
    /// Only on HTML elements it does not.
    InsensitiveInHtml,
}

/// `an+b`: the numbers `b`, `a + b`, `2a + b` …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nth {
    pub(crate) step: i64,
    pub(crate) offset: i64,
}

impl Nth {
    /// Whether the sequence has `number`.
    pub(crate) const fn has(self, number: i64) -> bool {
        let beyond = number.saturating_sub(self.offset);
        match self.step {
            0 => beyond == 0,
            step => beyond.wrapping_rem(step) == 0 && beyond.wrapping_div(step) >= 0,
        }
    }
}

/// The attributes whose values have no case on HTML elements (WHATWG HTML §4.16.2,
/// "case-sensitivity of selectors").
const WITHOUT_CASE: [&str; 46] = [
    "accept",
    "accept-charset",
    "align",
    "alink",
    "axis",
    "bgcolor",
    "charset",
    "checked",
    "clear",
    "codetype",
    "color",
    "compact",
    "declare",
    "defer",
    "dir",
    "direction",
    "disabled",
    "enctype",
    "face",
    "frame",
    "hreflang",
    "http-equiv",
    "lang",
    "language",
    "link",
    "media",
    "method",
    "multiple",
    "nohref",
    "noresize",
    "noshade",
    "nowrap",
    "readonly",
    "rel",
    "rev",
    "rules",
    "scope",
    "scrolling",
    "selected",
    "shape",
    "target",
    "text",
    "type",
    "valign",
    "valuetype",
    "vlink",
];

impl Case {
    /// What counts for an attribute without a flag.
    pub(super) fn of(name: &str) -> Self {
        match WITHOUT_CASE.contains(&name) {
            true => Self::InsensitiveInHtml,
            false => Self::Sensitive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_has_its_numbers_and_no_others() {
        let cases: [(i64, i64, &[i64]); 8] = [
            (0, 1, &[1]),
            (0, 3, &[3]),
            (2, 0, &[2, 4, 6]),
            (2, 1, &[1, 3, 5]),
            (1, 0, &[1, 2, 3, 4, 5, 6]),
            (-1, 3, &[1, 2, 3]),
            (3, -1, &[2, 5]),
            (0, 0, &[]),
        ];
        for (step, offset, expected) in cases {
            let nth = Nth { step, offset };
            let found: Vec<i64> = (1..=6).filter(|number| nth.has(*number)).collect();
            assert_eq!(found, expected, "{step}n+{offset}");
        }
        for (step, offset) in [(-1, i64::MAX), (i64::MIN, 1), (i64::MAX, 1)] {
            assert!(Nth { step, offset }.has(1), "{step}n+{offset}");
        }
    }
}
