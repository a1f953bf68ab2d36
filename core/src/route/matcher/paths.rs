//! The routes of one host by path: whole paths, prefixes as a tree of segments, patterns, and the rest.

use std::{cmp::Reverse, collections::HashMap};

use crate::{config::PathPattern, route::Pattern};

/// A route at one place of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its number, in the order written.
    pub(super) route: u32,
    /// How many conditions it has beside host and path.
    pub(super) others: u32,
}

impl Entry {
    fn rank(&self) -> (Reverse<u32>, u32) {
        (Reverse(self.others), self.route)
    }
}

/// The routes of one host.
#[derive(Debug, Default)]
pub(super) struct Paths {
    exact: HashMap<Box<[u8]>, Vec<Entry>>,
    prefixes: Tree,
    patterns: Vec<(Pattern, Entry)>,
    any: Vec<Entry>,
}

impl Paths {
    pub(super) fn insert(&mut self, path: &PathPattern, entry: Entry) {
        match path {
            PathPattern::Any => self.any.push(entry),
            PathPattern::Exact(path) => self.exact.entry(path.as_bytes().into()).or_default().push(entry),
            PathPattern::Prefix(prefix) => self.prefixes.insert(prefix.as_bytes(), entry),
            PathPattern::Regex(pattern) => self.patterns.push((pattern.clone(), entry)),
        }
    }

    /// Puts everything in order, when all is there.
    pub(super) fn finish(&mut self) {
        self.any.sort_by_key(Entry::rank);
        self.exact
            .values_mut()
            .for_each(|entries| entries.sort_by_key(Entry::rank));
        self.patterns.sort_by_key(|(_, entry)| entry.rank());
        self.prefixes.finish();
    }

    /// The first route for a path that holds.
    pub(super) fn find(&self, path: &[u8], holds: &impl Fn(&Entry) -> bool) -> Option<Entry> {
        let first = |entries: &[Entry]| entries.iter().copied().find(holds);
        let exact = || {
            if self.exact.is_empty() {
                None
            } else {
                first(self.exact.get(path)?)
            }
        };
        let pattern = || {
            let mut found = self
                .patterns
                .iter()
                .filter(|(pattern, entry)| holds(entry) && pattern.is_match(path));
            found.next().map(|(_, entry)| *entry)
        };
        exact()
            .or_else(|| self.prefixes.find(path, holds))
            .or_else(pattern)
            .or_else(|| first(&self.any))
    }
}

/// Prefixes by their segments. One walk down finds the longest that a path has; from there it is known which shorter
/// one comes next.
#[derive(Debug, Default)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<[u8]>, u32>,
    entries: Vec<Entry>,
    /// The next node towards the root that has entries.
    shorter: Option<u32>,
}

/// Where each walk begins.
const ROOT: u32 = 0;

impl Tree {
    fn insert(&mut self, prefix: &[u8], entry: Entry) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = ROOT;
        for segment in segments(prefix) {
            let next = self.nodes.len() as u32;
            let child = *self.nodes[at as usize]
                .children
                .entry(segment.into())
                .or_insert(next);
            if child == next {
                self.nodes.push(Node::default());
            }
            at = child;
        }
        self.nodes[at as usize].entries.push(entry);
    }

    fn finish(&mut self) {
        for node in &mut self.nodes {
            node.entries.sort_by_key(Entry::rank);
        }
        // A node is made after its parent, so each finds its parent finished.
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            let shorter = if node.entries.is_empty() {
                node.shorter
            } else {
                Some(at as u32)
            };
            let children: Vec<u32> = node.children.values().copied().collect();
            for child in children {
                self.nodes[child as usize].shorter = shorter;
            }
        }
    }

    fn find(&self, path: &[u8], holds: &impl Fn(&Entry) -> bool) -> Option<Entry> {
        let mut node = self.nodes.first()?;
        if path.first() != Some(&b'/') {
            return None;
        }
        for segment in segments(path) {
            match node.children.get(segment) {
                Some(child) => node = &self.nodes[*child as usize],
                None => break,
            }
        }
        loop {
            if let Some(found) = node.entries.iter().copied().find(holds) {
                return Some(found);
            }
            node = &self.nodes[node.shorter? as usize];
        }
    }
}

/// What stands between the slashes, the first of which is left out.
fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.get(1..).unwrap_or_default().split(|byte| *byte == b'/')
}
