//! The BackendRegistry: the only writer of pool state.
//!
//! It applies configurations, judges probe results and publishes a snapshot after each change. What it works on is
//! the same data that it publishes, so a registry that ended unexpectedly is rebuilt from the last snapshot: backends
//! keep their health and their counters, and requests notice nothing.

mod handlers;
mod judging;
mod live;
mod members;

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use actix::{Actor, Addr, AsyncContext, Context};
use lb_core::{
    config::{BackendConfig, Config, ReloadPlan},
    health::Health,
    live::Live,
    pool::{Backend, Member, Snapshot},
};
use log::info;

pub(crate) use handlers::Shutdown;

use self::{
    judging::Judges,
    members::{Checks, Identity, change_member, checks, new_member},
};
use crate::{
    RegistryHandle,
    gate::Gate,
    guard::EndGuard,
    health_checker::HealthChecker,
    messages::*,
    probe::{Prober, literal_address},
};

/// Between two snapshots because of probes.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// The same, however long building took: on a busy machine that is mostly waiting, and what was judged must be in force
/// soon.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Owns pool state and selection.
pub struct BackendRegistry {
    handle: RegistryHandle,
    prober: Rc<dyn Prober>,
    config: Arc<Config>,
    generation: u64,
    members: HashMap<Identity, Member>,
    identities: HashMap<u64, Identity>,
    checkers: HashMap<u64, Addr<HealthChecker>>,
    /// How each backend is probed, of those that are.
    checks: Checks,
    gate: Rc<Gate>,
    judges: Judges,
    /// Pools that were judged a moment ago because a request asked for it.
    judged: HashSet<Arc<str>>,
    /// Removed by a reload, and serving on while nothing of their pool that stays is known to be up.
    retiring: Vec<(Arc<str>, Member)>,
    /// Removed, and held on to by requests: if they are added again, they are the same.
    removed: HashMap<Identity, Weak<Backend>>,
    publishing: Publishing,
    guard: EndGuard,
}

impl BackendRegistry {
    /// The first snapshot: every backend of `config` is there and up, and nothing is known of it.
    pub fn first_snapshot(config: Config, workers: usize) -> RegistryHandle {
        let config = Arc::new(config);
        let empty = Snapshot::build(0, Arc::clone(&config), |_| Vec::new(), None);
        let handle = RegistryHandle::new(empty, workers);
        let now = Instant::now();
        let members = |pool: &str| -> Vec<Member> {
            let Some(pool) = config.pools.get(pool) else {
                return Vec::new();
            };
            let new = |config: &BackendConfig| {
                let backend = handle.new_backend(config.url.clone());
                new_member(backend, (pool, config), Health::at_start(), now)
            };
            pool.backends.iter().map(new).collect()
        };
        handle.publish(Snapshot::build(1, Arc::clone(&config), members, None));
        handle
    }

    /// A registry that goes on from the published snapshot. `on_end` is called when it ends unasked.
    pub(crate) fn resume(
        handle: RegistryHandle,
        prober: Rc<dyn Prober>,
        on_end: impl FnOnce() + 'static,
    ) -> Self {
        let snapshot = handle.snapshot_full();
        let mut members = HashMap::new();
        for pool in snapshot.pools() {
            for member in pool.members() {
                members.insert(
                    (Arc::clone(pool.name()), member.backend.url().clone()),
                    member.clone(),
                );
            }
        }
        let identities = members
            .iter()
            .map(|(id, member)| (member.backend.id(), id.clone()))
            .collect();
        Self {
            checks: checks(snapshot.config(), &members),
            config: Arc::clone(snapshot.config()),
            generation: snapshot.generation(),
            handle,
            prober,
            members,
            identities,
            checkers: HashMap::new(),
            gate: Rc::default(),
            judges: Judges::new(),
            judged: HashSet::new(),
            retiring: Vec::new(),
            removed: HashMap::new(),
            publishing: Publishing::default(),
            guard: EndGuard::new(on_end),
        }
    }

