//! Round-robin by weight: a cycle worked out once for each snapshot, and one cursor that all workers advance.
//!
//! The cycle holds each candidate exactly as often as its weight says (divided by what all weights have in common),
//! spread as evenly as whole requests allow: at no point has a candidate got a whole request more than its share.
//! Because the cycle is worked out anew from the candidates that are up, a backend that goes down leaves its share
//! to all others in proportion, not to the neighbour that happens to follow it.
//!
//! A pick is one atomic addition by the caller and one look-up here.

use super::{deadline, smooth};

/// A cycle of picks over `n` candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    cycle: Box<[u32]>,
}

impl Schedule {
    /// Works out the cycle; `weights[i]` belongs to candidate `i`, a weight of 0 leaves it out.
    pub fn new(weights: &[u16]) -> Self {
        let common = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
        let reduced: Vec<u16> = weights.iter().map(|weight| weight / common).collect();
        let cycle = if reduced.len() <= smooth::MAX_CANDIDATES {
            smooth::cycle(&reduced)
        } else {
            deadline::cycle(&reduced)
        };
        Self { cycle: cycle.into() }
    }

    /// The candidate whose turn it is at `tick`; `None` when there are no candidates.
    pub fn at(&self, tick: u64) -> Option<usize> {
        let length = self.cycle.len() as u64;
        if length == 0 {
            return None;
        }
        Some(self.cycle[(tick % length) as usize] as usize)
    }

    /// Picks in a cycle.
    pub fn len(&self) -> usize {
        self.cycle.len()
    }

    /// Whether there are no candidates.
    pub fn is_empty(&self) -> bool {
        self.cycle.is_empty()
    }
}

fn greatest_common_divisor(a: u16, b: u16) -> u16 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letters(weights: &[u16]) -> String {
        let schedule = Schedule::new(weights);
        (0..schedule.len() as u64)
            .filter_map(|t| schedule.at(t))
            .map(|i| char::from(b'a' + i as u8))
            .collect()
    }

    #[test]
    fn weights_5_1_1_give_the_order_that_nginx_publishes() {
        assert_eq!(letters(&[5, 1, 1]), "aabacaa");
    }

    #[test]
    fn equal_weights_take_turns() {
        assert_eq!(letters(&[1, 1, 1]), "abc");
        assert_eq!(letters(&[7, 7]), "ab", "a cycle is no longer than it must be");
    }

    #[test]
    fn no_candidates_no_pick() {
        assert_eq!(Schedule::new(&[]).at(3), None);
        assert_eq!(Schedule::new(&[0]).at(0), None);
    }

    #[test]
    fn a_heavy_candidate_among_many_light_ones_is_spread_out() {
        let mut weights = vec![1; 255];
        weights.push(255);
        let schedule = Schedule::new(&weights);
        let longest = (0..schedule.len() as u64)
            .map(|tick| (tick..).take_while(|&t| schedule.at(t) == Some(255)).count())
            .max();
        assert!(longest <= Some(2), "{longest:?} in a row");
    }

    /// Exact over a cycle, and at each step within one request of the share, above it and below.
    fn assert_fair(weights: &[u16], lower_bound: bool) -> Result<(), TestCaseError> {
        let schedule = Schedule::new(weights);
        let total: u64 = weights.iter().map(|&w| u64::from(w)).sum();
        let mut counts = vec![0u64; weights.len()];
        for tick in 0..schedule.len() as u64 {
            let picked = schedule.at(tick).ok_or_else(|| TestCaseError::fail("no pick"))?;
            counts[picked] += 1;
            let share = |i: usize| (tick + 1) * u64::from(weights[i]);
            prop_assert!(
                counts[picked] * total < share(picked) + total,
                "{picked} is a whole request ahead at {tick}"
            );
            if lower_bound {
                for (i, count) in counts.iter().enumerate() {
                    prop_assert!(
                        count * total + 2 * total > share(i),
                        "{i} is far behind at {tick}"
                    );
                }
            }
        }
        let cycles = total / schedule.len().max(1) as u64;
        for (count, &weight) in counts.iter().zip(weights) {
            prop_assert_eq!(count * cycles, u64::from(weight));
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn never_a_whole_request_above_the_share(weights in prop::collection::vec(1u16..=256, 1..20)) {
            assert_fair(&weights, false)?;
        }

        #[test]
        fn the_same_holds_for_many_candidates(
            weights in prop::collection::vec(prop::sample::select(vec![1u16, 2, 3, 7, 50, 256]), 129..200),
        ) {
            assert_fair(&weights, true)?;
        }
    }
}
