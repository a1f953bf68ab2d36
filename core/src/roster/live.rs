//! Live changes: a person's wish becomes part of a member, and a member with one is treated as if the file said so. What
//! a wish means beside the file is in [`live`](crate::live).

use std::{collections::BTreeSet, time::Duration, time::Instant};

use super::{
    Event, Roster, When,
    judging::DRAIN_SETTLES,
    seat::{backends_of, change_member},
};
use crate::{
    live::{UnknownTarget, Wish, find},
    pool::{Identity, Member},
};

/// What a person wants of a backend.
#[derive(Debug, Clone, Copy)]
pub struct LiveChange {
    /// What to change.
    pub wish: Wish,
    /// For how long; `None`: until it is taken back.
    pub lasts: Option<Duration>,
}

impl Roster {
    /// The members that a person means by a URL, in this pool or in all.
    ///
    /// # Errors
    /// [`UnknownTarget`] when there is none.
    pub fn find(&self, url: &str, pool: Option<&str>) -> Result<Vec<Identity>, UnknownTarget> {
        let all: Vec<Identity> = self.identities().collect();
        find(url, pool, &all)
    }

    /// Changes these members. Those that are none are passed over.
    pub fn change(&mut self, targets: &[Identity], change: LiveChange, now: Instant) -> Vec<Event> {
        let until = change.lasts.and_then(|lasts| now.checked_add(lasts));
        let wish = |member: &mut Member| {
            let before = member.live;
            member.live.wish(change.wish, now, until);
            member.live != before
        };
        let changed = self.members_where(targets, wish);
        let mut events = self.settle(&changed, now);
        for target in targets {
            events.extend(self.member(target).map(|member| Event::Changed {
                backend: target.clone(),
                wish: change.wish,
                live: member.live,
                lasts: change.lasts,
                in_flight: member.backend.in_flight(),
            }));
        }
        if !changed.is_empty() {
            events.push(Event::WatchDrains { after: DRAIN_SETTLES });
        }
        events
    }

    /// Ends what has come to its end.
    pub(super) fn expire_live(&mut self, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        let mut over = BTreeSet::new();
        for (pool, roll) in &mut self.pools {
            for member in &mut roll.members {
                let expired = member.live.expire(now);
                if expired.is_empty() {
                    continue;
                }
                let backend = Identity::new(pool, member.backend.url());
                over.insert(backend.clone());
                events.push(Event::Expired {
                    backend,
                    expired,
                    live: member.live,
                });
            }
        }
        events.extend(self.settle(&over, now));
        events
    }

    /// Those of these members for which `change` says so.
    fn members_where(
        &mut self,
        targets: &[Identity],
        mut change: impl FnMut(&mut Member) -> bool,
    ) -> BTreeSet<Identity> {
        let mut changed = BTreeSet::new();
        for target in targets {
            let roll = self.pools.get_mut(&target.pool);
            let mut members = roll.into_iter().flat_map(|roll| &mut roll.members);
            let member = members.find(|member| *member.backend.url() == target.url);
            if member.is_some_and(&mut change) {
                changed.insert(target.clone());
            }
        }
        changed
    }

    /// Puts in force what the live changes of these members say.
    fn settle(&mut self, changed: &BTreeSet<Identity>, now: Instant) -> Vec<Event> {
        if changed.is_empty() {
            return Vec::new();
        }
        for (name, roll) in &mut self.pools {
            let Some(pool) = self.config.pools.get(name) else {
                continue;
            };
            let mut serve_again = Vec::new();
            let members = roll.members.iter_mut().zip(backends_of(pool)).enumerate();
            for (index, (member, seat)) in members {
                if !changed.contains(&Identity::new(name, member.backend.url())) {
                    continue;
                }
                if change_member(member, seat, now) {
                    serve_again.push(index);
                }
            }
            roll.warm_up(&serve_again, pool, now);
        }
        let mut events = self.stop_checkers();
        events.push(Event::Publish(When::Now));
        events.extend(self.start_checkers());
        events
    }
}
