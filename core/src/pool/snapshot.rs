//! All that the request path reads, in one immutable value: the registry builds a new one for each change and
//! publishes it whole, so no request ever sees half of a reload.

use std::{
    collections::HashSet,
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
    time::Instant,
};

use super::{Ask, Backend, Destination, Lease, NoBackend, Pool, PoolState, Route, route};
use crate::{
    config::{BackendConfig, BackendUrl, Config, DEFAULT_POOL, Priority, StrategyConfig, Weight},
    health::Health,
    live::{Live, LiveMembers},
    route::{Matcher, Request, Unrouted, ambiguity, split::point},
    status::HealthStatus,
};

/// One backend's place in a pool.
#[derive(Debug, Clone)]
pub struct Member {
    /// The backend itself, with its counters.
    pub backend: Arc<Backend>,
    /// Its weight.
    pub weight: Weight,
    /// Whether it serves before others or after them.
    pub priority: Priority,
    /// Requests and tunnels that it may hold at once; `None`: any number.
    pub max_connections: Option<u32>,
    /// Since when it is on slow start: when the balancer started, it came back, or was first found up after a reload had
    /// added it; those that come up together have one time. It stays set when slow start is over. `None`: it has never been
    /// cold.
    pub warming_since: Option<Instant>,
    /// Its health at the time of the snapshot.
    pub health: Health,
    /// Since when it has that health.
    pub since: Instant,
    /// Whether it is probed.
    pub probed: bool,
    /// What was changed of it live; weight and health are as it has them.
    pub live: Live,
}

impl Member {
    /// A backend as the configuration has it, in that health since now.
    pub fn new(backend: Arc<Backend>, config: &BackendConfig, health: Health, now: Instant) -> Self {
        Self {
            backend,
            weight: config.weight,
            priority: config.priority,
            max_connections: config.max_connections,
            warming_since: None,
            health,
            since: now,
            probed: config.probed,
            live: Live::of(config),
        }
    }

