//! The strategies over candidates that are nothing but numbers: properties that hold for all, then what each is for.

#![allow(clippy::unwrap_used)]

mod hashing;
mod loads;
mod shares;

use proptest::{prelude::*, strategy::Strategy as _};

use super::{Strategy, *};
use crate::config::StrategyConfig;

/// Candidates as a test wants them.
#[derive(Debug, Clone, Default)]
struct Field {
    weights: Vec<u16>,
    held: Vec<u64>,
    closed: Vec<bool>,
    latencies: Vec<Option<f64>>,
}

impl Field {
    fn new(weights: &[u16]) -> Self {
        Self {
            weights: weights.to_vec(),
            held: vec![0; weights.len()],
            closed: vec![false; weights.len()],
            latencies: vec![None; weights.len()],
        }
    }

    fn ids(&self) -> Vec<u64> {
        (0..self.weights.len() as u64).map(|id| mix(id + 1)).collect()
    }

    fn strategy(&self, algorithm: Algorithm) -> Strategy {
        Strategy::new(algorithm, &self.weights, &self.ids())
    }

    /// How often each was chosen in so many choices; nothing stays in flight.
    fn counts(&self, algorithm: Algorithm, choices: u64) -> Vec<u64> {
        let (strategy, cursor) = (self.strategy(algorithm), Cursor::default());
        let mut counts = vec![0; self.weights.len()];
        for step in 0..choices {
            counts[strategy.choose(draw(&cursor, step), self).unwrap()] += 1;
        }
        counts
    }
}

impl Candidates for Field {
    fn len(&self) -> usize {
        self.weights.len()
    }

    fn admits(&self, index: usize) -> bool {
        !self.closed[index]
    }

    fn weight(&self, index: usize) -> u16 {
        self.weights[index]
    }

    fn in_flight(&self, index: usize) -> u64 {
        self.held[index]
    }

    fn latency(&self, index: usize) -> Option<f64> {
        self.latencies[index]
    }

    fn total_in_flight(&self) -> u64 {
        self.held.iter().sum()
    }

    fn total_weight(&self) -> u64 {
        self.weights.iter().map(|&weight| u64::from(weight)).sum()
    }
}

/// The draw of the `step`-th request: its chance and its key follow from its number.
fn draw(cursor: &Cursor, step: u64) -> Draw<'_> {
    Draw {
        cursor,
        random: mix(step),
        key: Some(mix(!step)),
    }
}

const HASH: Algorithm = Algorithm::Hash { bounded_load: None };

fn all() -> impl Iterator<Item = Algorithm> {
    let bounded = Algorithm::Hash {
        bounded_load: Some(1.25),
    };
    let every = StrategyConfig::every().into_iter();
    every.map(|strategy| strategy.algorithm()).chain([bounded])
}

fn fields(most: usize) -> impl proptest::strategy::Strategy<Value = Field> {
    let latency = prop::option::of(500.0..500_000.0_f64);
    let candidate = (1u16..=256, 0u64..20, prop::bool::weighted(0.4), latency);
    prop::collection::vec(candidate, 1..most).prop_map(|candidates| Field {
        weights: candidates.iter().map(|one| one.0).collect(),
        held: candidates.iter().map(|one| one.1).collect(),
        closed: candidates.iter().map(|one| one.2).collect(),
        latencies: candidates.iter().map(|one| one.3).collect(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_strategy_chooses_only_who_is_admitted_and_finds_one_if_there_is_one(
        field in fields(200), seed in any::<u64>(),
    ) {
        let somebody = field.closed.iter().any(|closed| !closed);
        for algorithm in all() {
            let (strategy, cursor) = (field.strategy(algorithm), Cursor::default());
            for step in 0..20 {
                let chosen = strategy.choose(draw(&cursor, seed.wrapping_add(step)), &field);
                prop_assert_eq!(chosen.is_some(), somebody, "{:?}", algorithm);
                prop_assert!(chosen.is_none_or(|index| field.admits(index)), "{:?}", algorithm);
            }
        }
    }

    #[test]
    fn every_strategy_finds_the_only_one_that_is_left(
        field in fields(200), seed in any::<u64>(), left in any::<prop::sample::Index>(),
    ) {
        let left = left.index(field.weights.len());
        let mut field = field;
        field.closed = vec![true; field.weights.len()];
        field.closed[left] = false;
        for algorithm in all() {
            let (strategy, cursor) = (field.strategy(algorithm), Cursor::default());
            for step in 0..5 {
                let chosen = strategy.choose(draw(&cursor, seed.wrapping_add(step)), &field);
                prop_assert_eq!(chosen, Some(left), "{:?}", algorithm);
            }
        }
    }

    #[test]
    fn a_choice_depends_on_nothing_but_what_is_given(field in fields(100), seed in any::<u64>()) {
        for algorithm in all() {
            let choices = || -> Vec<_> {
                let (strategy, cursor) = (field.strategy(algorithm), Cursor::default());
                let steps = 0..20;
                steps.map(|step| strategy.choose(draw(&cursor, seed.wrapping_add(step)), &field)).collect()
            };
            prop_assert_eq!(choices(), choices(), "{:?}", algorithm);
        }
    }
}

#[test]
fn without_candidates_there_is_no_choice() {
    let field = Field::new(&[]);
    for algorithm in all() {
        let (strategy, cursor) = (field.strategy(algorithm), Cursor::default());
        assert_eq!(strategy.choose(draw(&cursor, 0), &field), None, "{algorithm:?}");
    }
}
