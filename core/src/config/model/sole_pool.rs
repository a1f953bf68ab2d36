//! A configuration of one pool and nothing else, for those who have no file: simulations, tests, programs with lb-core
//! inside.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Config, PoolConfig, RouteConfig};

impl Config {
    /// Everything goes to this pool. There are no listeners, a stop waits for nothing, and all else is as if it were not written.
    pub fn of_pool(name: Arc<str>, pool: PoolConfig) -> Self {
        Self {
            routes: vec![Arc::new(RouteConfig::everything_to(Arc::clone(&name)))],
            pools: BTreeMap::from([(name, pool)]),
            shutdown_timeout: Duration::ZERO,
            ..Self::default()
        }
    }
}
