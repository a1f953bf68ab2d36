//! What a reload changes: the difference between two configurations, as data.
//!
//! A plan is made by comparing, shown to a person, and carried out by the registry. It holds values and not a copy
//! of the second configuration, so that what is shown is what is done: applying the plan of two configurations to the
//! first gives the second, which a property test holds it to. After quickwit's indexing plan, which is tested so.

mod routes;

use std::{collections::HashMap, sync::Arc};

use super::{
    model::{BackendConfig, BackendUrl, Config, DEFAULT_POOL, PoolConfig, RouteConfig},
    settings::{Change, Settings},
};

/// What must change to turn one configuration into another.
#[derive(Debug, Clone)]
pub struct ReloadPlan {
    /// What happens to single backends, with the name of their pool. A backend's identity is its pool and URL.
    pub backends: Vec<(Arc<str>, BackendChange)>,
    /// Pools that appear: their settings, without backends, which are in `backends`.
    added_pools: Vec<(Arc<str>, PoolConfig)>,
    /// Pools that vanish; their backends are in `backends`.
    removed_pools: Vec<Arc<str>>,
    orders: Vec<(Arc<str>, BackendOrder)>,
    settings: Vec<Change<Config>>,
    pool_settings: Vec<(Arc<str>, Change<PoolConfig>)>,
    /// The routes before and after, where they differ.
    routes: Option<(Routes, Routes)>,
}

type Routes = Vec<Arc<RouteConfig>>;

/// What happens to one backend.
#[derive(Debug, Clone, PartialEq)]
pub enum BackendChange {
    /// It was not there before.
    Added(BackendConfig),
    /// It is not there any more; what is in flight finishes.
    Removed(BackendConfig),
    /// It stays, with all that is known of it, and something is set differently.
    Changed {
        /// As it was.
        from: BackendConfig,
        /// As it will be, with the same URL.
        to: BackendConfig,
    },
}

/// The backends of a pool in the order that they shall have, where it is not "those that stay, then the new ones".
#[derive(Debug, Clone, PartialEq)]
struct BackendOrder {
    urls: Vec<BackendUrl>,
    /// Whether some that stay have changed places; else only new ones stand between them.
    moved: bool,
}

impl ReloadPlan {
    /// What turns `running` into `next`.
    pub fn between(running: &Config, next: &Config) -> Self {
        let mut plan = Self {
            backends: Vec::new(),
            added_pools: Vec::new(),
            removed_pools: Vec::new(),
            orders: Vec::new(),
            settings: Config::changes(running, next, ""),
            pool_settings: Vec::new(),
            routes: (running.routes != next.routes).then(|| (running.routes.clone(), next.routes.clone())),
        };
        for (name, pool) in &running.pools {
            match next.pools.get(name) {
                Some(next) => plan.compare_pools(name, pool, next),
                None => {
                    plan.removed_pools.push(name.clone());
                    plan.backends.extend(
                        pool.backends
                            .iter()
                            .map(|old| (name.clone(), BackendChange::Removed(old.clone()))),
                    );
                }
            }
        }
        for (name, pool) in next
            .pools
            .iter()
            .filter(|(name, _)| !running.pools.contains_key(*name))
        {
            plan.added_pools.push((
                name.clone(),
                PoolConfig {
                    backends: Vec::new(),
                    ..pool.clone()
                },
            ));
            plan.backends.extend(
                pool.backends
                    .iter()
                    .map(|new| (name.clone(), BackendChange::Added(new.clone()))),
            );
        }
        plan
    }

    fn compare_pools(&mut self, name: &Arc<str>, running: &PoolConfig, next: &PoolConfig) {
        let before: HashMap<_, _> = running.backends.iter().map(|old| (&old.url, old)).collect();
        let after: HashMap<_, _> = next.backends.iter().map(|new| (&new.url, new)).collect();
        let mut add = |change| self.backends.push((name.clone(), change));
        for old in &running.backends {
            match after.get(&old.url) {
                None => add(BackendChange::Removed(old.clone())),
                Some(&new) if new != old => add(BackendChange::Changed {
                    from: old.clone(),
                    to: new.clone(),
                }),
                Some(_) => {}
            }
        }
        for new in next.backends.iter().filter(|new| !before.contains_key(&new.url)) {
            add(BackendChange::Added(new.clone()));
        }
        let staying: Vec<_> = running
            .backends
            .iter()
            .map(|old| &old.url)
            .filter(|url| after.contains_key(url))
            .collect();
        let new = next
            .backends
            .iter()
            .map(|new| &new.url)
            .filter(|url| !before.contains_key(url));
        if !staying
            .iter()
            .copied()
            .chain(new)
            .eq(next.backends.iter().map(|new| &new.url))
        {
            let urls = next.backends.iter().map(|new| new.url.clone()).collect();
            let staying_after = next
                .backends
                .iter()
                .map(|new| &new.url)
                .filter(|url| before.contains_key(url));
            let moved = !staying.iter().copied().eq(staying_after);
            self.orders.push((name.clone(), BackendOrder { urls, moved }));
        }
        let settings = PoolConfig::changes(running, next, "");
        self.pool_settings
            .extend(settings.into_iter().map(|change| (name.clone(), change)));
    }

