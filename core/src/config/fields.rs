//! Reading a mapping setting by setting: each asked for by its name, the others reported.

use std::collections::HashMap;

use super::{
    node::{Entry, Node, Value, item_path, key_path},
    problem::{Position, Problems, Refusal},
    settings::Place,
    suggest::closest,
    written::{Scalar, Written},
};

/// A known key and what it holds, for `must be …, not a list`.
pub(super) type Key = (&'static str, &'static str);

/// The keys of a mapping, and those that a later version will know.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) known: Vec<Key>,
    pub(super) later: &'static [&'static str],
    /// What other programs have there, and what to know about it.
    pub(super) elsewhere: &'static [(&'static str, &'static str)],
    pub(super) place: Place,
}

/// The written settings of a mapping. A null counts as not written.
pub(super) struct Fields<'n> {
    path: String,
    pub(super) position: Option<Position>,
    /// Of what it is a part: the top of the file, a pool or a route.
    pub(super) place: Place,
    known: Vec<Key>,
    nodes: HashMap<&'n str, &'n Node>,
    /// Where keys stand whose value is null.
    empty: HashMap<&'n str, Option<Position>>,
    /// Known keys that unknown ones probably mean.
    misspelt: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Reports every key that is not known.
    pub(super) fn read(
        entries: &'n [Entry],
        (path, position): (&str, Option<Position>),
        keys: Keys,
        problems: &mut Problems,
    ) -> Self {
        let Keys {
            known,
            later,
            elsewhere,
            place,
        } = keys;
        let names = || known.iter().map(|(name, _)| *name);
        let mut misspelt = Vec::new();
        for entry in entries {
            let key = entry.key.as_str();
            if names().any(|name| name == key) {
                continue;
            }
            // A place for anchors that are shared.
            if path.is_empty() && key.starts_with("x-") {
                continue;
            }
            let other = elsewhere.iter().find(|(other, _)| *other == key);
            if let Some((_, hint)) = other {
                let refusal = Refusal::new("is not a known key").hint(*hint);
                problems.add(entry.position, &key_path(path, key), refusal, None);
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
            place,
            known,
            nodes: nodes.collect(),
            empty: empty.collect(),
            misspelt,
        }
    }

    /// Reports a setting that is not written, not even with a slip.
    pub(super) fn require(&self, key: &str, hint: &str, problems: &mut Problems) {
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
    pub(super) fn node(&self, key: &str) -> Option<&'n Node> {
        self.nodes
            .get(key)
            .copied()
            .filter(|node| node.value != Value::Broken)
    }

    /// A setting that is a single value.
    pub(super) fn scalar(&self, key: &str, problems: &mut Problems) -> Option<Written> {
        scalar(
            self.node(key)?,
            &key_path(&self.path, key),
            self.expected(key),
            problems,
        )
    }

    /// A setting that is a single value, whose problems are reported elsewhere.
    pub(super) fn written(&self, key: &str) -> Option<Written> {
        Written::of(self.node(key)?, &key_path(&self.path, key))
    }

    /// Every single value of a setting, whatever its shape.
    pub(super) fn all_written(&self, key: &str) -> Vec<Written> {
        let mut all = Vec::new();
        if let Some(node) = self.node(key) {
            collect(node, &key_path(&self.path, key), &mut all);
        }
        all
    }

    /// A setting that is a list of single values, or one of them. `filled`: an empty list is a problem.
    pub(super) fn list(&self, key: &str, filled: bool, problems: &mut Problems) -> Option<Vec<Written>> {
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
    pub(super) fn mapping(&self, key: &str, keys: Keys, problems: &mut Problems) -> Option<Fields<'n>> {
        let node = self.node(key)?;
        let Value::Mapping(entries) = &node.value else {
            return None;
        };
        Some(Fields::read(
            entries,
            (&key_path(&self.path, key), node.position),
            keys,
            problems,
        ))
    }

    /// The entries of a setting that is a mapping; other shapes are problems.
    pub(super) fn entries(&self, key: &str, example: &str, problems: &mut Problems) -> Option<&'n [Entry]> {
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
    pub(super) fn is_written(&self, key: &str) -> bool {
        self.nodes.contains_key(key)
    }

    /// Whether a key that is not known may have been meant as one that is.
    pub(super) fn has_misspelt(&self) -> bool {
        !self.misspelt.is_empty()
    }

    /// Refuses the mapping as a whole.
    pub(super) fn refuse(&self, rule: &str, problems: &mut Problems) {
        problems.add(self.position, &self.path, Refusal::new(rule), None);
    }

    /// The path of one of its settings.
    pub(super) fn path_of(&self, key: &str) -> String {
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
pub(super) fn key(entry: &Entry, path: &str) -> Written {
    Written {
        field: path.to_owned(),
        position: entry.position,
        written: entry.key.clone(),
        value: Scalar::Text(entry.key.clone()),
    }
}

/// A node that must be a single value.
pub(super) fn scalar(node: &Node, path: &str, expected: &str, problems: &mut Problems) -> Option<Written> {
    let written = Written::of(node, path);
    if written.is_none() && node.value != Value::Broken {
        let refusal = Refusal::new(format!("must be {expected}, not {}", node.value.noun()));
        problems.add(node.position, path, refusal, None);
    }
    written
}

fn collect(node: &Node, path: &str, all: &mut Vec<Written>) {
    match &node.value {
        Value::List(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| collect(item, &item_path(path, index), all));
        }
        Value::Mapping(entries) => {
            let entries = entries.iter();
            entries.for_each(|entry| collect(&entry.value, &key_path(path, &entry.key), all));
        }
        _ => all.extend(Written::of(node, path)),
    }
}
