//! All that the request path reads, in one immutable value: the registry builds a new one for each change and
//! publishes it whole, so no request ever sees half of a reload.

use std::{collections::HashMap, sync::Arc, time::Instant};

use super::{Ask, Backend, Lease, NoBackend, Pool};
use crate::{
    config::{BackendConfig, BackendUrl, Config, Priority, Weight},
    health::Health,
    live::Live,
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
    /// Since when it is on slow start: when it came back, or was first found up after a reload had added it, beside
    /// others that served meanwhile. It stays set when slow start is over.
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
}

/// Which pool serves a request. For now there is one route, which matches all.
#[derive(Debug, Clone)]
pub struct Route {
    /// The pool.
    pub pool: Arc<Pool>,
}

/// The published state.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    config: Arc<Config>,
    pools: Vec<Arc<Pool>>,
    routes: Vec<Route>,
    by_authority: HashMap<Box<str>, Arc<Backend>>,
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
        let routes = config.routes.iter().filter_map(|route| {
            let pool = pools.iter().find(|pool| *pool.name() == route.pool)?;
            Some(Route {
                pool: Arc::clone(pool),
            })
        });
        let by_authority = pools
            .iter()
            .flat_map(|pool| pool.members())
            .map(|member| (member.backend.authority().into(), Arc::clone(&member.backend)));
        Self {
            generation,
            routes: routes.collect(),
            by_authority: by_authority.collect(),
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

    /// The pool that serves a request.
    pub fn route(&self) -> Option<&Arc<Pool>> {
        self.routes.first().map(|route| &route.pool)
    }

    /// A backend by its `host:port`, for those who connect.
    pub fn backend_by_authority(&self, authority: &str) -> Option<&Arc<Backend>> {
        self.by_authority.get(authority)
    }

    /// A backend by its identity.
    pub fn member(&self, pool: &str, url: &BackendUrl) -> Option<&Member> {
        self.pool(pool)?
            .members()
            .iter()
            .find(|member| member.backend.url() == url)
    }

    /// Chooses a backend of the pool that serves the request. The one function through which everybody asks.
    ///
    /// # Errors
    /// [`NoBackend`] when there is none.
    pub fn pick(&self, ask: &Ask<'_>) -> Result<Lease, NoBackend> {
        self.route().ok_or(NoBackend::NoneEligible)?.pick(ask)
    }
}
