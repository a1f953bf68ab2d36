//! Reading a mapping setting by setting: each asked for by its name, the others reported.

use std::collections::HashMap;

use crate::config::{
    node::{Entry, Node, Value, item_path, key_path},
    problem::{Position, Problems, Refusal, shown},
    suggest::closest,
};

/// A known key and what it holds, for `must be …, not a list`.
pub(in crate::config) type Key = (&'static str, &'static str);

/// The keys of a mapping, and those that a later version will know.
pub(in crate::config) type Keys = (&'static [Key], &'static [&'static str]);

/// A single value with its place.
#[derive(Debug, Clone)]
pub(in crate::config) struct Written {
    pub(in crate::config) field: String,
    pub(in crate::config) position: Option<Position>,
    /// As the file has it.
    pub(in crate::config) written: String,
    pub(in crate::config) value: Scalar,
}

/// What YAML, or the environment, made of a single value.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) enum Scalar {
    Bool(bool),
    Int(i128),
    Float,
    Text(String),
    /// Text with variables replaced, which may stand for any of the others.
    Replaced(String),
}

impl Written {
    /// The value as text; what is no text, as it is written.
    pub(in crate::config) fn text(&self) -> &str {
        match &self.value {
            Scalar::Text(text) | Scalar::Replaced(text) => text,
            _ => &self.written,
        }
    }

    pub(in crate::config) fn as_bool(&self) -> Option<bool> {
        match &self.value {
            Scalar::Bool(value) => Some(*value),
            Scalar::Replaced(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A whole number, also from quotes; without zeros before it, which elsewhere would make it octal.
    pub(in crate::config) fn as_whole(&self) -> Option<i128> {
        match &self.value {
            Scalar::Int(value) => Some(*value),
            Scalar::Text(text) | Scalar::Replaced(text) => {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse()
                    .ok()
                    .filter(|_| digits && (text == "0" || !text.starts_with('0')))
            }
            _ => None,
        }
    }
}

impl Problems {
    /// A problem of a single value. If variables took part in it, the message says what they made of it.
    pub(in crate::config) fn add_written(&mut self, written: &Written, refusal: Refusal) {
        let refusal = match &written.value {
            Scalar::Replaced(text) => {
                let replaced = format!("with its variables it is \"{}\"", shown(text));
                let hint = refusal
                    .hint
                    .iter()
                    .fold(replaced, |all, hint| format!("{all}; {hint}"));
                Refusal::new(refusal.rule).hint(hint)
            }
            _ => refusal,
        };
        self.add(written.position, &written.field, refusal, Some(&written.written));
    }
}

/// The written settings of a mapping. A null counts as not written.
pub(in crate::config) struct Fields<'n> {
    path: String,
    position: Option<Position>,
    known: &'static [Key],
    nodes: HashMap<&'n str, &'n Node>,
    /// Where keys stand whose value is null.
    empty: HashMap<&'n str, Option<Position>>,
    /// Known keys that unknown ones probably mean.
    misspelt: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Reports every key that is not known.
    pub(in crate::config) fn read(
        entries: &'n [Entry],
        path: &str,
        position: Option<Position>,
        (known, later): Keys,
        problems: &mut Problems,
    ) -> Self {
        let names = || known.iter().map(|(name, _)| *name);
        let mut misspelt = Vec::new();
        for entry in entries {
            let key = entry.key.as_str();
            if names().any(|name| name == key) {
                continue;
            }
            let meant = closest(key, names());
            let refusal = match meant {
                _ if later.contains(&key) => Refusal::new("is not available in this version"),
                Some(_) => Refusal::new("is not a known key").did_you_mean(meant),
                None => {
                    let hint = format!("known here: {}", names().collect::<Vec<_>>().join(", "));
                    Refusal::new("is not a known key").hint(hint)
                }
            };
            problems.add(entry.position, &key_path(path, key), refusal, None);
            misspelt.extend(meant);
        }
        let (empty, written): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| entry.value.value == Value::Null);
        let nodes = written.iter().map(|entry| (entry.key.as_str(), &entry.value));
        let empty = empty.iter().map(|entry| (entry.key.as_str(), entry.position));
        Self {
            path: path.to_owned(),
            position,
            known,
            nodes: nodes.collect(),
            empty: empty.collect(),
            misspelt,
        }
    }

    /// Reports a setting that is not written, not even with a slip.
    pub(in crate::config) fn require(&self, key: &str, hint: &str, problems: &mut Problems) {
        if !self.nodes.contains_key(key) && !self.misspelt.contains(&key) {
            let position = self.empty.get(key).copied().unwrap_or(self.position);
            problems.add(
                position,
                &key_path(&self.path, key),
                Refusal::new("is required").hint(hint),
                None,
            );
        }
    }

    /// A setting in whatever shape it has; `None` if it is not written, or its problem is already reported.
    pub(in crate::config) fn node(&self, key: &str) -> Option<&'n Node> {
        self.nodes
            .get(key)
            .copied()
            .filter(|node| node.value != Value::Broken)
    }

    /// A setting that is a single value.
    pub(in crate::config) fn scalar(&self, key: &str, problems: &mut Problems) -> Option<Written> {
        scalar(
            self.node(key)?,
            &key_path(&self.path, key),
            self.expected(key),
            problems,
        )
    }

    /// A setting that is a list of single values, or one of them. `filled`: an empty list is a problem.
    pub(in crate::config) fn list(
        &self,
        key: &str,
        filled: bool,
        problems: &mut Problems,
    ) -> Option<Vec<Written>> {
        let (node, path) = (self.node(key)?, key_path(&self.path, key));
        let Value::List(items) = &node.value else {
            return scalar(node, &path, self.expected(key), problems).map(|only| vec![only]);
        };
        if filled && items.is_empty() {
            problems.add(
                node.position,
                &path,
                Refusal::new("must not be an empty list"),
                None,
            );
        }
        let item = |(index, item)| scalar(item, &item_path(&path, index), "a single value", problems);
        Some(items.iter().enumerate().filter_map(item).collect())
    }

    /// The settings of a setting that is a mapping; `None` for other shapes.
    pub(in crate::config) fn mapping(
        &self,
        key: &str,
        keys: Keys,
        problems: &mut Problems,
    ) -> Option<Fields<'n>> {
        let node = self.node(key)?;
        let Value::Mapping(entries) = &node.value else {
            return None;
        };
        Some(Fields::read(
            entries,
            &key_path(&self.path, key),
            node.position,
            keys,
            problems,
        ))
    }

    /// The entries of a setting that is a mapping; other shapes are problems.
    pub(in crate::config) fn entries(
        &self,
        key: &str,
        example: &str,
        problems: &mut Problems,
    ) -> Option<&'n [Entry]> {
        let node = self.node(key)?;
        if let Value::Mapping(entries) = &node.value {
            return Some(entries);
        }
        let rule = format!("must be {}, not {}", self.expected(key), node.value.noun());
        let refusal = Refusal::new(rule).hint(format!("write for example `{example}`"));
        let written = Some(node.written.as_str()).filter(|text| !text.is_empty());
        problems.add(node.position, &key_path(&self.path, key), refusal, written);
        None
    }

    /// Whether a setting is there, in whatever shape.
    pub(in crate::config) fn is_written(&self, key: &str) -> bool {
        self.nodes.contains_key(key)
    }

    /// Whether a key that is not known may have been meant as one that is.
    pub(in crate::config) fn has_misspelt(&self) -> bool {
        !self.misspelt.is_empty()
    }

    /// Refuses the mapping as a whole.
    pub(in crate::config) fn refuse(&self, rule: &str, problems: &mut Problems) {
        problems.add(self.position, &self.path, Refusal::new(rule), None);
    }

    /// The path of one of its settings.
    pub(in crate::config) fn path_of(&self, key: &str) -> String {
        key_path(&self.path, key)
    }

    fn expected(&self, key: &str) -> &'static str {
        self.known
            .iter()
            .find(|(name, _)| *name == key)
            .map_or("a single value", |(_, expected)| expected)
    }
}

/// A key that is a value as well: a name, a status code.
pub(in crate::config) fn key(entry: &Entry, path: &str) -> Written {
    Written {
        field: path.to_owned(),
        position: entry.position,
        written: entry.key.clone(),
        value: Scalar::Text(entry.key.clone()),
    }
}

/// A node that must be a single value.
pub(in crate::config) fn scalar(
    node: &Node,
    path: &str,
    expected: &str,
    problems: &mut Problems,
) -> Option<Written> {
    let value = match &node.value {
        Value::Bool(value) => Scalar::Bool(*value),
        Value::Int(value) => Scalar::Int(*value),
        Value::Float(_) => Scalar::Float,
        Value::Text(text) => Scalar::Text(text.clone()),
        Value::Replaced(text) => Scalar::Replaced(text.clone()),
        Value::Broken => return None,
        Value::Null | Value::List(_) | Value::Mapping(_) => {
            let refusal = Refusal::new(format!("must be {expected}, not {}", node.value.noun()));
            problems.add(node.position, path, refusal, None);
            return None;
        }
    };
    Some(Written {
        field: path.to_owned(),
        position: node.position,
        written: node.written.clone(),
        value,
    })
}
