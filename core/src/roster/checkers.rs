//! Which backends have a checker. Every change compares who should have one with who has: so each start has its stop,
//! whatever happens in between.

use std::{collections::BTreeMap, sync::Arc};

use super::{Event, Roll, Roster};
use crate::{
    config::{HealthCheck, PoolConfig},
    pool::{Identity, Member},
};

impl Roster {
    /// Starts the checkers that are missing: all of them when nobody has started any.
    pub fn start_checkers(&mut self) -> Vec<Event> {
        let (mut wanted, mut events) = (self.wanted(), Vec::new());
        wanted.retain(|id, _| !self.checkers.contains_key(id));
        for (id, check) in wanted {
            let Some(member) = self.member_of(id) else {
                continue;
            };
            events.push(Event::StartChecker {
                backend: Arc::clone(&member.backend),
                check: check.clone(),
            });
            self.checkers.insert(id, check);
        }
        events
    }

    /// A checker ended that nobody had stopped. It is started again if its backend is still there.
    pub fn checker_ended(&mut self, backend: u64) -> Vec<Event> {
        if self.checkers.remove(&backend).is_none() {
            return Vec::new();
        }
        let mut events = self.start_checkers();
        let place = self.places.get(&backend);
        let member = self.member_of(backend);
        if let (Some(place), Some(member)) = (place, member) {
            let backend = Identity::new(&place.pool, member.backend.url());
            events.insert(0, Event::CheckerLost { backend });
        }
        events
    }

    /// Stops the checkers of those that are gone or to be probed in another way.
    pub(super) fn stop_checkers(&mut self) -> Vec<Event> {
        let (wanted, mut events) = (self.wanted(), Vec::new());
        self.checkers.retain(|&backend, check| {
            let stays = wanted.get(&backend) == Some(check);
            if !stays {
                events.push(Event::StopChecker { backend });
            }
            stays
        });
        events
    }

    /// Who should have a checker, and how it should probe.
    fn wanted(&self) -> BTreeMap<u64, Option<Arc<HealthCheck>>> {
        let of_pool = |(name, pool): (&Arc<str>, &PoolConfig)| {
            let Roll { members, .. } = self.pools.get(name)?;
            let shared = Arc::new(pool.health_check.clone());
            let check = |(index, member): (usize, &Member)| {
                let own = pool
                    .backends
                    .get(index)
                    .and_then(|config| config.own_check.as_ref());
                let check = member.probed.then(|| Arc::clone(own.unwrap_or(&shared)));
                // Of one that is not probed the name is kept resolved, if it is one.
                let is_needed = check.is_some() || member.backend.url().literal_address().is_none();
                is_needed.then(|| (member.backend.id(), check))
            };
            Some(members.iter().enumerate().filter_map(check).collect::<Vec<_>>())
        };
        self.config.pools.iter().filter_map(of_pool).flatten().collect()
    }

    /// How a member is probed; `None`: it is not.
    pub fn check_of(&self, backend: u64) -> Option<&HealthCheck> {
        let place = self.places.get(&backend)?;
        let member = self.pools.get(&place.pool)?.members.get(place.index)?;
        let pool = self.config.pools.get(&place.pool)?;
        let own = pool.backends.get(place.index)?.own_check.as_deref();
        member.probed.then(|| own.unwrap_or(&pool.health_check))
    }
}
