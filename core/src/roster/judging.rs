//! The roster as a judge: who is ejected and who comes back by what requests met, and whose drain is done.

use std::{sync::Arc, time::Duration, time::Instant};

use super::{Event, Roster, When};
use crate::{
    health::{Ruling, Spread, Standards},
    pool::{Identity, JUDGING_PAUSE, judge},
};

/// A worker may have looked at the snapshot before a drain began, and take its lease a moment after. After this grace
/// period, nothing in flight means that the backend is drained.
pub(super) const DRAIN_SETTLES: Duration = Duration::from_millis(100);

impl Roster {
    /// What is due as time passes: judges all pools, and notes drains and live changes that are over. To be called a
    /// few times a second.
    pub fn tick(&mut self, now: Instant) -> Vec<Event> {
        let mut events = self.judge(now);
        events.extend(self.watch_drains(now));
        events.extend(self.expire_live(now));
        events.extend(self.expire_members(now));
        events
    }

    /// Judges all pools by what requests met there.
    pub fn judge(&mut self, now: Instant) -> Vec<Event> {
        self.pools
            .values_mut()
            .for_each(|roll| roll.usual.note(&roll.members, now));
        let pools: Vec<Arc<str>> = self.pools.keys().cloned().collect();
        let judged = pools.iter().flat_map(|pool| self.judge_pool(pool, now));
        judged.collect()
    }

    /// A request has made a backend's row of failures full, so its pool is judged at once. Where nobody more may be out,
    /// requests say so thousands of times a second: then it is done again only after [`JUDGING_PAUSE`], for whoever came
    /// in between.
    pub fn failed_in_a_row(&mut self, backend: u64, now: Instant) -> Vec<Event> {
        let Some(place) = self.places.get(&backend) else {
            return Vec::new();
        };
        let pool = Arc::clone(&place.pool);
        if !self.just_judged.insert(Arc::clone(&pool)) {
            return Vec::new();
        }
        let mut events = self.judge_pool(&pool, now);
        events.push(Event::JudgeAgain {
            pool,
            after: JUDGING_PAUSE,
        });
        events
    }

    /// The pause is over that [`Event::JudgeAgain`] asked for.
    pub fn judge_again(&mut self, pool: &Arc<str>, now: Instant) -> Vec<Event> {
        self.just_judged.remove(pool);
        self.judge_pool(pool, now)
    }

    pub(super) fn judge_pool(&mut self, pool: &Arc<str>, now: Instant) -> Vec<Event> {
        let (Some(roll), Some(config)) = (self.pools.get_mut(pool), self.config.pools.get(pool)) else {
            return Vec::new();
        };
        let ejections = |members: &[crate::pool::Member]| -> u32 {
            let counts = members.iter().map(|member| member.health.ejection().count());
            counts.sum()
        };
        let before = ejections(&roll.members);
        let is_tied = config.strategy.algorithm().has_places() || config.sticky.is_some();
        let standards = Standards {
            rules: config.ejection.as_ref(),
            spread: if is_tied {
                Spread::ByClient
            } else {
                Spread::Everywhere
            },
        };
        let rulings = judge(&mut roll.judge, standards, &mut roll.members, now);
        let mut events = Vec::with_capacity(rulings.len());
        let (mut is_changed, mut returned) = (false, Vec::new());
        for ruling in rulings {
            let Some(place) = self.places.get(&ruling.backend()) else {
                continue;
            };
            let member = &roll.members[place.index];
            is_changed |= !matches!(ruling, Ruling::Spared { .. });
            if matches!(ruling, Ruling::Returned { .. }) {
                returned.push(place.index);
            }
            events.push(Event::Ruled {
                backend: Identity::new(pool, member.backend.url()),
                health: member.health.status(),
                ruling,
            });
        }
        roll.warm_up(&returned, config, now);
        // Forgiveness is no ruling, and shows all the same.
        if is_changed || ejections(&roll.members) != before {
            events.push(Event::Publish(When::Soon));
        }
        if is_changed {
            events.extend(self.none_is_up(pool));
        }
        events
    }

    /// Notes whose drain is done.
    pub fn watch_drains(&mut self, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        for (pool, roll) in &mut self.pools {
            for member in &mut roll.members {
                let mut admin = member.health.admin();
                let settled = now.saturating_duration_since(member.since) >= DRAIN_SETTLES;
                if settled && admin.observe(member.backend.in_flight(), now) {
                    member.health.set_admin(admin, member.probed);
                    let backend = Identity::new(pool, member.backend.url());
                    events.push(Event::Drained { backend });
                }
            }
        }
        if !events.is_empty() {
            events.push(Event::Publish(When::Soon));
        }
        events
    }
}
