//! What is known of every backend, and what follows from each new fact: the decisions of the registry, as plain data.
//!
//! Facts go in (a [reload plan](Roster::apply), a [probe's result](Roster::probed), [what requests met](Roster::judge), a
//! [person's wish](Roster::change)), [`Event`]s come out. Whoever holds a roster carries them out: the registry publishes,
//! logs, and starts and stops health checkers; the simulation builds its pool anew and keeps a diary. There is no clock
//! here and no I/O, and events come in the same order each time, so that what the balancer decides can be tested and
//! repeated without either.
//!
//! A backend is in one of four places:
//!
//! - a *member* of a pool, as the configuration has it, in the order of the file;
//! - *retiring*: removed by a reload, and serving on while no member of its pool is known to be up;
//! - *removed*, with requests in flight: it is remembered for as long as they last, because if it is added again before, it
//!   is the same backend, and they count for its limit and its drain;
//! - forgotten.

mod apply;
mod checkers;
mod event;
mod factory;
mod judging;
mod live;
mod members;
mod probes;
mod seat;
mod usual;
mod warming;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Weak},
    time::Instant,
};

pub use self::{
    event::{Event, When},
    factory::BackendFactory,
    live::LiveChange,
    members::{MemberChange, MemberRefusal, MemberWish, MembersChanged},
    probes::{NextProbe, ProbeReport, ProbeVerdict, Probed},
};

use self::{seat::new_member, usual::UsualTime};
use crate::{
    config::{Config, HealthCheck},
    health::{Health, Judge},
    live::LiveMembers,
    pool::{Backend, Identity, Member, Snapshot},
    status::LiveBackend,
};

/// See the module.
#[derive(Debug)]
pub struct Roster {
    factory: Arc<BackendFactory>,
    /// What serves: the file with the backends over it that were added and removed live.
    config: Arc<Config>,
    live_members: Arc<LiveMembers>,
    generation: u64,
    /// What is known of each pool of the configuration.
    pools: BTreeMap<Arc<str>, Roll>,
    /// Where each member is, by its backend's number.
    places: HashMap<u64, Place>,
    /// Removed, and held by requests.
    removed: HashMap<Identity, Weak<Backend>>,
    /// The members that have a checker, and how it probes.
    checkers: BTreeMap<u64, Option<Arc<HealthCheck>>>,
    /// Pools that were judged a moment ago because a request asked for it.
    just_judged: HashSet<Arc<str>>,
}

/// The backends of one pool.
#[derive(Debug, Default)]
struct Roll {
    /// In the order of the configuration, which has the same at the same index.
    members: Vec<Member>,
    retiring: Vec<Member>,
    judge: Judge,
    usual: UsualTime,
}

/// Where a member is.
#[derive(Debug, Clone)]
struct Place {
    pool: Arc<str>,
    index: usize,
}

impl Roll {
    fn is_any_up(&self) -> bool {
        self.members.iter().any(|member| member.health.is_up())
    }
}

impl Roster {
    /// The roster of a balancer that starts: every backend is there and up until its first probe, and nothing else is
    /// known of it.
    pub fn new(config: Arc<Config>, factory: Arc<BackendFactory>, now: Instant) -> Self {
        let roll = |(name, pool): (&Arc<str>, &_)| {
            let members = seat::backends_of(pool).map(|seat| {
                let backend = factory.create(&seat.config.url);
                new_member(backend, seat, Health::at_start(), now)
            });
            let members = members.collect();
            (
                Arc::clone(name),
                Roll {
                    members,
                    ..Roll::default()
                },
            )
        };
        let pools = config.pools.iter().map(roll).collect();
        Self::of(1, config, factory, pools)
    }

