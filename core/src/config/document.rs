//! From text to a tree of values with places: the one file that knows serde_yaml, so that it can be replaced.
//!
//! serde_yaml decides what the values are; [`marks`](super::marks) supplies where they stand. Both read the same
//! text, and the two trees are walked together: entry by entry, item by item.
//!
//! Neither parser is made for a hostile file, so each file passes guards first: its size, the characters in it,
//! its depth (nested brackets cost serde_yaml time in the square of their depth, and every level costs stack),
//! and, while values are read, their number (aliases multiply).

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt,
};

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IgnoredAny, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use super::{
    marks::{self, Kind, Mark},
    node::{Entry, Node, Value, item_path, key_path},
    problem::{Position, Problems, Refusal},
    syntax,
};

/// The largest file that is read: room for ten thousand backends, and both parsers are through in a moment.
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// The deepest nesting: a configuration needs five levels, serde_yaml stops at 128.
pub(super) const MAX_DEPTH: usize = 64;
/// The most values after aliases are expanded: a file of [`MAX_BYTES`] hardly holds more without them.
pub(super) const MAX_VALUES: usize = 250_000;
/// How many brackets a file may open that the parser with marks could not follow to its end: unclosed, they cost
/// serde_yaml milliseconds at this number and minutes at a hundred times of it.
const MAX_UNKNOWN_BRACKETS: usize = 1_000;

/// The tree of a file. `None` if it cannot be read at all, and then the problem is in `problems`; in a tree that
/// could be read, problems of single values are there too, and these values are [`Value::Broken`].
pub(super) fn parse(text: &str, problems: &mut Problems) -> Option<Node> {
    match read(text, problems) {
        Ok(node) => Some(node),
        Err((position, refusal)) => {
            problems.add(position, "", refusal, None);
            None
        }
    }
}

type Unreadable = (Option<Position>, Refusal);

fn read(text: &str, problems: &mut Problems) -> Result<Node, Unreadable> {
    if text.len() > MAX_BYTES {
        let rule = format!(
            "is {} bytes long; a configuration has at most {MAX_BYTES}",
            text.len()
        );
        return Err((None, Refusal::new(rule)));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    syntax::refuse_invisible(text).map_err(|(position, refusal)| (Some(position), refusal))?;
    let marks = marks::read(text, MAX_DEPTH);
    if let Some((position, refusal)) = marks.refused {
        return Err((Some(position), refusal));
    }
    if let Some((position, reason)) = marks.failed
        && text.matches(['[', '{']).count() > MAX_UNKNOWN_BRACKETS
    {
        return Err((Some(position), syntax::reworded(&reason, text, position.line)));
    }
    let tree = Tree {
        problems: RefCell::new(problems),
        values: Cell::new(0),
    };
    let root = Seed {
        tree: &tree,
        mark: marks.root.as_ref(),
        position: None,
        path: "",
        aliased: false,
    };
    root.deserialize(serde_yaml::Deserializer::from_str(text))
        .map_err(|error| {
            if tree.values.get() > MAX_VALUES {
                let rule = format!("holds more than {MAX_VALUES} values; each use of an alias counts");
                return (None, Refusal::new(rule));
            }
            let place = error.location().map(|place| Position {
                line: place.line(),
                column: place.column(),
            });
            let (message, line) = (error.to_string(), place.map_or(0, |place| place.line));
            match syntax::missing_colon(&message, text, line) {
                Some((position, refusal)) => (Some(position), refusal),
                None => (place, syntax::reworded(&message, text, line)),
            }
        })
}

/// What all seeds of one file share.
struct Tree<'p> {
    problems: RefCell<&'p mut Problems>,
    values: Cell<usize>,
}

impl Tree<'_> {
    fn refuse(&self, position: Option<Position>, path: &str, refusal: Refusal, value: Option<&str>) {
        self.problems.borrow_mut().add(position, path, refusal, value);
    }
}

/// Reads one value, with the mark at the same place of the other tree.
#[derive(Clone, Copy)]
struct Seed<'s, 'p> {
    tree: &'s Tree<'p>,
    mark: Option<&'s Mark>,
    /// Of what contains the value, for want of a mark.
    position: Option<Position>,
    path: &'s str,
    /// Whether the value is an alias' copy, whose original was checked where it stands.
    aliased: bool,
}

