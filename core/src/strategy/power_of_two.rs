//! Two candidates drawn by chance, and of them the one with fewer requests in flight for its weight (M. Mitzenmacher:
//! "The power of two choices in randomized load balancing", IEEE Transactions on Parallel and Distributed Systems 12,
//! 2001).
//!
//! Nearly as even as looking at all of them, at a price that does not depend on their number, and balancers that do
//! not know of each other do not all run to the same idle backend. The draw is in proportion to weights, and a tie goes
//! to who was drawn first, so an idle pool is shared by weight as well.

use super::{Alias, Candidates, is_lighter};

pub(super) fn choose(alias: &Alias, random: u64, candidates: &impl Candidates) -> Option<usize> {
    let (first, second) = alias.choose_two(random, candidates)?;
    Some(match second {
        Some(second) if is_lighter(candidates, second, first) => second,
        _ => first,
    })
}
