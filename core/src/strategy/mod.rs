//! Selection algorithms, one file each. They know weights, loads and who is admitted; no pool, no backend, no clock
//! and no chance but what they are given.
//!
//! What can be worked out beforehand (an order, a table) is built once for a set of weights and shared by all
//! workers; [`Strategy::choose`] then reads it, allocates nothing and takes no lock. Every algorithm ends with a look
//! at all candidates, so a choice is found if there is one, and the search ends if there is none.
//!
//! docs/strategies.md says what each does, what it costs and when to use it.

mod first;
mod golden;
mod hash;
mod least_connections;
mod least_time;
mod maglev;
mod mix;
mod peak_ewma;
mod power_of_two;
mod random;
mod round_robin;
mod smooth;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use self::{first::First, least_connections::LeastConnections, least_time::LeastTime};
pub use self::{
    hash::Hash,
    mix::{hash_all, hash_bytes, mix},
    peak_ewma::PeakEwma,
    random::Alias,
    round_robin::Schedule,
};

/// What a strategy sees of those it chooses among. Index `i` means the same candidate as in the slices that the
/// [`Strategy`] was built from.
pub trait Candidates {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this one may be chosen now; a strategy never chooses another.
    fn admits(&self, index: usize) -> bool;

    /// Its weight, at least 1.
    fn weight(&self, index: usize) -> u16;

    /// Requests that it holds now, and what has failed at it lately counts as one that it holds.
    fn in_flight(&self, index: usize) -> u64;

    /// How long it takes to answer, smoothed, in microseconds; `None` while nothing is known.
    fn latency(&self, index: usize) -> Option<f64>;

    /// What an admitted candidate has in flight.
    #[inline]
    fn load(&self, index: usize) -> Option<u64> {
        self.admits(index).then(|| self.in_flight(index))
    }

    /// Requests that all of them hold together. Read only with a bounded load.
    fn total_in_flight(&self) -> u64;

    /// The weights of all those that could serve, whether they are admitted now or not. Read only with a bounded load.
    fn total_weight(&self) -> u64;
}

/// What order and chance give to one choice.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'a> {
    /// The turn that all workers share.
    pub cursor: &'a Cursor,
    /// 64 random bits.
    pub random: u64,
    /// The hash of what requests are told apart by; `None`: the request has no such thing.
    pub key: Option<u64>,
}

/// A place in an order, shared by all workers.
#[derive(Debug, Default)]
pub struct Cursor(AtomicU64);

impl Cursor {
    /// Takes the next turn.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Relaxed)
    }
}

/// Which algorithm, with what changes its course.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Algorithm {
    /// In turn.
    RoundRobin,
    /// By chance.
    Random,
    /// The fewest requests in flight.
    LeastConnections,
    /// The fewer of two drawn by chance.
    PowerOfTwo,
    /// The sooner done of two drawn by chance.
    LeastTime,
    /// By the request's key.
    Hash {
        /// At most so many times the average load, more than 1.
        bounded_load: Option<f64>,
    },
    /// In the order of the file.
    First,
}

/// How a pool gives candidates in slow start their part of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarmUp {
    /// They get a turn in proportion to their part; the algorithm chooses among the others.
    InTurn,
    /// Each request meets them or not, by its key: a key stays where it is.
    ByKey,
    /// Each request meets them or not, by chance.
    ByChance,
}

// No `_` in these: a new algorithm has to answer each question.
impl Algorithm {
    /// Whether it looks at how busy candidates are.
    pub fn weighs_load(self) -> bool {
        match self {
            Self::LeastConnections | Self::PowerOfTwo | Self::LeastTime => true,
            Self::RoundRobin | Self::Random | Self::Hash { .. } | Self::First => false,
        }
    }

    /// How candidates in slow start get their part.
    pub fn warm_up(self) -> WarmUp {
        match self {
            Self::Hash { .. } => WarmUp::ByKey,
            Self::First => WarmUp::ByChance,
            Self::RoundRobin | Self::Random | Self::LeastConnections | Self::PowerOfTwo | Self::LeastTime => {
                WarmUp::InTurn
            }
        }
    }

