//! The YAML as written: every node with its position.
//!
//! Two parsers read the text. The events of `saphyr-parser` give the position and the raw text of
//! every node (`1.10` stays `1.10`); `serde_yaml` gives the values, and must see the same ones.
//! Size and depth are bounded, and what makes YAML dangerous or surprising is refused: anchors,
//! aliases, merge keys, tags, further documents, duplicate keys.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_yaml::Value;

use super::fault::{Finding, Position, Problem};

/// Largest file in bytes.
pub(super) const SIZE_LIMIT: usize = 1024 * 1024;

/// Longest line in bytes: the parsers take quadratic time over some long ones.
const LINE_LIMIT: usize = 8 * 1024;

/// Deepest nesting.
const DEPTH_LIMIT: usize = 24;

/// Most keys of one mapping, and longest key in bytes.
const KEYS_LIMIT: usize = 1024;
const KEY_LENGTH: usize = 256;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind {
    /// `~`, `null`, or nothing after the colon.
    Null,
    /// Any other scalar, as written.
    Scalar(String),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys with values, in the order written.
    Mapping(Vec<(Key, Node)>),
}

/// A key and where it stands.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) at: Position,
    pub(super) text: String,
}

/// Reads one YAML document.
pub(super) fn parse(text: &str) -> Result<Node, Vec<Finding>> {
    if text.len() > SIZE_LIMIT {
        let found = format!("a file of {} bytes", text.len());
        let expected = "a configuration has at most 1 MiB";
        return Err(vec![syntax(None, found, expected)]);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(n) = text.lines().position(|line| line.len() > LINE_LIMIT) {
        let (line, column) = (n + 1, 1);
        let found = "a line of more than 8 KiB".to_owned();
        let at = Some(Position { line, column });
        return Err(vec![syntax(at, found, "break it up")]);
    }
    let tree = Tree::of(text);
    if !tree.refused.is_empty() {
        return Err(tree.refused);
    }
    let value: Value = serde_yaml::from_str(text).map_err(|error| vec![broken(&error)])?;
    if let Some(error) = tree.broken {
        return Err(vec![error]);
    }
    let root = tree.root.unwrap_or(Node {
        at: Position { line: 1, column: 1 },
        kind: Kind::Mapping(Vec::new()),
    });
    match differing(&root, &value) {
        None => Ok(root),
        Some(at) => {
            let found = "a value that YAML parsers read differently".to_owned();
            let expected = "write it in one line, in single quotes";
            Err(vec![syntax(Some(at), found, expected)])
        }
    }
}

fn syntax(at: Option<Position>, found: String, expected: &'static str) -> Finding {
    Finding {
        at,
        path: String::new(),
        problem: Problem::Syntax { found, expected },
    }
}

fn broken(error: &serde_yaml::Error) -> Finding {
    let at = error.location().map(|location| Position {
        line: location.line(),
        column: location.column(),
    });
    let words = error.to_string();
    // The position stands before the words already; what was being read, and from where, is worth keeping.
    let (what, rest) = words.split_once(" at line ").unwrap_or((&words, ""));
    let within = rest.split_once(", ").map_or("", |(_, within)| within);
    let words = [what, within].join(if within.is_empty() { "" } else { ", " });
    syntax(at, words, NO_YAML)
}

const NO_YAML: &str = "look at the indentation, the quotes and the colons around here";

/// The tree while it grows.
#[derive(Default)]
struct Tree {
    open: Vec<Open>,
    root: Option<Node>,
    refused: Vec<Finding>,
    broken: Option<Finding>,
    documents: usize,
    /// Whether a bound was passed: the rest is not looked at.
    is_too_much: bool,
}

/// A collection whose end has not come yet.
struct Open {
    at: Position,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping(Vec<(Key, Node)>, Option<Key>),
}

impl Tree {
    fn of(text: &str) -> Self {
        let mut tree = Self::default();
        for event in Parser::new_from_str(text) {
            match event {
                Ok((event, span)) => tree.see(event, position(span)),
                Err(error) => {
                    let at = Position {
                        line: error.marker().line(),
                        column: error.marker().col() + 1,
                    };
                    tree.broken = Some(syntax(Some(at), error.info().to_owned(), NO_YAML));
                    break;
                }
            }
            if tree.is_too_much {
                break;
            }
        }
        tree
    }

    fn see(&mut self, event: Event<'_>, at: Position) {
        match event {
            Event::DocumentStart(_) => self.document(at),
            Event::Alias(_) => {
                self.refuse(at, "an alias (*name)", "write the value out here");
                self.put(Node {
                    at,
                    kind: Kind::Null,
                });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.plain(at, anchor, tag.is_some());
                self.scalar(at, text.into_owned(), style);
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain(at, anchor, tag.is_some());
                self.start(at, Content::Sequence(Vec::new()));
            }
            Event::MappingStart(anchor, tag) => {
                self.plain(at, anchor, tag.is_some());
                self.start(at, Content::Mapping(Vec::new(), None));
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }

    fn document(&mut self, at: Position) {
        self.documents += 1;
        if self.documents > 1 {
            self.is_too_much = true;
            self.refuse(at, "a second document (---)", "one file is one document");
        }
    }

    fn plain(&mut self, at: Position, anchor: usize, tagged: bool) {
        if anchor != 0 {
            let expected = "anchors are not used here: write the value out where it is needed";
            self.refuse(at, "an anchor (&name)", expected);
        }
        if tagged {
            let expected = "tags are not used here: put quotes around the value";
            self.refuse(at, "a tag (!name)", expected);
        }
    }

    fn scalar(&mut self, at: Position, text: String, style: ScalarStyle) {
        if let Some(Open {
            content: Content::Mapping(_, None),
            ..
        }) = self.open.last()
        {
            self.key(at, text);
            return;
        }
        let null = matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL");
        let kind = if style == ScalarStyle::Plain && null {
            Kind::Null
        } else {
            Kind::Scalar(text)
        };
        self.put(Node { at, kind });
    }

    fn key(&mut self, at: Position, text: String) {
        let Some(Open {
            content: Content::Mapping(entries, key),
            ..
        }) = self.open.last_mut()
        else {
            return;
        };
        let too_many = entries.len() >= KEYS_LIMIT;
        let bad = text.len() > KEY_LENGTH || text.contains(char::is_control);
        let first = entries.iter().find(|(key, _)| key.text == text);
        let problem = match first {
            Some((first, _)) => Some(Problem::Duplicate {
                first: first.at.line,
            }),
            None if too_many => refusal("a mapping of more than 1024 keys", "fewer"),
            None if bad => refusal("a key with control characters, or over 256 bytes", "a word"),
            None if text == "<<" => refusal("a merge key (<<)", "write the keys out here"),
            None => None,
        };
        let text = if bad { "…".to_owned() } else { text };
        *key = Some(Key { at, text });
        self.is_too_much |= too_many;
        if let Some(problem) = problem {
            let path = self.path();
            self.refused.push(Finding {
                at: Some(at),
                path,
                problem,
            });
        }
    }

    fn start(&mut self, at: Position, content: Content) {
        let as_key = matches!(
            self.open.last(),
            Some(Open {
                content: Content::Mapping(_, None),
                ..
            })
        );
        if as_key {
            self.refuse(
                at,
                "a list or mapping as a key",
                "a key is one word; put quotes around {…} and […]",
            );
        }
        self.open.push(Open { at, content });
        if self.open.len() > DEPTH_LIMIT {
            self.is_too_much = true;
            self.refuse(
                at,
                "nesting deeper than 24 levels",
                "nothing here needs more than six",
            );
        }
    }

    fn end(&mut self) {
        let Some(Open { at, content }) = self.open.pop() else {
            return;
        };
        let kind = match content {
            Content::Sequence(items) => Kind::Sequence(items),
            Content::Mapping(entries, _) => Kind::Mapping(entries),
        };
        self.put(Node { at, kind });
    }

    fn put(&mut self, node: Node) {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::Sequence(items)) => items.push(node),
            Some(Content::Mapping(entries, key)) => match key.take() {
                Some(name) => entries.push((name, node)),
                // A collection as a key was refused; its value must still find a key.
                None => {
                    *key = Some(Key {
                        at: node.at,
                        text: String::new(),
                    });
                }
            },
        }
    }

    fn refuse(&mut self, at: Position, found: &str, expected: &'static str) {
        let path = self.path();
        let found = found.to_owned();
        self.refused.push(Finding {
            at: Some(at),
            path,
            problem: Problem::Syntax { found, expected },
        });
    }

    /// The way to what is being read.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match &open.content {
                Content::Sequence(items) => path.push_str(&format!("[{}]", items.len())),
                Content::Mapping(_, None) => {}
                Content::Mapping(_, Some(key)) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&key.text);
                }
            }
        }
        path
    }
}

fn refusal(found: &str, expected: &'static str) -> Option<Problem> {
    let found = found.to_owned();
    Some(Problem::Syntax { found, expected })
}

fn position(span: Span) -> Position {
    Position {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

/// Where the two parsers saw different things.
fn differing(node: &Node, value: &Value) -> Option<Position> {
    let same = match (&node.kind, value) {
        (Kind::Scalar(text), Value::String(value)) => text == value,
        (Kind::Null, Value::Null) | (Kind::Scalar(_), Value::Bool(_) | Value::Number(_)) => true,
        (Kind::Sequence(items), Value::Sequence(values)) => {
            let inner = items.iter().zip(values).find_map(|(a, b)| differing(a, b));
            if inner.is_some() {
                return inner;
            }
            items.len() == values.len()
        }
        (Kind::Mapping(entries), Value::Mapping(values)) => {
            let inner = entries
                .iter()
                .zip(values)
                .find_map(|((_, a), (_, b))| differing(a, b));
            if inner.is_some() {
                return inner;
            }
            entries.len() == values.len()
        }
        // A file of comments only: no node at all.
        (Kind::Mapping(entries), Value::Null) => entries.is_empty(),
        _ => false,
    };
    (!same).then_some(node.at)
}