    /// Notes that its health was `before` until now. `true` if it serves again: then what requests met there before says
    /// nothing of it any more.
    pub fn note_change(&mut self, before: HealthStatus, now: Instant) -> bool {
        let is_changed = self.health.status() != before;
        if is_changed {
            self.since = now;
        }
        let serves_again = is_changed && self.health.is_up();
        if serves_again {
            self.backend.forget_failures();
        }
        serves_again
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
    /// What removed pools leave to requests that are still on their way to them.
    removed: Vec<Removed>,
    live_members: Arc<LiveMembers>,
}

/// A pool that a reload has removed, for as long as requests hold it.
#[derive(Debug, Clone)]
struct Removed {
    name: Arc<str>,
    state: Weak<PoolState>,
}

impl Snapshot {
    /// Puts pools together; `members` gives a pool's backends in the order of the file. What `previous` knows of a
    /// pool with the same name (its cursor, its budget, its queue) goes on, also of one that was removed and still has
    /// requests.
    pub fn build(
        generation: u64,
        config: Arc<Config>,
        members: impl Fn(&str) -> Vec<Member>,
        previous: Option<&Snapshot>,
    ) -> Self {
        let bounded = pools_with_bounds(&config);
        let pools: Vec<Arc<Pool>> = config
            .pools
            .iter()
            .map(|(name, pool)| {
                let known = previous.and_then(|previous| previous.pool(name));
                let state = known.map(|pool| Arc::clone(pool.state()));
                let held = || {
                    previous?
                        .removed
                        .iter()
                        .find(|removed| removed.name == *name)?
                        .state
                        .upgrade()
                };
                let state = state.or_else(held).unwrap_or_default();
                state.counts_held.store(bounded.contains(&**name), Relaxed);
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
            removed: previous.map_or_else(Vec::new, |previous| previous.removed_without(&config)),
            generation,
            live_members: Arc::new(LiveMembers::of(Arc::clone(&config))),
            matcher,
            routes,
            config,
            pools,
        }
    }

    /// The same of which these backends were added and removed live; the configuration has them already.
    pub fn with_live_members(self, live_members: Arc<LiveMembers>) -> Self {
        Self { live_members, ..self }
    }

    /// What the file says, and which backends were added and removed live.
    pub fn live_members(&self) -> &Arc<LiveMembers> {
        &self.live_members
    }

    /// How many configurations have been applied so far.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The configuration that serves: the file's, with the backends over it that were added and removed live.
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

    /// The route of a request. As soon as a route speaks of paths, ambiguous ones have none.
    ///
    /// # Errors
    /// Why there is none for it.
    pub fn route(&self, request: &Request<'_>) -> Result<&Route, Unrouted> {
        if ambiguity::is_ambiguous_host(request.host) {
            return Err(Unrouted::AmbiguousHost);
        }
        let route = self
            .matcher
            .find(request)
            .and_then(|index| self.routes.get(index));
        if self.matcher.has_paths() {
            let allowed = route.map(|route| route.config().allowed).unwrap_or_default();
            if let Some(ambiguity) = ambiguity::find(request.path, allowed) {
                return Err(Unrouted::AmbiguousPath(ambiguity));
            }
        }
        route.ok_or(Unrouted::NoMatch)
    }

    /// The pool of those for whom no route is known: `default`, or the first.
    pub fn default_pool(&self) -> Option<&Arc<Pool>> {
        self.pool(DEFAULT_POOL).or_else(|| self.pools.first())
    }

    /// A pool of another snapshot as this one has it; `None` if it is gone. Where a route with a strategy of its own is gone,
    /// the pool whose backends it chose among.
    pub fn newest(&self, pool: &Pool) -> Option<&Arc<Pool>> {
        if pool.is_own_of_a_route() {
            let destinations = self.routes.iter().flat_map(|route| route.destinations());
            let mut pools = destinations.map(|destination| destination.pool());
            if let Some(newest) = pools.find(|newest| newest.is_same(pool)) {
                return Some(newest);
            }
        }
        self.pools.iter().find(|newest| newest.is_beside(pool))
    }

    /// The pool to which the route of a destination leads by now; `None` if no route with its conditions leads to a pool.
    /// For requests that wait for a place in a pool that was removed.
    pub fn successor(&self, destination: &Destination, random: u64) -> Option<&Arc<Pool>> {
        let when = destination.route().when.to_string();
        let mut routes = self.routes.iter();
        let route = routes.find(|route| route.config().when.to_string() == when)?;
        route
            .destination(|| point(random))
            .map(|destination| destination.pool())
    }

    /// What is removed when this configuration comes into force, and what was removed before and still has requests.
    fn removed_without(&self, config: &Config) -> Vec<Removed> {
        let is_gone =
            |removed: &Removed| !config.pools.contains_key(&removed.name) && removed.state.strong_count() > 0;
        let pools = self.pools.iter().map(|pool| Removed {
            name: Arc::clone(pool.name()),
            state: Arc::downgrade(pool.state()),
        });
        self.removed
            .iter()
            .cloned()
            .chain(pools)
            .filter(is_gone)
            .collect()
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

/// Pools with a bounded load, be it their own or that of a route: all that their backends hold is counted.
fn pools_with_bounds(config: &Config) -> HashSet<&str> {
    let is_bounded = |strategy: &StrategyConfig| strategy.algorithm().bounds_load();
    let forwards = config.routes.iter().filter_map(|route| route.forward());
    let of_routes = forwards
        .filter(|forward| forward.strategy.as_ref().is_some_and(is_bounded))
        .flat_map(|forward| forward.split.iter().map(|(pool, _)| &**pool));
    let own = config.pools.iter().filter(|(_, pool)| is_bounded(&pool.strategy));
    own.map(|(name, _)| &**name).chain(of_routes).collect()
}