    /// Takes the new configuration over; returns the checkers that have to end before it is in force.
    fn apply(
        &mut self,
        config: Arc<Config>,
        plan: &ReloadPlan,
        ctx: &Context<Self>,
    ) -> Vec<Addr<HealthChecker>> {
        // Tests can stop tokio's clock.
        let now = tokio::time::Instant::now().into_std();
        let mut members = HashMap::new();
        let (mut restart, mut returned) = (Vec::new(), Vec::new());
        let checks = checks(&config, &self.members);
        for (name, pool) in &config.pools {
            for backend in &pool.backends {
                let identity = (Arc::clone(name), backend.url.clone());
                let known = self
                    .members
                    .remove(&identity)
                    .or_else(|| self.unretire(&identity));
                let member = match known {
                    None => {
                        let held = self.still_held(&identity);
                        let held = held.unwrap_or_else(|| self.handle.new_backend(backend.url.clone()));
                        let member = new_member(held, (pool, backend), Health::added(), now);
                        // One that is not probed serves at once.
                        if member.health.is_up() {
                            returned.push(identity.clone());
                        }
                        member
                    }
                    Some(mut member) => {
                        if self.checks.get(&identity) != checks.get(&identity) {
                            restart.push(member.backend.id());
                        }
                        if change_member(&mut member, (pool, backend), now) {
                            returned.push(identity.clone());
                        }
                        member
                    }
                };
                members.insert(identity, member);
            }
        }
        let removed = std::mem::replace(&mut self.members, members);
        returned.iter().for_each(|identity| self.warm_up(identity, now));
        let mut ended = restart;
        self.removed
            .retain(|_, backend| backend.upgrade().is_some_and(|backend| backend.in_flight() > 0));
        for (identity, mut member) in removed {
            member.live = Live::default();
            let held = Arc::downgrade(&member.backend);
            let pool = Arc::clone(&identity.0);
            self.removed.insert(identity, held);
            if config.pools.contains_key(&pool) && member.health.is_up() && !self.any_up(&pool) {
                self.retiring.push((pool, member));
            } else {
                ended.push(member.backend.id());
            }
        }
        let stopping = ended
            .into_iter()
            .filter_map(|id| self.checkers.remove(&id))
            .collect();
        self.identities = self
            .members
            .iter()
            .map(|(id, member)| (member.backend.id(), id.clone()))
            .collect();
        self.judges.retain(|pool, _| config.pools.contains_key(pool));
        self.checks = checks;
        self.config = config;
        self.generation += 1;
        self.put_in_force(ctx);
        for line in plan.lines() {
            info!("generation {}: {line}", self.generation);
        }
        stopping
    }

    #[cfg(test)]
    pub(crate) fn any_checker(&self) -> Option<&Addr<HealthChecker>> {
        self.checkers.values().next()
    }

    /// Publishes, and starts the checkers that are missing then.
    fn put_in_force(&mut self, ctx: &Context<Self>) {
        self.publish();
        self.start_checkers(ctx);
    }

    fn publish(&mut self) {
        let begun = Instant::now();
        let members = |pool: &str| -> Vec<Member> {
            let Some((name, pool)) = self.config.pools.get_key_value(pool) else {
                return Vec::new();
            };
            let identities = pool
                .backends
                .iter()
                .map(|backend| (Arc::clone(name), backend.url.clone()));
            identities
                .filter_map(|identity| self.members.get(&identity).cloned())
                .chain(self.retiring_of(name))
                .collect()
        };
        let previous = self.handle.snapshot_full();
        self.handle.publish(Snapshot::build(
            self.generation,
            Arc::clone(&self.config),
            members,
            Some(&previous),
        ));
        self.publishing = Publishing {
            scheduled: false,
            last: Some((Instant::now(), begun.elapsed())),
        };
    }

