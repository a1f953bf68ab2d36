//! By chance, in proportion to weights: Walker's alias method, with the table built as M. D. Vose has it ("A linear
//! algorithm for generating random numbers with a given distribution", IEEE Transactions on Software Engineering 17,
//! 1991).
//!
//! A draw is one look-up, whatever the number of candidates: the high half of a random number chooses a column, the
//! low half chooses between its two owners. The other strategies that draw by chance use the same table.

use super::{Candidates, any_from, mix};

/// Draws before the search goes on candidate by candidate: by then hardly anybody may be chosen.
const MOST_DRAWS: usize = 8;

/// Candidates that a look of the second of two goes on for. Beyond it one is enough.
const MOST_LOOKS: usize = 64;

/// Draws candidates in proportion to their weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias(Box<[Column]>);

/// Its own candidate, or another one's if the coin is not below `keeps` in 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Column {
    keeps: u32,
    other: u32,
}

impl Alias {
    /// `weights[i]` belongs to candidate `i`; not all of them are 0.
    pub fn new(weights: &[u16]) -> Self {
        let (count, total) = (weights.len() as u64, sum(weights));
        // A column is `total` high; what a candidate has of `count` such columns is its weight times `count`.
        let mut left: Vec<u64> = weights.iter().map(|&weight| u64::from(weight) * count).collect();
        let own = |index| Column {
            keeps: u32::MAX,
            other: index as u32,
        };
        let mut columns: Vec<Column> = (0..weights.len()).map(own).collect();
        let (mut low, mut high): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|&index| left[index] < total);
        while let (Some(poor), Some(&rich)) = (low.pop(), high.last()) {
            columns[poor] = Column {
                keeps: ((left[poor] << 32) / total) as u32,
                other: rich as u32,
            };
            left[rich] -= total - left[poor];
            if left[rich] < total {
                high.pop();
                low.push(rich);
            }
        }
        Self(columns.into())
    }

    /// One candidate; `None` if there are none.
    pub fn draw(&self, random: u64) -> Option<usize> {
        let index = ((random >> 32) * self.0.len() as u64) >> 32;
        let column = self.0.get(index as usize)?;
        Some(if (random as u32) < column.keeps {
            index as usize
        } else {
            column.other as usize
        })
    }

    /// One that is admitted.
    pub(super) fn choose(&self, mut random: u64, candidates: &impl Candidates) -> Option<usize> {
        for _ in 0..MOST_DRAWS {
            let index = self.draw(random)?;
            if candidates.admits(index) {
                return Some(index);
            }
            random = mix(random);
        }
        any_from(candidates, random)
    }

    /// Two different ones that are admitted, if there are two.
    pub(super) fn choose_two(
        &self,
        random: u64,
        candidates: &impl Candidates,
    ) -> Option<(usize, Option<usize>)> {
        let first = self.choose(random, candidates)?;
        let mut random = mix(!random);
        for _ in 0..MOST_DRAWS {
            let index = self.draw(random)?;
            if index != first && candidates.admits(index) {
                return Some((first, Some(index)));
            }
            random = mix(random);
        }
        // Somebody heavy hides the others, or hardly anybody else may be chosen.
        let (len, start) = (candidates.len(), (random >> 32) as usize);
        let second = (0..len.min(MOST_LOOKS))
            .map(|away| (start + away) % len)
            .find(|&index| index != first && candidates.admits(index));
        Some((first, second))
    }
}

fn sum(weights: &[u16]) -> u64 {
    weights.iter().map(|&weight| u64::from(weight)).sum()
}
