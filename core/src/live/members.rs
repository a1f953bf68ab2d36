//! Backends that were added or removed beside the file: laid over its pools, as other live changes are over its backends.
//!
//! The file stays what a reload compares with and what a plan speaks of; what serves is the file with these changes over it.
//! So a reload keeps them, as it keeps orders and weights. One that says the same as a new file is none any more: an added
//! backend that is written down becomes the file's own, and of a removed one that the file has lost nothing is left.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Change, seconds_until};
use crate::{
    config::{BackendConfig, Config},
    pool::Identity,
    status::{LiveStatus, PoolStatus, RemovedStatus},
};

/// Far above what a pool needs. A program that only adds must not fill the memory.
pub const MOST_ADDED: usize = 4096;

/// What became of one backend.
#[derive(Debug, Clone, PartialEq)]
pub enum Membership {
    /// It is there, and not in the file.
    Added(BackendConfig),
    /// It is in the file, and not there.
    Removed,
}

/// What a file says of pools, and which backends were added and removed live.
#[derive(Debug, Clone)]
pub struct LiveMembers {
    file: Arc<Config>,
    changes: BTreeMap<Identity, Change<Membership>>,
}

impl LiveMembers {
    /// A file of which nothing was changed.
    pub fn of(file: Arc<Config>) -> Self {
        Self {
            file,
            changes: BTreeMap::new(),
        }
    }

    /// What the file says.
    pub fn file(&self) -> &Arc<Config> {
        &self.file
    }

    /// What serves: the file with these changes over it. What was added comes last, in the order in which it came.
    pub fn over(&self) -> Arc<Config> {
        if self.changes.is_empty() {
            return Arc::clone(&self.file);
        }
        let mut config = Config::clone(&self.file);
        let mut added = Vec::new();
        for (identity, change) in &self.changes {
            let Some(pool) = config.pools.get_mut(&identity.pool) else {
                continue;
            };
            match &change.value {
                Membership::Removed => pool.backends.retain(|backend| backend.url != identity.url),
                Membership::Added(backend) => added.push((change.since, identity, backend)),
            }
        }
        added.sort_by_key(|(since, ..)| *since);
        for (_, identity, backend) in added {
            let pool = config.pools.get_mut(&identity.pool);
            pool.into_iter()
                .for_each(|pool| pool.backends.push(backend.clone()));
        }
        Arc::new(config)
    }

    /// The same changes under a new file, without those that say the same as it does, and those of pools that it has lost.
    pub fn rewritten(&self, file: Arc<Config>) -> Self {
        let mut changes = self.changes.clone();
        changes.retain(|identity, change| Self::stays(identity, &change.value, &file));
        Self { file, changes }
    }

    /// Whether a change says something else than a file.
    fn stays(identity: &Identity, membership: &Membership, file: &Config) -> bool {
        let is_written = Self::written_in(file, identity).is_some();
        match membership {
            Membership::Added(_) => !is_written && file.pools.contains_key(&identity.pool),
            Membership::Removed => is_written,
        }
    }

    /// What a file says of a backend.
    fn written_in<'c>(file: &'c Config, identity: &Identity) -> Option<&'c BackendConfig> {
        let backends = &file.pools.get(&identity.pool)?.backends;
        backends.iter().find(|backend| backend.url == identity.url)
    }

    /// Whether the file has a backend.
    pub fn is_in_file(&self, identity: &Identity) -> bool {
        Self::written_in(&self.file, identity).is_some()
    }

    /// What was changed of a backend.
    pub fn change(&self, identity: &Identity) -> Option<&Change<Membership>> {
        self.changes.get(identity)
    }

    /// All changes.
    pub fn changes(&self) -> impl Iterator<Item = (&Identity, &Change<Membership>)> {
        self.changes.iter()
    }

    /// How many backends were added.
    pub fn added(&self) -> usize {
        let is_added = |change: &&Change<Membership>| matches!(change.value, Membership::Added(_));
        self.changes.values().filter(is_added).count()
    }

    /// Makes a change, which holds until then. Since when it holds stays where it held before. Whether anything is different.
    pub(crate) fn set(
        &mut self,
        identity: Identity,
        membership: Membership,
        times: (Instant, Option<Duration>),
    ) -> bool {
        let (now, lasts) = times;
        let is_new = |change: &&Change<Membership>| {
            matches!(change.value, Membership::Removed) != matches!(membership, Membership::Removed)
        };
        let before = self.changes.get(&identity).filter(|change| !is_new(change));
        let since = before.map_or(now, |change| change.since);
        let until = lasts.and_then(|lasts| now.checked_add(lasts));
        let change = Change::new(membership, since, until);
        let before = self.changes.insert(identity, change.clone());
        before.as_ref() != Some(&change)
    }

    /// Takes a change back. Whether there was one.
    pub(crate) fn take_back(&mut self, identity: &Identity) -> bool {
        self.changes.remove(identity).is_some()
    }

    /// Ends what has come to its end.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<(Identity, Membership)> {
        let is_over = |change: &Change<Membership>| change.until.is_some_and(|until| until <= now);
        let over: Vec<Identity> = self
            .changes
            .iter()
            .filter(|(_, change)| is_over(change))
            .map(|(identity, _)| identity.clone())
            .collect();
        let ended = over
            .into_iter()
            .filter_map(|identity| self.changes.remove_entry(&identity));
        ended.map(|(identity, change)| (identity, change.value)).collect()
    }

    /// What the status says of an added backend; nothing of others.
    pub fn status_of(&self, identity: &Identity, now: Instant) -> Option<LiveStatus> {
        let change = self.changes.get(identity)?;
        matches!(change.value, Membership::Added(_)).then(|| LiveStatus {
            kind: "backend".to_owned(),
            value: "added".to_owned(),
            file: "not there".to_owned(),
            ..super::times(change, now)
        })
    }

    /// Completes what the status says of a pool.
    pub(crate) fn complete(&self, pool: &Arc<str>, status: &mut PoolStatus, now: Instant) {
        if self.changes.is_empty() {
            return;
        }
        let of_pool = self.changes.iter().filter(|(identity, _)| identity.pool == *pool);
        for (identity, change) in of_pool {
            let url = identity.url.to_string();
            match change.value {
                Membership::Added(_) => {
                    let added = status.backends.iter_mut().find(|backend| backend.url == url);
                    added.into_iter().for_each(|backend| {
                        backend.live.extend(self.status_of(identity, now));
                    });
                }
                Membership::Removed => status.removed.push(RemovedStatus {
                    url,
                    since_seconds: now.saturating_duration_since(change.since).as_secs(),
                    until_seconds: change.until.map(|until| seconds_until(until, now)),
                }),
            }
        }
    }
}
