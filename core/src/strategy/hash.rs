//! By the request's key: the same key goes to the same candidate, whatever the others do, over a
//! [Maglev table](super::maglev).
//!
//! The table holds all members of the pool, those out of service included. If a key's owner is not admitted, the next
//! slots of the table are asked, which belong to others as if by chance: so the keys of a candidate that is down go to
//! all others in proportion to their weights, come back when it does, and no other key moves.
//!
//! With a bounded load `c` (V. Mirrokni, M. Thorup, M. Zadimoghaddam: "Consistent hashing with bounded loads", SODA
//! 2018), nobody gets a request while it holds `c` times its share of all requests in flight, rounded up: one hot key
//! overflows to the owner of the next slot, always the same one while the load lasts. As in the paper, the request that
//! is to be placed counts; since `c` is above 1, somebody is always below its bound. Where the pool has tiers, what the
//! others hold counts as well, so the bound is a little wider while more than one of them serves.

use super::{Candidates, any_from, maglev::Table};

/// Slots asked before the search goes on candidate by candidate: by then hardly anybody may be chosen.
const MOST_SLOTS: usize = 256;

/// See the module.
#[derive(Debug)]
pub struct Hash {
    table: Table,
    bounded_load: Option<f64>,
}

impl Hash {
    /// `weights[i]` and `ids[i]` belong to candidate `i`; ids differ.
    pub fn new(weights: &[u16], ids: &[u64], bounded_load: Option<f64>) -> Self {
        Self {
            table: Table::new(weights, ids),
            bounded_load,
        }
    }

    pub(super) fn choose(&self, key: u64, candidates: &impl Candidates) -> Option<usize> {
        match self.bounded_load {
            None => self.next(key, candidates, |_| true),
            Some(factor) => {
                let share = factor * (candidates.total_in_flight() + 1) as f64
                    / candidates.total_weight().max(1) as f64;
                // A whole number is below another that was rounded up exactly if it is below it as it was.
                let within = |index| {
                    (candidates.in_flight(index) as f64) < share * f64::from(candidates.weight(index))
                };
                // Those below their bound may all be full or tried: then a bound is no reason to refuse.
                self.next(key, candidates, within)
                    .or_else(|| self.next(key, candidates, |_| true))
            }
        }
    }

    /// The first owner from the key's slot on that is admitted and `fits`.
    fn next(&self, key: u64, candidates: &impl Candidates, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let size = self.table.len();
        // In proportion, without a division (D. Lemire: "Fast random integer generation in an interval", 2019).
        let home = ((u128::from(key) * size as u128) >> 64) as usize;
        let fits = |index: &usize| candidates.admits(*index) && fits(*index);
        let from_home = (0..size.min(MOST_SLOTS))
            .filter_map(|away| self.table.owner((home + away) % size))
            .find(fits);
        from_home.or_else(|| {
            let start = any_from(candidates, key)?;
            (start..candidates.len()).chain(0..start).find(fits)
        })
    }
}
