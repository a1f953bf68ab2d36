//! A configuration of one pool and nothing else, for those who have no file: simulations, tests, programs with lb-core
//! inside.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{ClientTimeouts, Config, Lane, Limits, LogLevel, PoolConfig, RouteConfig};

impl Config {
    /// Everything goes to this pool. There are no listeners, and all else is as if it were not written.
    pub fn of_pool(name: Arc<str>, pool: PoolConfig) -> Self {
        Self {
            listeners: Vec::new(),
            routes: vec![Arc::new(RouteConfig::everything_to(Arc::clone(&name)))],
            pools: BTreeMap::from([(name, pool)]),
            trusted_proxies: Vec::new(),
            workers: None,
            shutdown_timeout: Duration::ZERO,
            state_dir: None,
            log: LogLevel::Info,
            client_timeouts: ClientTimeouts::default(),
            lane: Lane::default(),
            via: None,
            allow_trace: false,
            limits: Limits::default(),
            error_pages: BTreeMap::new(),
        }
    }
}