    /// The roster that a snapshot was made from, as far as it shows: what only a roster knows begins anew (judges, and
    /// backends that had been removed).
    pub fn resume(snapshot: &Snapshot, factory: Arc<BackendFactory>) -> Self {
        let config = Arc::clone(snapshot.config());
        let roll = |name: &Arc<str>| {
            let pool = snapshot.pool(name)?;
            // Members come first; those that are retiring follow them.
            let count = config.pools.get(name)?.backends.len().min(pool.members().len());
            let (members, retiring) = pool.members().split_at(count);
            let roll = Roll {
                members: members.to_vec(),
                retiring: retiring.to_vec(),
                ..Roll::default()
            };
            Some((Arc::clone(name), roll))
        };
        let pools = config.pools.keys().filter_map(roll).collect();
        Self {
            live_members: Arc::clone(snapshot.live_members()),
            ..Self::of(snapshot.generation(), config, factory, pools)
        }
    }

    fn of(
        generation: u64,
        config: Arc<Config>,
        factory: Arc<BackendFactory>,
        pools: BTreeMap<Arc<str>, Roll>,
    ) -> Self {
        let mut this = Self {
            factory,
            live_members: Arc::new(LiveMembers::of(Arc::clone(&config))),
            config,
            generation,
            pools,
            places: HashMap::new(),
            removed: HashMap::new(),
            checkers: BTreeMap::new(),
            just_judged: HashSet::new(),
        };
        this.note_places();
        this
    }

    /// The configuration in force: the file's, with the backends over it that were added and removed live.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// What the file says, which plans speak of.
    pub fn file(&self) -> &Arc<Config> {
        self.live_members.file()
    }

    /// Whether the file has a backend.
    pub fn is_in_file(&self, identity: &Identity) -> bool {
        self.live_members.is_in_file(identity)
    }

    /// How many configurations have been applied so far.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What the request path reads. `previous` is the last one that was made.
    pub fn snapshot(&self, previous: Option<&Snapshot>) -> Snapshot {
        let members = |pool: &str| -> Vec<Member> {
            let roll = self.pools.get(pool);
            let all = roll.map(|roll| roll.members.iter().chain(&roll.retiring));
            all.into_iter().flatten().cloned().collect()
        };
        Snapshot::build(self.generation, Arc::clone(&self.config), members, previous)
            .with_live_members(Arc::clone(&self.live_members))
    }

    /// The members of a pool, in the order of the file.
    pub fn members(&self, pool: &str) -> &[Member] {
        self.pools.get(pool).map_or(&[], |roll| &roll.members)
    }

    /// A member by its identity.
    pub fn member(&self, identity: &Identity) -> Option<&Member> {
        let members = self.members(&identity.pool).iter();
        members
            .into_iter()
            .find(|member| *member.backend.url() == identity.url)
    }

    /// A member by its backend's number.
    pub fn member_of(&self, backend: u64) -> Option<&Member> {
        let place = self.places.get(&backend)?;
        self.pools.get(&place.pool)?.members.get(place.index)
    }

    /// A member as the status report shows it, in its pool.
    pub fn status_of(&self, identity: &Identity, now: Instant) -> Option<LiveBackend> {
        let mut backend = self.member(identity)?.status(now);
        backend.live.extend(self.live_members.status_of(identity, now));
        let pool = identity.pool.to_string();
        Some(LiveBackend { pool, backend })
    }

    /// Every member's identity, pool by pool in the order of the file.
    pub fn identities(&self) -> impl Iterator<Item = Identity> {
        let of_pool = |(name, roll)| identities(name, roll);
        self.pools.iter().flat_map(of_pool)
    }

    fn note_places(&mut self) {
        self.places = self
            .pools
            .iter()
            .flat_map(|(pool, roll)| {
                let place = |index| Place {
                    pool: Arc::clone(pool),
                    index,
                };
                let numbered = roll.members.iter().enumerate();
                numbered.map(move |(index, member)| (member.backend.id(), place(index)))
            })
            .collect();
    }

    fn none_is_up(&self, pool: &Arc<str>) -> Option<Event> {
        let is_any_up = self.pools.get(pool)?.is_any_up();
        let all_down = self.config.pools.get(pool)?.all_down;
        (!is_any_up).then(|| Event::NoneIsUp {
            pool: Arc::clone(pool),
            all_down,
        })
    }
}

fn identities<'a>(pool: &'a Arc<str>, roll: &'a Roll) -> impl Iterator<Item = Identity> + 'a {
    let members = roll.members.iter();
    members.map(|member| Identity::new(pool, member.backend.url()))
}