impl<'p> Seed<'_, 'p> {
    fn place(&self) -> Option<Position> {
        self.mark.map(|mark| mark.position).or(self.position)
    }

    fn child<'c>(&'c self, mark: Option<&'c Mark>, path: &'c str) -> Seed<'c, 'p> {
        let aliased = self.aliased || mark.is_some_and(|mark| matches!(mark.kind, Kind::Alias));
        Seed {
            tree: self.tree,
            mark,
            position: self.place(),
            path,
            aliased,
        }
    }

    fn scalar<E>(&self, value: Value, text: impl fmt::Display) -> Result<Node, E> {
        let written = match self.mark.map(|mark| &mark.kind) {
            Some(Kind::Scalar(written)) => written.clone(),
            _ => text.to_string(),
        };
        Ok(Node {
            position: self.place(),
            value,
            written,
        })
    }

    fn node(&self, value: Value) -> Node {
        Node {
            position: self.place(),
            value,
            written: String::new(),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let values = self.tree.values.get() + 1;
        self.tree.values.set(values);
        if values > MAX_VALUES {
            return Err(D::Error::custom("too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        self.scalar(Value::Bool(value), value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        self.scalar(Value::Int(value.into()), value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        self.scalar(Value::Int(value.into()), value)
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        self.scalar(Value::Int(value), value)
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        self.scalar(
            i128::try_from(value).map_or(Value::Float(f64::INFINITY), Value::Int),
            value,
        )
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        self.scalar(Value::Float(value), value)
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node {
            position: self.place(),
            value: Value::Text(value.to_owned()),
            written: value.to_owned(),
        })
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(self.node(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(self.node(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        loop {
            let mark = match self.mark.map(|mark| &mark.kind) {
                Some(Kind::List(marks)) => marks.get(items.len()),
                _ => None,
            };
            let path = item_path(self.path, items.len());
            match list.next_element_seed(self.child(mark, &path))? {
                Some(item) => items.push(item),
                None => return Ok(self.node(Value::List(items))),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Node, A::Error> {
        let mut entries = Entries::default();
        loop {
            let (key_mark, value_mark) = match self.mark.map(|mark| &mark.kind) {
                Some(Kind::Mapping(marks)) => marks.get(entries.seen).map(|(key, value)| (key, value)),
                _ => None,
            }
            .unzip();
            let Some(key) = mapping.next_key_seed(self.child(key_mark, self.path))? else {
                return Ok(self.node(Value::Mapping(entries.merged(&self))));
            };
            let path = key_path(self.path, &key.written);
            let value = mapping.next_value_seed(self.child(value_mark, &path))?;
            entries.add(key, value, &self);
        }
    }

    /// A tag that YAML does not define. (Those it does define arrive as the values they make.)
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Node, A::Error> {
        let (tag, content) = tagged.variant::<String>()?;
        content.newtype_variant::<IgnoredAny>()?;
        if !self.aliased {
            let refusal =
                Refusal::new("must not carry a tag").hint("put quotes around a text that begins with `!`");
            self.tree
                .refuse(self.place(), self.path, refusal, Some(&format!("!{tag}")));
        }
        Ok(self.node(Value::Broken))
    }
}

/// The entries of a mapping that is being read.
#[derive(Default)]
struct Entries {
    /// How many there were, whatever became of them.
    seen: usize,
    list: Vec<Entry>,
    /// Where each key is in `list`.
    index: HashMap<String, usize>,
    /// The values of `<<`, in order.
    merges: Vec<Node>,
}

impl Entries {
    fn add(&mut self, key: Node, value: Node, mapping: &Seed<'_, '_>) {
        self.seen += 1;
        let position = key.position;
        let text = match key.value {
            Value::Text(text) => text,
            // Status codes are keys; where they are not, their mapping refuses them as unknown.
            Value::Int(_) => key.written,
            Value::Broken => return,
            other => {
                if !mapping.aliased {
                    let refusal = Refusal::new(format!("has a key that is not text but {}", other.noun()));
                    let written = Some(key.written.as_str()).filter(|written| !written.is_empty());
                    mapping.tree.refuse(position, mapping.path, refusal, written);
                }
                return;
            }
        };
        if text == "<<" {
            if !self.merges.is_empty() && !mapping.aliased {
                let refusal = Refusal::new("is written twice").hint("write one, such as `<<: [*a, *b]`");
                mapping
                    .tree
                    .refuse(position, &key_path(mapping.path, &text), refusal, None);
            }
            self.merges.push(value);
            return;
        }
        if let Some(&first) = self.index.get(&text) {
            if !mapping.aliased {
                let first = self.list[first]
                    .position
                    .map_or(String::new(), |first| format!(", first in line {}", first.line));
                let refusal = Refusal::new(format!("is written twice{first}")).hint("remove one of them");
                mapping
                    .tree
                    .refuse(position, &key_path(mapping.path, &text), refusal, None);
            }
            return;
        }
        self.index.insert(text.clone(), self.list.len());
        self.list.push(Entry {
            key: text,
            position,
            value,
        });
    }

    /// All entries: what is written here wins over what is merged in, earlier merges over later ones.
    fn merged(mut self, mapping: &Seed<'_, '_>) -> Vec<Entry> {
        for merge in std::mem::take(&mut self.merges) {
            let sources = match merge.value {
                Value::List(sources) => sources,
                _ => vec![merge],
            };
            for source in sources {
                match source.value {
                    Value::Mapping(entries) => self.merge(entries),
                    Value::Broken => {}
                    other if !mapping.aliased => {
                        let refusal =
                            Refusal::new(format!("must be a mapping to merge, not {}", other.noun()));
                        mapping
                            .tree
                            .refuse(source.position, &key_path(mapping.path, "<<"), refusal, None);
                    }
                    _ => {}
                }
            }
        }
        self.list
    }

    fn merge(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            if !self.index.contains_key(&entry.key) {
                self.index.insert(entry.key.clone(), self.list.len());
                self.list.push(entry);
            }
        }
    }
}
