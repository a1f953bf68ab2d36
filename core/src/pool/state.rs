//! What of a pool outlives its snapshots: the place in the order, the retry budget, what all backends hold together,
//! and what strategies have worked out.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64},
    },
};

use super::{Member, Queue, tier::Candidate};
use crate::{
    attempts::RetryBudget,
    sticky::{StickyId, StickyKey},
    strategy::{Algorithm, Cursor, Strategy},
};

/// See the module.
#[derive(Debug, Default)]
pub struct PoolState {
    pub(super) cursors: Cursors,
    pub(super) retry_budget: Arc<RetryBudget>,
    /// Whether it belongs to a route with a strategy of its own.
    pub(super) own_of_a_route: bool,
    /// Requests in flight, over the pool and all routes with strategies of their own; counted only if one of them wants
    /// to know.
    pub(super) held: Arc<AtomicU64>,
    pub(super) counts_held: Arc<AtomicBool>,
    /// Requests that wait for a place.
    pub(super) queue: Arc<Queue>,
    /// The strategies of the last snapshot, one a tier.
    built: Mutex<Vec<Built>>,
    /// What cookies mean, as worked out last.
    sticky: Mutex<Option<StickyMembers>>,
}

/// Which member a cookie means, for these members in this order.
#[derive(Debug)]
struct StickyMembers {
    key: StickyKey,
    backends: Vec<u64>,
    by_id: Arc<HashMap<StickyId, u32>>,
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
            // The same places, so the same line.
            queue: Arc::clone(&pool.queue),
            held: Arc::clone(&pool.held),
            counts_held: Arc::clone(&pool.counts_held),
            own_of_a_route: true,
            ..Self::default()
        })
    }

    /// Which member a cookie means; worked out anew only where members or key are others than the last time.
    pub(super) fn sticky_members(
        &self,
        pool: &str,
        key: &StickyKey,
        members: &[Member],
    ) -> Arc<HashMap<StickyId, u32>> {
        let backends: Vec<u64> = members.iter().map(|member| member.backend.id()).collect();
        let mut last = self.sticky.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last.as_ref()
            && known.key == *key
            && known.backends == backends
        {
            return Arc::clone(&known.by_id);
        }
        let ids = members.iter().map(|member| key.id_of(pool, member.backend.url()));
        let by_id: Arc<HashMap<StickyId, u32>> = Arc::new(ids.zip(0..).collect());
        *last = Some(StickyMembers {
            key: key.clone(),
            backends,
            by_id: Arc::clone(&by_id),
        });
        by_id
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
