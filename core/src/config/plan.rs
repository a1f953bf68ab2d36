//! What a reload changes: the difference between two configurations, as data.
//!
//! A plan is made by comparing, shown to a person, and carried out by the registry. It holds values and not a copy
//! of the second configuration, so that what is shown is what is done: applying the plan of two configurations to the
//! first gives the second, which a property test holds it to. After quickwit's indexing plan, which is tested so.

mod health_setting;
mod routes;
mod setting;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use self::{
    health_setting::differences,
    setting::{PoolSetting, Setting},
};
use super::model::{BackendConfig, BackendUrl, Config, DEFAULT_POOL, PoolConfig};

/// What must change to turn one configuration into another.
#[derive(Debug, Clone, PartialEq)]
pub struct ReloadPlan {
    /// What happens to single backends, with the name of their pool. A backend's identity is its pool and URL.
    pub backends: Vec<(Arc<str>, BackendChange)>,
    /// Pools that appear: their settings, without backends, which are in `backends`.
    added_pools: Vec<(Arc<str>, PoolConfig)>,
    /// Pools that vanish; their backends are in `backends`.
    removed_pools: Vec<Arc<str>>,
    orders: Vec<(Arc<str>, Order)>,
    settings: Vec<Change<Setting>>,
    pool_settings: Vec<(Arc<str>, Change<PoolSetting>)>,
}

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

/// A setting's value before and after.
#[derive(Debug, Clone, PartialEq)]
struct Change<S> {
    from: S,
    to: S,
}

/// The backends of a pool in the order that they shall have, where it is not "those that stay, then the new ones".
#[derive(Debug, Clone, PartialEq)]
struct Order {
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
            settings: changes(Setting::all(running), Setting::all(next)),
            pool_settings: Vec::new(),
        };
        let statuses = running.error_pages.keys().chain(next.error_pages.keys());
        let statuses: BTreeSet<u16> = statuses.copied().collect();
        plan.settings.extend(changes(
            Setting::error_pages(running, &statuses),
            Setting::error_pages(next, &statuses),
        ));
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
            self.orders.push((name.clone(), Order { urls, moved }));
        }
        let settings = changes(PoolSetting::all(running), PoolSetting::all(next));
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
            change.to.clone().put(&mut config);
        }
        for (name, change) in &self.pool_settings {
            if let Some(pool) = config.pools.get_mut(name) {
                change.to.clone().put(pool);
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
        } = self;
        backends.is_empty()
            && added_pools.is_empty()
            && removed_pools.is_empty()
            && orders.is_empty()
            && settings.is_empty()
            && pool_settings.is_empty()
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
        lines.extend(pool_settings.flat_map(|(pool, Change { from, to })| {
            let lines = from.lines(to).into_iter();
            lines.map(move |line| format!("~ {}{line}", prefix(pool, ".")))
        }));
        for Change { from, to } in &self.settings {
            match (from, to) {
                (Setting::Routes(from), Setting::Routes(to)) => lines.extend(routes::lines(from, to)),
                _ => lines.push(format!("~ {} {from} -> {to}", from.key())),
            }
        }
        lines
    }

    /// What cannot change while running, as `port :8000 -> :8001`; a reload with any of these is refused.
    pub fn restart_required(&self) -> Vec<String> {
        let fixed = self.settings.iter().filter(|change| !change.from.changes_live());
        fixed
            .map(|Change { from, to }| format!("{} {from} -> {to}", from.key()))
            .collect()
    }
}

impl BackendChange {
    fn lines(&self, pool: &str) -> Vec<String> {
        match self {
            Self::Added(new) => vec![format!("+ {pool}{}", new.url)],
            Self::Removed(old) => vec![format!("- {pool}{}", old.url)],
            Self::Changed { from, to } => {
                // Taken apart, so that a new field does not compile until it has its line.
                let BackendConfig {
                    url,
                    weight,
                    priority,
                    max_connections,
                    probed,
                    own_check: _,
                    drain,
                    maintenance,
                } = from;
                let most = |most: &Option<u32>| most.map_or("none".to_owned(), |most| most.to_string());
                let pairs = [
                    ("weight", weight.get().to_string(), to.weight.get().to_string()),
                    ("priority", priority.to_string(), to.priority.to_string()),
                    (
                        "max_connections",
                        most(max_connections),
                        most(&to.max_connections),
                    ),
                    ("health_check", probed.to_string(), to.probed.to_string()),
                    ("drain", drain.to_string(), to.drain.to_string()),
                    ("maintenance", maintenance.to_string(), to.maintenance.to_string()),
                ];
                pairs
                    .into_iter()
                    .filter(|(_, from, to)| from != to)
                    .map(|(key, from, to)| format!("{key} {from} -> {to}"))
                    .chain(check_lines(from, to))
                    .map(|line| format!("~ {pool}{url} {line}"))
                    .collect()
            }
        }
    }
}

/// What is different in the checks that two backends have of their own.
fn check_lines(from: &BackendConfig, to: &BackendConfig) -> Vec<String> {
    match (&from.own_check, &to.own_check) {
        (None, Some(_)) => vec!["health_check as the pool's -> its own".to_owned()],
        (Some(_), None) => vec!["health_check its own -> as the pool's".to_owned()],
        (Some(from), Some(to)) => differences("health_check", &from.parts(), &to.parts()),
        (None, None) => Vec::new(),
    }
}

/// Both lists have the same settings in the same order.
fn changes<S: PartialEq>(running: Vec<S>, next: Vec<S>) -> Vec<Change<S>> {
    let pairs = running.into_iter().zip(next);
    pairs
        .filter(|(from, to)| from != to)
        .map(|(from, to)| Change { from, to })
        .collect()
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
