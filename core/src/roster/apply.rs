//! A reload: what its plan says becomes the configuration, and members are seated by it.

use std::{
    collections::BTreeMap,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Event, Roll, Roster, When,
    seat::{Seat, backends_of, change_member, new_member},
};
use crate::{
    config::{Config, PoolConfig, ReloadPlan},
    health::Health,
    live::Live,
    pool::{Backend, Identity, Member},
};

impl Roster {
    /// Carries a plan out. What it says is all that changes: the new file is the plan applied to the one in force. Backends that
    /// were added or removed live lie over it as they did before.
    pub fn apply(&mut self, plan: &ReloadPlan, now: Instant) -> Vec<Event> {
        let file = Arc::new(plan.apply(self.live_members.file()));
        self.live_members = Arc::new(self.live_members.rewritten(file));
        self.generation += 1;
        let config = self.live_members.over();
        let mut known = mem::take(&mut self.pools);
        for (name, pool) in &config.pools {
            let roll = known.remove(name).unwrap_or_default();
            self.seat_pool(name, pool, roll, now);
        }
        for (pool, roll) in known {
            let all = roll.members.iter().chain(&roll.retiring);
            all.for_each(|member| self.remove(&pool, member));
        }
        self.in_force(config)
    }

    /// Lets all retiring backends go: the reload that removed them has heard of those it added.
    pub fn retire_removed(&mut self) -> Vec<Event> {
        self.retire_where(|_| true)
    }

    /// Lets retiring backends go whose pool can do without them.
    pub(super) fn retire_where(&mut self, may_go: impl Fn(&Roll) -> bool) -> Vec<Event> {
        let mut retired = Vec::new();
        for (pool, roll) in &mut self.pools {
            if !roll.retiring.is_empty() && may_go(roll) {
                retired.push((Arc::clone(pool), mem::take(&mut roll.retiring)));
            }
        }
        for (pool, members) in &retired {
            members.iter().for_each(|member| self.remove(pool, member));
        }
        let publish = (!retired.is_empty()).then_some(Event::Publish(When::Now));
        publish.into_iter().collect()
    }

    pub(super) fn in_force(&mut self, config: Arc<Config>) -> Vec<Event> {
        self.config = config;
        self.note_places();
        self.just_judged.retain(|pool| self.pools.contains_key(pool));
        self.removed
            .retain(|_, backend| backend.upgrade().is_some_and(|backend| backend.in_flight() > 0));
        let mut events = self.stop_checkers();
        events.push(Event::Publish(When::Now));
        events.extend(self.start_checkers());
        events
    }

    /// Gives each backend of a pool its seat, and takes leave of those that have none any more.
    pub(super) fn seat_pool(&mut self, name: &Arc<str>, pool: &PoolConfig, roll: Roll, now: Instant) {
        let all = roll.retiring.into_iter().chain(roll.members);
        let mut known: BTreeMap<_, _> = all.map(|member| (member.backend.url().clone(), member)).collect();
        let mut serve_again = Vec::new();
        let mut seat = |(index, seat): (usize, Seat<'_>)| {
            let (member, serves_again) = match known.remove(&seat.config.url) {
                Some(mut member) => {
                    let serves_again = change_member(&mut member, seat, now);
                    (member, serves_again)
                }
                None => self.arrive(name, seat, now),
            };
            serve_again.extend(serves_again.then_some(index));
            member
        };
        let members = backends_of(pool).enumerate().map(&mut seat).collect();
        let mut roll = Roll {
            members,
            retiring: Vec::new(),
            judge: roll.judge,
            usual: roll.usual,
        };
        roll.warm_up(&serve_again, pool, now);
        let is_any_up = roll.is_any_up();
        for mut member in known.into_values() {
            member.live = Live::default();
            if member.health.is_up() && !is_any_up {
                roll.retiring.push(member);
            } else {
                self.remove(name, &member);
            }
        }
        self.pools.insert(Arc::clone(name), roll);
    }

    /// A backend that was no member until now, and whether it serves at once: one that is not probed does.
    fn arrive(&mut self, pool: &Arc<str>, seat: Seat<'_>, now: Instant) -> (Member, bool) {
        let identity = Identity::new(pool, &seat.config.url);
        let held = self.still_held(&identity);
        let backend = held.unwrap_or_else(|| self.factory.create(&seat.config.url));
        let member = Member {
            // It takes part in what comes up from now on, and not in what came up before it was there.
            warming_since: now.checked_sub(Duration::from_nanos(1)),
            ..new_member(backend, seat, Health::added(), now)
        };
        let serves = member.health.is_up();
        (member, serves)
    }

    /// A backend that was removed and still holds requests, which count when it is there again: for its limit, and for a
    /// drain.
    fn still_held(&mut self, identity: &Identity) -> Option<Arc<Backend>> {
        let backend = self.removed.remove(identity)?.upgrade()?;
        backend.forget_failures();
        (backend.in_flight() > 0).then_some(backend)
    }

    pub(super) fn remove(&mut self, pool: &Arc<str>, member: &Member) {
        let identity = Identity::new(pool, member.backend.url());
        self.removed.insert(identity, Arc::downgrade(&member.backend));
    }
}
