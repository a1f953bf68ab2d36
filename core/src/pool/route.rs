//! Routes as one snapshot has them: with the pools that they lead to.
//!
//! A route with a strategy of its own has a pool of its own over the very same backends: its turns are its own, while
//! health, counters and the retry budget are shared.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{Pool, PoolState, Snapshot};
use crate::{
    config::{Forward, PoolConfig, Retries, RouteConfig, UpstreamTimeouts},
    route::split::share_at,
};

/// One route.
#[derive(Debug)]
pub struct Route {
    config: Arc<RouteConfig>,
    destinations: Box<[Arc<Destination>]>,
    /// The sums of the weights up to each destination.
    upto: Box<[u64]>,
    requests: Arc<Requests>,
}

/// A pool that a route leads to, and on which terms.
#[derive(Debug)]
pub struct Destination {
    route: Arc<RouteConfig>,
    pool: Arc<Pool>,
    terms: Arc<Terms>,
}

/// How long a request waits for whom, and how often it is tried: the pool's settings with the route's in their place.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Timeouts.
    pub timeouts: UpstreamTimeouts,
    /// Retries.
    pub retries: Retries,
}

/// Shards of a route's count: workers in the same one are rarely at it at once.
const SHARDS: usize = 8;

/// How many requests took a route. Shards, because a counter that all workers write costs each of them a cache miss.
#[derive(Debug, Default)]
struct Requests([Shard; SHARDS]);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(AtomicU64);

impl Route {
    /// What is configured of it.
    pub fn config(&self) -> &Arc<RouteConfig> {
        &self.config
    }

    /// Where a request goes that lies at this point of the split; `None` where the route leads to no pool.
    pub fn destination(&self, point: impl FnOnce() -> u64) -> Option<&Arc<Destination>> {
        match &*self.destinations {
            [only] => Some(only),
            several => several.get(share_at(&self.upto, if several.is_empty() { 0 } else { point() })),
        }
    }

    /// The pools it leads to.
    pub fn destinations(&self) -> &[Arc<Destination>] {
        &self.destinations
    }

    /// Counts a request.
    pub fn count(&self, worker: usize) {
        self.requests.0[worker % SHARDS].0.fetch_add(1, Relaxed);
    }

    /// How many requests took it.
    pub fn requests(&self) -> u64 {
        self.requests.0.iter().map(|shard| shard.0.load(Relaxed)).sum()
    }
}

impl Destination {
    /// The route.
    pub fn route(&self) -> &Arc<RouteConfig> {
        &self.route
    }

    /// What the route says of requests that go to backends.
    pub fn forward(&self) -> Option<&Forward> {
        self.route.forward()
    }

    /// The pool, as it was when the route was found; [`Snapshot::newest`] has it as it is.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The terms.
    pub fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }
}

impl Terms {
    fn of(pool: &PoolConfig) -> Self {
        Self {
            timeouts: pool.timeouts,
            retries: pool.retries.clone(),
        }
    }

    fn with(&self, forward: &Forward) -> Self {
        Self {
            timeouts: forward.timeouts.over(&self.timeouts),
            retries: forward.retries.over(&self.retries),
        }
    }
}

/// Puts the routes of a snapshot together. What `previous` knows of a route with the same conditions (its count, the turns
/// of its own strategy) goes on.
pub(super) fn build(
    configs: &[Arc<RouteConfig>],
    pools: &[Arc<Pool>],
    previous: Option<&Snapshot>,
) -> Vec<Route> {
    let by_name: HashMap<&str, (&Arc<Pool>, Arc<Terms>)> = pools
        .iter()
        .map(|pool| (&**pool.name(), (pool, Arc::new(Terms::of(pool.config())))))
        .collect();
    let mut known = Known::new(configs, previous);
    let route = |(index, config): (usize, &Arc<RouteConfig>)| {
        let known = known.take(index, config);
        let mut destinations = Vec::new();
        let mut upto = Vec::new();
        let mut sum = 0;
        for (name, weight) in config.forward().map_or(&[][..], |forward| &forward.split) {
            let Some((pool, terms)) = by_name.get(&**name) else {
                continue;
            };
            sum += u64::from(*weight);
            upto.push(sum);
            destinations.push(Arc::new(destination(config, pool, terms, known)));
        }
        Route {
            requests: known.map_or_else(Arc::default, |known| Arc::clone(&known.requests)),
            config: Arc::clone(config),
            destinations: destinations.into(),
            upto: upto.into(),
        }
    };
    configs.iter().enumerate().map(route).collect()
}

fn destination(
    route: &Arc<RouteConfig>,
    pool: &Arc<Pool>,
    terms: &Arc<Terms>,
    known: Option<&Route>,
) -> Destination {
    let own = |forward: &Forward| {
        let strategy = forward
            .strategy
            .clone()
            .filter(|own| *own != pool.config().strategy)?;
        let before = known.and_then(|known| {
            let mut before = known.destinations.iter();
            before.find(|before| before.pool.name() == pool.name() && before.pool.is_own_of_a_route())
        });
        let state = before.map_or_else(
            || PoolState::beside(pool.state()),
            |before| Arc::clone(before.pool.state()),
        );
        Some(Arc::new(pool.with_strategy(strategy, state)))
    };
    let forward = route.forward();
    Destination {
        route: Arc::clone(route),
        pool: forward.and_then(own).unwrap_or_else(|| Arc::clone(pool)),
        terms: match forward.filter(|forward| forward.has_own_terms()) {
            Some(forward) => Arc::new(terms.with(forward)),
            None => Arc::clone(terms),
        },
    }
}

/// The routes of the snapshot before.
struct Known<'s> {
    /// The same routes at the same places.
    same: Option<&'s [Route]>,
    by_conditions: HashMap<String, Vec<&'s Route>>,
}

impl<'s> Known<'s> {
    fn new(configs: &[Arc<RouteConfig>], previous: Option<&'s Snapshot>) -> Self {
        let before = previous.map_or(&[][..], |previous| previous.routes());
        let unchanged = before.len() == configs.len()
            && before
                .iter()
                .zip(configs)
                .all(|(before, config)| Arc::ptr_eq(&before.config, config));
        let mut by_conditions: HashMap<String, Vec<&Route>> = HashMap::new();
        if !unchanged {
            for route in before.iter().rev() {
                by_conditions
                    .entry(route.config.when.to_string())
                    .or_default()
                    .push(route);
            }
        }
        Self {
            same: unchanged.then_some(before),
            by_conditions,
        }
    }

    fn take(&mut self, index: usize, config: &RouteConfig) -> Option<&'s Route> {
        match self.same {
            Some(same) => same.get(index),
            None => self.by_conditions.get_mut(&config.when.to_string())?.pop(),
        }
    }
}