    /// The configuration that `running` becomes. If `running` is not the one that the plan was made from, what the
    /// plan does not mention stays as it is.
    pub fn apply(&self, running: &Config) -> Config {
        let mut config = running.clone();
        config.pools.retain(|name, _| !self.removed_pools.contains(name));
        config.pools.extend(self.added_pools.iter().cloned());
        for (name, change) in &self.backends {
            let Some(pool) = config.pools.get_mut(name) else {
                continue;
            };
            match change {
                BackendChange::Removed(old) => pool.backends.retain(|backend| backend.url != old.url),
                BackendChange::Added(new) | BackendChange::Changed { to: new, .. } => {
                    match pool.backends.iter_mut().find(|backend| backend.url == new.url) {
                        Some(backend) => *backend = new.clone(),
                        None => pool.backends.push(new.clone()),
                    }
                }
            }
        }
        for (name, order) in &self.orders {
            let Some(pool) = config.pools.get_mut(name) else {
                continue;
            };
            let places: HashMap<_, _> = order.urls.iter().zip(0..).collect();
            pool.backends
                .sort_by_key(|backend| places.get(&backend.url).copied().unwrap_or(usize::MAX));
        }
        for change in &self.settings {
            (change.make)(&mut config);
        }
        if let Some((_, routes)) = &self.routes {
            config.routes.clone_from(routes);
        }
        for (name, change) in &self.pool_settings {
            if let Some(pool) = config.pools.get_mut(name) {
                (change.make)(pool);
            }
        }
        config
    }

    /// Whether both configurations are the same.
    pub fn is_empty(&self) -> bool {
        let Self {
            backends,
            added_pools,
            removed_pools,
            orders,
            settings,
            pool_settings,
            routes,
        } = self;
        backends.is_empty()
            && added_pools.is_empty()
            && removed_pools.is_empty()
            && orders.is_empty()
            && settings.is_empty()
            && pool_settings.is_empty()
            && routes.is_none()
    }

    /// The plan for a person, one line a change: `+ http://localhost:9004`, `~ http://localhost:9001 weight 1 -> 3`,
    /// `~ timeouts.connect 3s -> 1s`. What belongs to another pool than the default one begins with its name.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .removed_pools
            .iter()
            .map(|name| format!("- pool {name}"))
            .collect();
        lines.extend(self.added_pools.iter().map(|(name, _)| format!("+ pool {name}")));
        lines.extend(
            self.backends
                .iter()
                .flat_map(|(pool, change)| change.lines(&prefix(pool, " "))),
        );
        let moved = self.orders.iter().filter(|(_, order)| order.moved);
        lines.extend(moved.map(|(pool, _)| format!("~ {}backends order", prefix(pool, " "))));
        let pool_settings = self.pool_settings.iter();
        lines.extend(pool_settings.map(|(pool, change)| format!("~ {}{change}", prefix(pool, "."))));
        if let Some((from, to)) = &self.routes {
            lines.extend(routes::lines(from, to));
        }
        lines.extend(self.settings.iter().map(|change| format!("~ {change}")));
        lines
    }

    /// What cannot change while running, as `port :8000 -> :8001`; a reload with any of these is refused.
    pub fn restart_required(&self) -> Vec<String> {
        let fixed = self.settings.iter().filter(|change| change.restart);
        fixed.map(ToString::to_string).collect()
    }
}

impl BackendChange {
    fn lines(&self, pool: &str) -> Vec<String> {
        match self {
            Self::Added(new) => vec![format!("+ {pool}{}", new.url)],
            Self::Removed(old) => vec![format!("- {pool}{}", old.url)],
            Self::Changed { from, to } => {
                let changes = BackendConfig::changes(from, to, "");
                let line = |change| format!("~ {pool}{} {change}", from.url);
                changes.iter().map(line).collect()
            }
        }
    }
}

fn prefix(pool: &str, separator: &str) -> String {
    if pool == DEFAULT_POOL {
        String::new()
    } else {
        format!("{pool}{separator}")
    }
}

#[cfg(test)]
mod tests;