    /// A backend that was removed and still holds requests, which count when it is there again: for its limit, and for whoever
    /// waits until it is drained.
    fn still_held(&mut self, identity: &Identity) -> Option<Arc<Backend>> {
        let backend = self.removed.remove(identity)?.upgrade()?;
        backend.forget_failures();
        (backend.in_flight() > 0).then_some(backend)
    }

    /// A backend that was removed a moment ago and is there again.
    fn unretire(&mut self, (pool, url): &Identity) -> Option<Member> {
        let found = |(name, member): &(Arc<str>, Member)| name == pool && member.backend.url() == url;
        let index = self.retiring.iter().position(found)?;
        Some(self.retiring.swap_remove(index).1)
    }

    /// Begins the slow start of a backend that has just come up beside others that serve.
    fn warm_up(&mut self, identity: &Identity, now: Instant) {
        let is_other = |other: &Identity| other.0 == identity.0 && other.1 != identity.1;
        let mut others = self.members.iter().filter(|(other, _)| is_other(other));
        let others_serve = others.any(|(_, member)| member.health.is_up());
        if let Some(member) = self.members.get_mut(identity) {
            member.warming_since = (others_serve && member.health.is_up()).then_some(now);
        }
    }

    fn any_up(&self, pool: &Arc<str>) -> bool {
        self.members
            .iter()
            .any(|((name, _), member)| name == pool && member.health.is_up())
    }

    fn retiring_of(&self, pool: &Arc<str>) -> impl Iterator<Item = Member> {
        self.retiring
            .iter()
            .filter(move |(name, _)| name == pool)
            .map(|(_, member)| member.clone())
    }

    /// Lets go of removed backends whose pool can do without them, or of all; returns their checkers.
    fn retire(&mut self, all: bool) -> Vec<Addr<HealthChecker>> {
        let retiring = std::mem::take(&mut self.retiring);
        let (go, stay): (Vec<_>, Vec<_>) = retiring
            .into_iter()
            .partition(|(pool, _)| all || self.any_up(pool));
        self.retiring = stay;
        if !go.is_empty() {
            self.publish();
        }
        go.iter()
            .filter_map(|(_, member)| self.checkers.remove(&member.backend.id()))
            .collect()
    }

    /// Publishes now, or a moment later if the last publication was a moment ago: thousands of backends must not make
    /// thousands of snapshots.
    fn publish_soon(&mut self, ctx: &mut Context<Self>) {
        match self.publishing.wait() {
            _ if self.publishing.scheduled => {}
            Duration::ZERO => self.publish(),
            wait => {
                self.publishing.scheduled = true;
                ctx.run_later(wait, |this, _| this.publish());
            }
        }
    }

    /// Starts a checker for each backend that needs one and has none.
    fn start_checkers(&mut self, ctx: &Context<Self>) {
        for ((pool, url), member) in &self.members {
            let id = member.backend.id();
            let nothing_to_do = !member.probed && literal_address(url).is_some();
            if nothing_to_do || self.checkers.contains_key(&id) {
                continue;
            }
            let registry = ctx.address();
            let guard = EndGuard::new(move || registry.do_send(CheckerEnded { backend: id }));
            let settings = self.checks.get(&(Arc::clone(pool), url.clone()));
            let checker = HealthChecker::new(
                Arc::clone(&member.backend),
                settings.cloned(),
                (Rc::clone(&self.prober), Rc::clone(&self.gate)),
                (ctx.address(), guard),
            );
            self.checkers.insert(id, checker.start());
        }
    }
}

/// When the last snapshot was published, and how long it took to build.
#[derive(Default)]
struct Publishing {
    scheduled: bool,
    last: Option<(Instant, Duration)>,
}

impl Publishing {
    /// How long to wait for the next one: building snapshots takes a fifth of the time, unless one takes very long.
    fn wait(&self) -> Duration {
        let Some((at, took)) = self.last else {
            return Duration::ZERO;
        };
        (took * 4)
            .clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
            .saturating_sub(at.elapsed())
    }
}

impl Actor for BackendRegistry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.start_checkers(ctx);
        self.start_ticking(ctx);
    }
}
