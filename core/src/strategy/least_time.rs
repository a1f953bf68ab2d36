//! Two candidates drawn by chance, and of them the one that will probably have answered first: its smoothed latency
//! times the requests it has to answer until then. finagle's `P2CPeakEwma` and linkerd's balancer do the same; the
//! smoothing is in [`peak_ewma`](super::peak_ewma).
//!
//! Cost is `latency * (in_flight / weight + 1)`, with weights measured by their mean, so that 100 and 100 mean what 1 and
//! 1 mean; for equal weights that is finagle's formula. The draw is in proportion to weights, so weight does not count
//! within the "+ 1": an idle pool of equally fast backends is shared by weight, a busy one holds requests by weight.
//!
//! Latencies count only where they differ by more than a factor of [`ALIKE`] and by more than a millisecond; finagle, whose
//! balancers have no weights, has nothing like it. Averages that jump to each peak always differ a little, and the one of a backend that
//! answers more requests has met more peaks: without this, an idle pool of equals went to whose luck was better, and
//! the heaviest, whose peaks are highest, got the least.
//!
//! Of whom nothing is known, the latency of the other one is assumed. finagle and linkerd assume a fixed one: too high,
//! and a new backend waits for long for its first request, too low, and all rush to it. With the other's, the two
//! compete by what they have in flight, until the first answer tells.

use super::{Alias, Candidates};

/// Latencies within this factor of each other are taken for the same.
const ALIKE: f64 = 2.0;

/// And those that differ by no more than this: a peak that the machine itself makes now and then.
const ALIKE_MICROS: f64 = 1000.0;

/// See the module.
#[derive(Debug)]
pub struct LeastTime {
    alias: Alias,
    mean_weight: f64,
}

impl LeastTime {
    pub(super) fn new(weights: &[u16]) -> Self {
        let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
        Self {
            alias: Alias::new(weights),
            mean_weight: total / weights.len().max(1) as f64,
        }
    }

    pub(super) fn choose(&self, random: u64, candidates: &impl Candidates) -> Option<usize> {
        let (first, second) = self.alias.choose_two(random, candidates)?;
        let Some(second) = second else {
            return Some(first);
        };
        let known = (candidates.latency(first), candidates.latency(second));
        let (of_first, of_second) = match known {
            (Some(first), Some(second)) if !are_alike(first, second) => (first, second),
            _ => (1.0, 1.0),
        };
        let waiting = |index| {
            candidates.in_flight(index) as f64 * self.mean_weight / f64::from(candidates.weight(index)) + 1.0
        };
        let is_second = of_second * waiting(second) < of_first * waiting(first);
        Some(if is_second { second } else { first })
    }
}

/// Whether a difference may be chance.
fn are_alike(one: f64, other: f64) -> bool {
    let (less, more) = (one.min(other), one.max(other));
    more <= less * ALIKE || more - less <= ALIKE_MICROS
}
