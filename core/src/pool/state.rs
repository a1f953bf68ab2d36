//! What of a pool outlives its snapshots: the place in the order, the retry budget, what all backends hold together,
//! and what strategies have worked out.

use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicU64};

use super::tier::Candidate;
use crate::{
    retry::RetryBudget,
    strategy::{Algorithm, Cursor, Strategy},
};

/// See the module.
#[derive(Debug, Default)]
pub struct PoolState {
    pub(super) cursors: Cursors,
    pub(super) retry_budget: Arc<RetryBudget>,
    /// Whether it belongs to a route with a strategy of its own.
    pub(super) own_of_a_route: bool,
    /// Requests in flight, counted only for strategies that want to know.
    pub(super) held: Arc<AtomicU64>,
    /// The strategies of the last snapshot, one a tier.
    built: Mutex<Vec<Built>>,
}

#[derive(Debug, Default)]
pub(super) struct Cursors {
    pub(super) first: Cursor,
    pub(super) retry: Cursor,
}

/// A strategy, and what it was built from.
#[derive(Debug)]
struct Built {
    algorithm: Algorithm,
    weights: Vec<u16>,
    ids: Vec<u64>,
    strategy: Arc<Strategy>,
}

impl PoolState {
    /// For a route with a strategy of its own: turns of its own, and the pool's budget.
    pub(super) fn beside(pool: &Self) -> Arc<Self> {
        Arc::new(Self {
            retry_budget: Arc::clone(&pool.retry_budget),
            own_of_a_route: true,
            ..Self::default()
        })
    }

    /// A strategy for each tier; built anew only where candidates or weights are others than the last time.
    pub(super) fn strategies(&self, algorithm: Algorithm, tiers: &[Vec<Candidate>]) -> Vec<Arc<Strategy>> {
        let mut last = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = std::mem::take(&mut *last);
        for tier in tiers {
            let weights: Vec<u16> = tier.iter().map(|candidate| candidate.weight).collect();
            // Others depend on nothing but weights.
            let places = tier.iter().filter(|_| algorithm.has_places());
            let ids: Vec<u64> = places.map(|candidate| candidate.backend.identity()).collect();
            let same =
                |built: &Built| built.algorithm == algorithm && built.weights == weights && built.ids == ids;
            let built = match known.iter().position(same) {
                Some(index) => known.swap_remove(index),
                None => Built {
                    algorithm,
                    strategy: Arc::new(Strategy::new(algorithm, &weights, &ids)),
                    weights,
                    ids,
                },
            };
            last.push(built);
        }
        last.iter().map(|built| Arc::clone(&built.strategy)).collect()
    }
}
