//! Where the value of a setting comes from: a line of the file, the environment, or its default.

use std::{collections::HashMap, fmt, sync::LazyLock};

use super::{
    node::{Entry, Node, Value, key_path},
    problem::Position,
    settings::{self, Shape, switched, tree},
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
    /// Where each pool stands in the mapping `pools`, which may hold thousands that are all asked for.
    pools: HashMap<String, usize>,
}

impl Origins {
    pub(super) fn new(root: Node) -> Self {
        let pools = match find(&root, "pools", "", &HashMap::new()).map(|pools| &pools.value) {
            Some(Value::Mapping(entries)) => entries.iter().map(|entry| entry.key.clone()).zip(0..).collect(),
            _ => HashMap::new(),
        };
        Self { root, pools }
    }

    /// Where something is written.
    pub fn position(&self, key: &str) -> Option<Position> {
        self.find(key)?.position
    }

    /// Of a setting by its key, as [`Config::settings`](super::Config::settings) has it: `pools.api.retries.attempts`.
    /// What a pool does not write itself comes from the top of the file.
    pub fn of(&self, key: &str) -> Origin {
        let own = self.find(key);
        let top = || {
            let (_, key) = key.strip_prefix("pools.")?.split_once('.')?;
            (!key.starts_with("backends")).then(|| self.find(key))?
        };
        let node = own.or_else(top);
        let line = node.and_then(|node| Some((node, node.position?.line)));
        line.map_or(Origin::Default, |(node, line)| Origin::Written {
            line,
            environment: is_replaced(node),
        })
    }

    fn find(&self, key: &str) -> Option<&Node> {
        find(&self.root, key, "", &self.pools)
    }
}

/// The node at a path below another one; `at` is where that one is, `pools` says where each pool stands.
fn find<'n>(node: &'n Node, path: &str, at: &str, pools: &HashMap<String, usize>) -> Option<&'n Node> {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let (key, index) = match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
        Some((key, index)) => (key, index.parse::<usize>().ok()),
        None => (step, None),
    };
    let found = match &node.value {
        Value::Mapping(entries) => {
            let entry = match at {
                "pools" => entries.get(*pools.get(key)?)?,
                _ => entries.iter().find(|entry| is_called(entry, key))?,
            };
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
    find(found, rest, &at, pools)
}

fn is_called(entry: &Entry, key: &str) -> bool {
    #[cfg(test)]
    tests::COMPARED.set(tests::COMPARED.get() + 1);
    entry.key == key
}

/// The setting that a single value in the place of the mapping at this path sets.
fn short(path: &str) -> Option<&'static str> {
    static SHORT: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
        let mut all = HashMap::new();
        collect(tree(), "", &mut all);
        all
    });
    SHORT.get(path).copied()
}

fn collect(entries: Vec<settings::Entry>, at: &str, all: &mut HashMap<String, &'static str>) {
    for entry in entries {
        let shape = match entry.shape {
            Shape::Items(item) => *item,
            other => other,
        };
        let Shape::Mapping(mapping) = shape else {
            continue;
        };
        let path = key_path(at, entry.about.key);
        if let Some((_, Some(short))) = mapping.single {
            all.insert(path.clone(), short);
        }
        collect(mapping.entries, &path, all);
    }
}

/// Whether the environment took part in a value or in one below it.
pub(super) fn is_replaced(node: &Node) -> bool {
    match &node.value {
        Value::Replaced(_) => true,
        Value::List(items) => items.iter().any(is_replaced),
        Value::Mapping(entries) => entries.iter().any(|entry| is_replaced(&entry.value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{cell::Cell, env::VarError, fmt::Write as _};

    use crate::config::{Outside, load_with_origins};

    thread_local! {
        /// How many keys were compared on this thread.
        pub(super) static COMPARED: Cell<u64> = const { Cell::new(0) };
    }

    /// The keys compared to find the origins of all settings of a file with so many pools, a pool.
    fn compared_for_each_of(pools: u32) -> u64 {
        let mut text = "port: 8000\nretries: 1\npools:\n".to_owned();
        for index in 0..pools {
            writeln!(text, "  p{index}: {{backends: [http://h{index}], timeouts: 9s}}").unwrap();
        }
        text.push_str("routes: [{pool: p0}]\n");
        let outside = Outside {
            env: &|_| Err(VarError::NotPresent),
            key: None,
        };
        let loaded = load_with_origins(&text, "config.yaml", &outside).unwrap();
        COMPARED.set(0);
        for (key, _) in loaded.config.settings() {
            let line = loaded.origins.of(&key);
            if let Some((pool, "timeouts.response_idle")) =
                key.strip_prefix("pools.p").and_then(|key| key.split_once('.'))
            {
                assert_eq!(
                    line.to_string(),
                    format!("line {}", pool.parse::<u32>().unwrap() + 4)
                );
            }
        }
        COMPARED.get() / u64::from(pools)
    }

    #[test]
    fn origins_cost_each_pool_the_same_however_many_there_are() {
        let (few, many) = (compared_for_each_of(10), compared_for_each_of(500));
        assert!(many <= few, "{few} comparisons a pool of 10, {many} of 500");
    }
}
