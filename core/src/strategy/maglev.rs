//! The look-up table of Google's Maglev (D. Eisenbud et al.: "Maglev: a fast and reliable software network load
//! balancer", NSDI 2016, section 3.4): candidates take turns in claiming the slots of a table, each in an order of its
//! own that its id determines. A key belongs to the owner of its slot.
//!
//! With weights, a candidate takes its turns as often as its weight says (as Envoy does it), and its first one in the
//! first round: in a large pool the table is full before the weight of a light one has come to a whole turn, and nobody
//! may be left without a slot. All candidates get slots in proportion to within one slot, and when one is removed or
//! added, few slots change hands beside its own.
//!
//! The number of slots is a prime, so that every order visits all of them: the first of [`PRIMES`] with at least 100
//! slots a candidate, which keeps what moves needlessly near a hundredth, as in the paper. At least 16,411, so that
//! weights of 1 and 256 side by side come out right to a few per cent, and at most 1,048,583 (4 MiB): from 10,486
//! candidates on there are fewer than 100 slots for each. Building takes time in proportion to the slots, some 10 ns
//! each at the small end and 60 ns at the large one; it is done when backends or weights are configured, not when
//! health changes, and never on the way of a request.

use super::mix;

/// Next to powers of two from above.
const PRIMES: [usize; 7] = [16_411, 32_771, 65_537, 131_101, 262_147, 524_309, 1_048_583];

/// Slots a candidate.
const SLOTS_EACH: usize = 100;

const EMPTY: u32 = u32::MAX;

/// Slots and their owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table(Box<[u32]>);

/// A candidate's own order of slots.
struct Claims {
    next: u64,
    skip: u64,
    /// Its turns so far, by the weight of the heaviest.
    taken: u64,
}

impl Table {
    /// `weights[i]` and `ids[i]` belong to candidate `i`; ids differ.
    pub(super) fn new(weights: &[u16], ids: &[u64]) -> Self {
        let size = size_for(weights.len());
        let mut slots = vec![EMPTY; size].into_boxed_slice();
        let heaviest = weights.iter().copied().max().map_or(0, u64::from);
        if heaviest == 0 {
            return Self(Box::default());
        }
        let claims = |id: &u64| Claims {
            next: mix(*id) % size as u64,
            skip: mix(mix(*id)) % (size as u64 - 1) + 1,
            taken: 0,
        };
        let mut claims: Vec<Claims> = ids.iter().map(claims).collect();
        let mut left = size;
        for round in 0.. {
            for (index, (claim, &weight)) in claims.iter_mut().zip(weights).enumerate() {
                // Every candidate takes `weight` turns in `heaviest` rounds, evenly, and all take the first.
                if weight == 0 || round * u64::from(weight) < claim.taken {
                    continue;
                }
                claim.taken += heaviest;
                claim.claim(&mut slots, index as u32);
                left -= 1;
                if left == 0 {
                    return Self(slots);
                }
            }
        }
        Self(slots)
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The owner of a slot.
    pub(super) fn owner(&self, slot: usize) -> Option<usize> {
        self.0.get(slot).map(|&owner| owner as usize)
    }
}

impl Claims {
    fn claim(&mut self, slots: &mut [u32], owner: u32) {
        // The caller stops when all slots have owners, so there is an empty one, and its order visits all.
        loop {
            let slot = self.next as usize;
            self.next += self.skip;
            if self.next >= slots.len() as u64 {
                self.next -= slots.len() as u64;
            }
            if slots[slot] == EMPTY {
                slots[slot] = owner;
                return;
            }
        }
    }
}

fn size_for(candidates: usize) -> usize {
    let enough = |size: &&usize| **size >= candidates.saturating_mul(SLOTS_EACH);
    PRIMES
        .iter()
        .find(enough)
        .copied()
        .unwrap_or(PRIMES[PRIMES.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lightest_has_a_slot_however_many_heavy_ones_there_are() {
        for heavy in [10_usize, 99, 2_000] {
            let mut weights = vec![256; heavy];
            weights.push(1);
            let ids: Vec<u64> = (0..weights.len() as u64).map(mix).collect();
            let table = Table::new(&weights, &ids);
            let mut slots = vec![0_usize; weights.len()];
            table.0.iter().for_each(|&owner| slots[owner as usize] += 1);
            let share = table.len() as f64 / (256 * heavy + 1) as f64;
            assert!((1..=share as usize + 1).contains(&slots[heavy]), "{slots:?}");
            let fair = |&count: &usize| (count as f64 - 256.0 * share).abs() <= 2.0;
            assert!(slots[..heavy].iter().all(fair), "{slots:?}");
        }
    }
}