    /// Whether it fills one candidate before it takes the next, so that without a limit one gets everything.
    pub fn fills_up(self) -> bool {
        match self {
            Self::First => true,
            Self::RoundRobin
            | Self::Random
            | Self::LeastConnections
            | Self::PowerOfTwo
            | Self::LeastTime
            | Self::Hash { .. } => false,
        }
    }

    /// Whether it must know what all candidates hold together.
    pub fn bounds_load(self) -> bool {
        match self {
            Self::Hash { bounded_load } => bounded_load.is_some(),
            Self::RoundRobin
            | Self::Random
            | Self::LeastConnections
            | Self::PowerOfTwo
            | Self::LeastTime
            | Self::First => false,
        }
    }

    /// Whether its candidates have fixed places: it must be built from all members, those out of service included, so
    /// that nothing moves when one of them comes or goes.
    pub fn has_places(self) -> bool {
        match self {
            Self::Hash { .. } => true,
            Self::RoundRobin
            | Self::Random
            | Self::LeastConnections
            | Self::PowerOfTwo
            | Self::LeastTime
            | Self::First => false,
        }
    }
}

/// An algorithm, made ready for certain candidates.
#[derive(Debug)]
pub enum Strategy {
    /// See [`Schedule`].
    RoundRobin(Schedule),
    /// See [`Alias`].
    Random(Alias),
    /// Fewest in flight.
    LeastConnections(LeastConnections),
    /// Two by chance, the less busy one.
    PowerOfTwo(Alias),
    /// Two by chance, the one that will be done first.
    LeastTime(LeastTime),
    /// See [`Hash`].
    Hash(Hash),
    /// In written order.
    First(First),
}

impl Strategy {
    /// Makes an algorithm ready. `weights[i]` and `ids[i]` belong to candidate `i`; an id means the same candidate for
    /// ever and everywhere.
    pub fn new(algorithm: Algorithm, weights: &[u16], ids: &[u64]) -> Self {
        match algorithm {
            Algorithm::RoundRobin => Self::RoundRobin(Schedule::new(weights)),
            Algorithm::Random => Self::Random(Alias::new(weights)),
            Algorithm::LeastConnections => Self::LeastConnections(LeastConnections::new(weights)),
            Algorithm::PowerOfTwo => Self::PowerOfTwo(Alias::new(weights)),
            Algorithm::LeastTime => Self::LeastTime(LeastTime::new(weights)),
            Algorithm::Hash { bounded_load } => Self::Hash(Hash::new(weights, ids, bounded_load)),
            Algorithm::First => Self::First(First::new(weights)),
        }
    }

    /// The next candidate; `None` only if none is admitted.
    #[inline]
    pub fn choose(&self, draw: Draw<'_>, candidates: &impl Candidates) -> Option<usize> {
        match self {
            Self::RoundRobin(schedule) => schedule.choose(draw.cursor, candidates),
            Self::Random(alias) => alias.choose(draw.random, candidates),
            Self::LeastConnections(least) => least.choose(draw, candidates),
            Self::PowerOfTwo(alias) => power_of_two::choose(alias, draw.random, candidates),
            Self::LeastTime(least) => least.choose(draw.random, candidates),
            Self::Hash(hash) => hash.choose(draw.key.unwrap_or(draw.random), candidates),
            Self::First(first) => first.choose(candidates),
        }
    }
}

/// Whether `a` is less busy than `b`, each by its weight.
pub fn is_lighter(candidates: &impl Candidates, a: usize, b: usize) -> bool {
    // What is in flight is far from where a weight could make it overflow.
    let of = |index, weight| candidates.in_flight(index).wrapping_mul(u64::from(weight));
    of(a, candidates.weight(b)) < of(b, candidates.weight(a))
}

/// The first candidate that is admitted, from `start` on and around. The last resort of every algorithm.
fn any_from(candidates: &impl Candidates, start: u64) -> Option<usize> {
    let len = candidates.len();
    let start = usize::try_from(start % len.max(1) as u64).unwrap_or(0);
    (start..len)
        .chain(0..start)
        .find(|&index| candidates.admits(index))
}
