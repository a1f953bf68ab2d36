//! Which of several pools a client belongs to: by weight, and always the same one for the same client.
//!
//! The choice is a point on a line, found by a hash of what the client is known by. The pools lie on it one behind the
//! other, as long as their weights. So two pools keep whom they have when the second one's share grows: those that go
//! over come from the first. The hash means the same for good, so that every worker, balancer and restart agrees.

use std::fmt;

use crate::{config::HashKey, strategy::mix};

/// The largest weight of a pool in a split: a hundredth of a percent can be said.
pub const MAX_WEIGHT: u32 = 10_000;

/// Tells the place in a split from the place that a strategy finds by the same key: else each pool of a split would see
/// its clients on one side of its own choice.
const SPLIT: u64 = 0x5B11_7000_0000_0001;

/// What a client is known by. Displays as it is written in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SplitBy {
    /// A part of the request; the client's address where the request has nothing of the kind.
    Key(HashKey),
    /// Nothing: each request is a new choice.
    Random,
}

impl Default for SplitBy {
    fn default() -> Self {
        Self::Key(HashKey::Client)
    }
}

/// The point on the line of a client that is known by this number.
pub fn point(key: u64) -> u64 {
    mix(key ^ SPLIT)
}

/// Which of the shares holds a point; `upto[i]` is the sum of the weights up to share `i`, the last one is above 0.
pub fn share_at(upto: &[u64], point: u64) -> usize {
    let total = upto.last().copied().unwrap_or(0);
    // The point's place among `total`, without the bias of a remainder.
    let place = ((u128::from(point) * u128::from(total)) >> 64) as u64;
    upto.partition_point(|end| *end <= place)
        .min(upto.len().saturating_sub(1))
}

impl fmt::Display for SplitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Random => f.write_str("random"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::strategy::hash_bytes;

    /// How many of 10,000 clients go to each pool.
    fn shares(weights: &[u64]) -> Vec<usize> {
        let upto = sums(weights);
        let mut counts = vec![0; weights.len()];
        for client in 0..10_000_u32 {
            let address = (0x0a00_0000 + client).to_be_bytes();
            counts[share_at(&upto, point(hash_bytes(&address)))] += 1;
        }
        counts
    }

    fn sums(weights: &[u64]) -> Vec<u64> {
        let sum = |sum: &mut u64, weight: &u64| {
            *sum += weight;
            Some(*sum)
        };
        weights.iter().scan(0, sum).collect()
    }

    #[test]
    fn neighbours_are_shared_out_by_weight() {
        let counts = shares(&[95, 5]);
        assert!((400..600).contains(&counts[1]), "{counts:?}");
        let counts = shares(&[1, 1, 2]);
        assert!(
            (2300..2700).contains(&counts[0]) && (4700..5300).contains(&counts[2]),
            "{counts:?}"
        );
        assert_eq!(shares(&[0, 7, 0]), [0, 10_000, 0]);
    }

    proptest! {
        #[test]
        fn whoever_is_in_a_growing_second_pool_stays_there(point: u64, first in 1u64..100, second in 0u64..100, more in 0u64..100) {
            if share_at(&[first, first + second], point) == 1 {
                prop_assert_eq!(share_at(&[first, first + second + more], point), 1);
            }
        }

        #[test]
        fn a_pool_of_weight_0_gets_nobody(point: u64, weights in prop::collection::vec(0u64..5, 1..6)) {
            prop_assume!(weights.iter().sum::<u64>() > 0);
            prop_assert!(weights[share_at(&sums(&weights), point)] > 0);
        }
    }
}
