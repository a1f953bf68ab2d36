//! All that the request path reads, in one immutable value: the registry builds a new one for each change and
//! publishes it whole, so no request ever sees half of a reload.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use super::{Ask, Backend, Lease, NoBackend, Pool, Route, pick::Cursors, route};
use crate::{
    config::{BackendUrl, Config, DEFAULT_POOL, Weight},
    health::Health,
    retry::RetryBudget,
    route::{Matcher, Request},
    strategy::Schedule,
};

/// One backend's place in a pool.
#[derive(Debug, Clone)]
pub struct Member {
    /// The backend itself, with its counters.
    pub backend: Arc<Backend>,
    /// Its weight.
    pub weight: Weight,
    /// Its health at the time of the snapshot.
    pub health: Health,
    /// Since when it has that health.
    pub since: Instant,
    /// Whether it is probed.
    pub probed: bool,
}

/// What of a pool outlives its snapshots: the place in the order, and the retry budget.
#[derive(Debug, Default)]
pub struct PoolState {
    pub(super) cursors: Cursors,
    pub(super) retry_budget: Arc<RetryBudget>,
    /// Whether it belongs to a route with a strategy of its own.
    pub(super) own_of_a_route: bool,
    /// The order that was worked out last, with the weights it holds for.
    schedule: Mutex<Option<(Vec<u16>, Arc<Schedule>)>>,
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

    /// The order for these weights; worked out anew only if they are others than the last time.
    pub(super) fn schedule(&self, weights: Vec<u16>) -> Arc<Schedule> {
        let mut last = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((known, schedule)) if *known == weights => Arc::clone(schedule),
            _ => {
                let schedule = Arc::new(Schedule::new(&weights));
                *last = Some((weights, Arc::clone(&schedule)));
                schedule
            }
        }
    }
}

/// The published state.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    config: Arc<Config>,
    pools: Vec<Arc<Pool>>,
    matcher: Arc<Matcher>,
    routes: Vec<Route>,
}

impl Snapshot {
    /// Puts pools together; `members` gives a pool's backends in the order of the file. What `previous` knows of a
    /// pool with the same name (its cursor, its budget) goes on.
    pub fn build(
        generation: u64,
        config: Arc<Config>,
        members: impl Fn(&str) -> Vec<Member>,
        previous: Option<&Snapshot>,
    ) -> Self {
        let pools: Vec<Arc<Pool>> = config
            .pools
            .iter()
            .map(|(name, pool)| {
                let known = previous.and_then(|previous| previous.pool(name));
                let state = known.map_or_else(Arc::default, |pool| Arc::clone(pool.state()));
                let settings = match known {
                    Some(known) if **known.config() == *pool => Arc::clone(known.config()),
                    _ => Arc::new(pool.clone()),
                };
                Arc::new(Pool::new(Arc::clone(name), settings, members(name), state))
            })
            .collect();
        let routes = route::build(&config.routes, &pools, previous);
        let matcher = match previous {
            Some(previous) if Arc::ptr_eq(&previous.config, &config) => Arc::clone(&previous.matcher),
            _ => Arc::new(Matcher::new(&config.routes)),
        };
        Self {
            generation,
            matcher,
            routes,
            config,
            pools,
        }
    }

    /// How many configurations have been applied so far.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The configuration that serves.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// All pools, by name.
    pub fn pools(&self) -> &[Arc<Pool>] {
        &self.pools
    }

    /// The pool of that name.
    pub fn pool(&self, name: &str) -> Option<&Arc<Pool>> {
        self.pools.iter().find(|pool| **pool.name() == *name)
    }

    /// All routes, in the order written.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The route that every request takes as it is, if there is nothing to decide.
    #[inline]
    pub fn plain_route(&self) -> Option<&Route> {
        if self.matcher.is_plain() {
            self.routes.first()
        } else {
            None
        }
    }

    /// The route of a request; `None` if there is none for it.
    pub fn route(&self, request: &Request<'_>) -> Option<&Route> {
        self.routes.get(self.matcher.find(request)?)
    }

    /// Whether a route speaks of paths, so that ambiguous ones are refused.
    pub fn has_path_routes(&self) -> bool {
        self.matcher.has_paths()
    }

    /// The pool of those for whom no route is known: `default`, or the first.
    pub fn default_pool(&self) -> Option<&Arc<Pool>> {
        self.pool(DEFAULT_POOL).or_else(|| self.pools.first())
    }

    /// A pool of another snapshot as this one has it; `None` if it is gone.
    pub fn newest(&self, pool: &Pool) -> Option<&Arc<Pool>> {
        if !pool.is_own_of_a_route() {
            return self.pools.iter().find(|newest| newest.is_same(pool));
        }
        let destinations = self.routes.iter().flat_map(|route| route.destinations());
        destinations
            .map(|destination| destination.pool())
            .find(|newest| newest.is_same(pool))
    }

    /// A backend by its identity.
    pub fn member(&self, pool: &str, url: &BackendUrl) -> Option<&Member> {
        self.pool(pool)?
            .members()
            .iter()
            .find(|member| member.backend.url() == url)
    }

    /// Chooses a backend of the default pool.
    ///
    /// # Errors
    /// [`NoBackend`] when there is none.
    pub fn pick(&self, ask: &Ask<'_>) -> Result<Lease, NoBackend> {
        self.default_pool().ok_or(NoBackend::NoneEligible)?.pick(ask)
    }

    /// Chooses a backend of a pool as this snapshot has it; where it is gone, as it was: who was sent there before it was
    /// removed still gets an answer.
    ///
    /// # Errors
    /// [`NoBackend`] when there is none.
    pub fn pick_from(&self, pool: &Pool, ask: &Ask<'_>) -> Result<Lease, NoBackend> {
        self.newest(pool).map_or(pool, |newest| newest).pick(ask)
    }
}
