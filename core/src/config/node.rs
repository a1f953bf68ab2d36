//! The tree that a file becomes before anything is known about settings: values with their places.

use super::{
    problem::{Position, shown},
    secrets::Masked,
};

/// A value, where it stands, and how it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// `None` only if the parser with marks could not read the file.
    pub(super) position: Option<Position>,
    pub(super) value: Value,
    /// A scalar's text as the file has it (`0x1F`, `${PORT}`), without quotes; empty for the others.
    pub(super) written: String,
}

impl Node {
    /// Whether it is a mapping.
    pub(super) fn is_mapping(&self) -> bool {
        matches!(self.value, Value::Mapping(_))
    }

    /// Whether it is a mapping with a value for this key.
    pub(super) fn is_mapping_with(&self, key: &str) -> bool {
        let has = |entries: &[Entry]| {
            entries
                .iter()
                .any(|entry| entry.key == key && entry.value.value != Value::Null)
        };
        matches!(&self.value, Value::Mapping(entries) if has(entries))
    }
}

/// What YAML knows, without its tags, anchors and aliases.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    /// Text that environment variables took part in: its setting decides what it is, a number for example.
    Replaced(Masked),
    List(Vec<Node>),
    Mapping(Vec<Entry>),
    /// Its problem is already reported; nobody shall report another one.
    Broken,
}

impl Value {
    /// For `must be …, not …`.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) | Self::Replaced(_) => "text",
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
            Self::Broken => "a broken value",
        }
    }
}

/// A key with its value; the keys of a mapping differ.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) position: Option<Position>,
    pub(super) value: Node,
}

/// The path of a key within the mapping at `path`.
pub(super) fn key_path(path: &str, key: &str) -> String {
    if path.is_empty() {
        shown(key)
    } else {
        format!("{path}.{}", shown(key))
    }
}

/// The path of an item within the list at `path`.
pub(super) fn item_path(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
