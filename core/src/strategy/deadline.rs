//! Weighted round-robin for many candidates: earliest deadline first among those whose turn has begun.
//!
//! Candidates of one weight form a class, and take turns within it. Among classes, the j-th pick of a class with
//! share `s` may start at `j / s` and is due at `(j + 1) / s`; of the picks that may start, the one due first is
//! taken (R. Tijdeman, "The chairman assignment problem", 1980; Baruah et al., "Proportionate progress", 1996). So no
//! class, and with it no candidate, is ever a whole request above its share, and a cycle is exact.
//!
//! Without the start times, plain deadlines would give one candidate of weight 256 among 1,000 of weight 1 some 250
//! requests in a row. A heap makes a step logarithmic in the number of classes, which is 256 at most.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BinaryHeap},
};

/// One full cycle: indices into `weights`, as many as the sum of weights.
pub(super) fn cycle(weights: &[u16]) -> Vec<u32> {
    let mut by_weight: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
    for (index, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
        by_weight.entry(weight).or_default().push(index as u32);
    }
    // The largest first, as smooth order has it.
    let classes: Vec<(u64, Vec<u32>)> = by_weight
        .into_iter()
        .rev()
        .map(|(weight, members)| (u64::from(weight) * members.len() as u64, members))
        .collect();
    let total: u64 = classes.iter().map(|(share, _)| share).sum();

    let mut picks = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
    let mut ready: BinaryHeap<Reverse<Due>> = BinaryHeap::new();
    let mut waiting: BinaryHeap<Reverse<(u64, usize, u64)>> = BinaryHeap::new();
    for (class, &(share, _)) in classes.iter().enumerate() {
        ready.push(Reverse(Due {
            turn: 0,
            share,
            class,
        }));
    }
    for step in 0..total {
        while let Some(&Reverse((start, class, turn))) = waiting.peek() {
            if start > step {
                break;
            }
            waiting.pop();
            ready.push(Reverse(Due {
                turn,
                share: classes[class].0,
                class,
            }));
        }
        let Some(Reverse(due)) = ready.pop() else {
            // The shares add up to the whole, so a turn has always begun; were it not so, the cycle ends here.
            break;
        };
        let (share, members) = &classes[due.class];
        picks.push(members[(due.turn % members.len() as u64) as usize]);
        let turn = due.turn + 1;
        // The first step at which `turn * total < (step + 1) * share`.
        waiting.push(Reverse((turn * total / share, due.class, turn)));
    }
    picks
}

/// A pick that may start: the `turn`-th of a class that gets `share` of every cycle; due at `(turn + 1) / share`.
#[derive(PartialEq, Eq)]
struct Due {
    turn: u64,
    share: u64,
    class: usize,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        let (this, that) = ((self.turn + 1) * other.share, (other.turn + 1) * self.share);
        this.cmp(&that).then(self.class.cmp(&other.class))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
