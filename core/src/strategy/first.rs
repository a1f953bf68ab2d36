//! The first candidate that is admitted: the heaviest one, among equals the one written first. As HAProxy's `first`: one
//! backend is filled up to its `max_connections` before the next one gets anything, so that those at the end can be
//! switched off. Without `max_connections` all goes to the first that is up.
//!
//! A pick looks at each full candidate before the one it takes.

use std::cmp::Reverse;

use super::Candidates;

/// See the module.
#[derive(Debug)]
pub struct First(Box<[u32]>);

impl First {
    pub(super) fn new(weights: &[u16]) -> Self {
        let mut order: Vec<u32> = (0..weights.len() as u32).collect();
        order.sort_by_key(|&index| Reverse(weights[index as usize]));
        Self(order.into())
    }

    pub(super) fn choose(&self, candidates: &impl Candidates) -> Option<usize> {
        let indices = self.0.iter().map(|&index| index as usize);
        indices.into_iter().find(|&index| candidates.admits(index))
    }
}
