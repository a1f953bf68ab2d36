//! Round-robin by weight (`weighted` is another name of it): an order worked out once for each set of candidates, and
//! one cursor that all workers advance.
//!
//! A cycle of the order holds each candidate exactly as often as its weight says (divided by what all weights have in
//! common), and spreads it: [`smooth`](super::smooth) for up to 128 candidates, [`golden`](super::golden) for more.
//! Because the order is worked out anew from the candidates that are up, a backend that goes down leaves its share
//! to all others in proportion, not to the neighbour that happens to follow it.
//!
//! A pick is one atomic addition and one look-up; a candidate that is not admitted loses its turn.

use super::{Candidates, Cursor, any_from, golden::Circle, smooth};

/// Turns taken before the search goes on candidate by candidate. A turn is lost on who may not be chosen; so many in
/// a row mean that hardly anybody may.
const MOST_TURNS: usize = 64;

/// An order of picks over `n` candidates, repeated for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Turns);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Turns {
    Smooth(Box<[u32]>),
    Circle(Circle),
}

impl Schedule {
    /// Works out the order; `weights[i]` belongs to candidate `i`, a weight of 0 leaves it out.
    pub fn new(weights: &[u16]) -> Self {
        let common = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
        let reduced: Vec<u16> = weights.iter().map(|weight| weight / common).collect();
        Self(if reduced.len() <= smooth::MAX_CANDIDATES {
            Turns::Smooth(smooth::cycle(&reduced).into())
        } else {
            Turns::Circle(Circle::new(&reduced))
        })
    }

    /// The candidate whose turn it is at `tick`; `None` when there are no candidates.
    pub fn at(&self, tick: u64) -> Option<usize> {
        let tick = tick.checked_rem(self.len())?;
        Some(match &self.0 {
            Turns::Smooth(cycle) => cycle[tick as usize] as usize,
            Turns::Circle(circle) => circle.at(tick),
        })
    }

    /// Picks in a cycle.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Turns::Smooth(cycle) => cycle.len() as u64,
            Turns::Circle(circle) => circle.len(),
        }
    }

    /// Whether there are no candidates.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next in turn that is admitted.
    pub(super) fn choose(&self, cursor: &Cursor, candidates: &impl Candidates) -> Option<usize> {
        let mut turn = 0;
        for _ in 0..MOST_TURNS {
            turn = cursor.next();
            let candidate = self.at(turn)?;
            if candidates.admits(candidate) {
                return Some(candidate);
            }
        }
        any_from(candidates, turn)
    }

    /// The next in turn among those in `set`, a bit a candidate.
    pub(super) fn next_of(&self, set: u64, cursor: &Cursor) -> Option<usize> {
        let in_set = |candidate: &usize| set >> candidate & 1 == 1;
        (0..MOST_TURNS)
            .map_while(|_| self.at(cursor.next()))
            .find(in_set)
            .or_else(|| (0..u64::BITS as usize).find(in_set))
    }
}

fn greatest_common_divisor(a: u16, b: u16) -> u16 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}
