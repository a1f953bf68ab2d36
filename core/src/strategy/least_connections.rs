//! The candidate with the fewest requests in flight for its weight; among equals, whose turn it is. nginx's
//! `least_conn` and HAProxy's `leastconn` do the same, and like nginx's, ties go by weighted round-robin: an idle
//! pool shares as round-robin does.
//!
//! Up to 64 candidates all are looked at. For more, each look would cost a cache miss, and a pick some hundred
//! microseconds at 10,000; an index in order of load would have to be moved in by every request of every worker. So
//! above 64 the least of five drawn by chance (in proportion to weights) is taken. That is not the least of all, and as
//! good: with d choices the busiest of n holds `ln ln n / ln d` more than the average, about 1.4 at n = 10,000 and d = 5
//! (Azar, Broder, Karlin, Upfal: "Balanced allocations", STOC 1994).

use super::{Alias, Candidates, Draw, Schedule, is_lighter, mix};

/// All in one word, a bit each.
const MOST_LOOKED_AT: usize = u64::BITS as usize;

/// Candidates looked at among more.
const DRAWN: usize = 5;

/// See the module.
#[derive(Debug)]
pub enum LeastConnections {
    #[doc(hidden)]
    All(Schedule),
    #[doc(hidden)]
    Some(Alias),
}

impl LeastConnections {
    pub(super) fn new(weights: &[u16]) -> Self {
        if weights.len() <= MOST_LOOKED_AT {
            Self::All(Schedule::new(weights))
        } else {
            Self::Some(Alias::new(weights))
        }
    }

    pub(super) fn choose(&self, draw: Draw<'_>, candidates: &impl Candidates) -> Option<usize> {
        match self {
            Self::All(schedule) => least_of_all(schedule, draw, candidates),
            Self::Some(alias) => least_of_some(alias, draw.random, candidates),
        }
    }
}

fn least_of_all(schedule: &Schedule, draw: Draw<'_>, candidates: &impl Candidates) -> Option<usize> {
    let (mut least, mut ties) = ((1, 0), 0u64);
    for index in 0..candidates.len().min(MOST_LOOKED_AT) {
        let Some(in_flight) = candidates.load(index) else {
            continue;
        };
        let this = (in_flight, u64::from(candidates.weight(index)));
        // What is in flight is far from where a weight could make it overflow. The first is less than 1 for nothing.
        let (here, there) = (this.0.wrapping_mul(least.1), least.0 * this.1);
        // Which way this goes is hard to foretell, so it is no branch.
        let is_less = here < there;
        let same = if is_less { 0 } else { ties };
        ties = same | u64::from(here <= there) << index;
        least = if is_less { this } else { least };
    }
    match ties.count_ones() {
        0 => None,
        1 => Some(ties.trailing_zeros() as usize),
        _ => schedule.next_of(ties, draw.cursor),
    }
}

fn least_of_some(alias: &Alias, mut random: u64, candidates: &impl Candidates) -> Option<usize> {
    let mut least = alias.choose(random, candidates)?;
    for _ in 1..DRAWN {
        random = mix(random);
        let Some(other) = alias.draw(random).filter(|&other| candidates.admits(other)) else {
            continue;
        };
        if is_lighter(candidates, other, least) {
            least = other;
        }
    }
    Some(least)
}
