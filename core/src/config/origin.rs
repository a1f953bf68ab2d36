//! Where the value of a setting comes from: a line of the file, the environment, or its default.

use std::fmt;

use super::{
    node::{Node, Value},
    problem::Position,
    settings::{Shape, switched, tree},
    written::Written,
};

/// Where a value comes from. Displays as `line 3`, `line 3, environment` or `default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is written.
    Written {
        /// In this line.
        line: usize,
        /// Whether environment variables took part in it.
        environment: bool,
    },
    /// Nothing is written.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Written { line, environment } => {
                let environment = if *environment { ", environment" } else { "" };
                write!(f, "line {line}{environment}")
            }
        }
    }
}

/// The origins of all values of a file.
#[derive(Debug)]
pub struct Origins {
    root: Node,
}

impl Origins {
    pub(super) fn new(root: Node) -> Self {
        Self { root }
    }

    /// Where something is written.
    pub(super) fn position(&self, key: &str) -> Option<Position> {
        find(&self.root, key, "")?.position
    }

    /// Of a setting by its key, as [`Config::settings`](super::Config::settings) has it: `pools.api.retries.attempts`.
    /// What a pool does not write itself comes from the top of the file.
    pub fn of(&self, key: &str) -> Origin {
        let own = find(&self.root, key, "");
        let top = || {
            let (_, key) = key.strip_prefix("pools.")?.split_once('.')?;
            (!key.starts_with("backends")).then(|| find(&self.root, key, ""))?
        };
        let node = own.or_else(top);
        let line = node.and_then(|node| Some((node, node.position?.line)));
        line.map_or(Origin::Default, |(node, line)| Origin::Written {
            line,
            environment: is_replaced(node),
        })
    }
}

/// The node at a path below another one; `at` is where that one is.
fn find<'n>(node: &'n Node, path: &str, at: &str) -> Option<&'n Node> {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let (key, index) = match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
        Some((key, index)) => (key, index.parse::<usize>().ok()),
        None => (step, None),
    };
    let found = match &node.value {
        Value::Mapping(entries) => {
            let entry = entries.iter().find(|entry| entry.key == key)?;
            Some(&entry.value).filter(|node| node.value != Value::Null)?
        }
        // A pool that is the list of its backends.
        Value::List(_) if key == "backends" => node,
        // A single value stands for one setting of the mapping.
        _ if short(at) == Some(key) => {
            let written = Written::of(node, at)?;
            return switched(&written).is_none().then_some(node);
        }
        _ => return None,
    };
    let found = match (index, &found.value) {
        (Some(index), Value::List(items)) => items.get(index)?,
        (Some(_), _) => return None,
        (None, _) => found,
    };
    let name = at.starts_with("pools") && !at.contains('.');
    let at = match (at, name) {
        ("", _) => key.to_owned(),
        // Below the name of a pool everything is called as at the top.
        (_, true) => String::new(),
        (at, false) => format!("{at}.{key}"),
    };
    if rest.is_empty() {
        return Some(found);
    }
    find(found, rest, &at)
}

/// The setting that a single value in the place of the mapping at this path sets.
fn short(path: &str) -> Option<&'static str> {
    let mut entries = tree();
    let mut short = None;
    for key in path.split('.') {
        let entry = entries.into_iter().find(|entry| entry.about.key == key)?;
        let shape = match entry.shape {
            Shape::Items(item) => *item,
            other => other,
        };
        let Shape::Mapping(mapping) = shape else {
            return None;
        };
        short = mapping.single.and_then(|(_, short)| short);
        entries = mapping.entries;
    }
    short
}

fn is_replaced(node: &Node) -> bool {
    match &node.value {
        Value::Replaced(_) => true,
        Value::List(items) => items.iter().any(is_replaced),
        Value::Mapping(entries) => entries.iter().any(|entry| is_replaced(&entry.value)),
        _ => false,
    }
}
