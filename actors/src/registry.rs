//! The BackendRegistry: the only writer of pool state.
//!
//! It applies configurations, judges probe results and publishes a snapshot after each change. What it works on is
//! the same data that it publishes, so a registry that ended unexpectedly is rebuilt from the last snapshot: backends
//! keep their health and their counters, and requests notice nothing.

mod handlers;

use std::{
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, Addr, AsyncContext, Context};
use lb_core::{
    config::{BackendConfig, BackendUrl, Config, ReloadPlan},
    health::{Health, Thresholds},
    pool::{Member, ProbeRecord, Snapshot},
    status::HealthStatus,
};
use log::{info, warn};

pub(crate) use handlers::Shutdown;

use crate::{
    RegistryHandle,
    guard::EndGuard,
    health_checker::HealthChecker,
    messages::*,
    probe::{Prober, literal_address},
};

/// Between two snapshots because of probes.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

type Identity = (Arc<str>, BackendUrl);

/// Owns pool state and selection.
pub struct BackendRegistry {
    handle: RegistryHandle,
    prober: Rc<dyn Prober>,
    config: Arc<Config>,
    generation: u64,
    members: HashMap<Identity, Member>,
    identities: HashMap<u64, Identity>,
    checkers: HashMap<u64, Addr<HealthChecker>>,
    /// Removed by a reload, and serving on while nothing of their pool that stays is known to be up.
    retiring: Vec<(Arc<str>, Member)>,
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
            let backends = pool.backends.iter();
            backends
                .map(|backend| new_member(&handle, backend, Health::at_start(), now))
                .collect()
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
            config: Arc::clone(snapshot.config()),
            generation: snapshot.generation(),
            handle,
            prober,
            members,
            identities,
            checkers: HashMap::new(),
            retiring: Vec::new(),
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
        let now = Instant::now();
        let mut members = HashMap::new();
        let mut restart = Vec::new();
        for (name, pool) in &config.pools {
            let checks_changed = self
                .config
                .pools
                .get(name)
                .is_none_or(|running| running.health_check != pool.health_check);
            for backend in &pool.backends {
                let identity = (Arc::clone(name), backend.url.clone());
                let known = self
                    .members
                    .remove(&identity)
                    .or_else(|| self.unretire(&identity));
                let member = match known {
                    None => new_member(&self.handle, backend, Health::added(), now),
                    Some(mut member) => {
                        if checks_changed || member.probed != backend.probed {
                            restart.push(member.backend.id());
                        }
                        if !backend.probed {
                            member.health = Health::unprobed();
                        } else if !member.probed {
                            member.health = Health::at_start();
                        }
                        member.probed = backend.probed;
                        member.weight = backend.weight;
                        member.priority = backend.priority;
                        member.max_connections = backend.max_connections;
                        member
                    }
                };
                members.insert(identity, member);
            }
        }
        let removed = std::mem::replace(&mut self.members, members);
        let mut ended = restart;
        for ((pool, _), member) in removed {
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
        self.config = config;
        self.generation += 1;
        self.publish();
        self.start_checkers(ctx);
        for line in plan.lines() {
            info!("generation {}: {line}", self.generation);
        }
        stopping
    }

    #[cfg(test)]
    pub(crate) fn any_checker(&self) -> Option<&Addr<HealthChecker>> {
        self.checkers.values().next()
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
            let Some(pool) = self.config.pools.get(pool) else {
                continue;
            };
            let registry = ctx.address();
            let guard = EndGuard::new(move || registry.do_send(CheckerEnded { backend: id }));
            let settings = member.probed.then(|| pool.health_check.clone());
            let backend = Arc::clone(&member.backend);
            let checker =
                HealthChecker::new(backend, settings, ctx.address(), Rc::clone(&self.prober), guard);
            self.checkers.insert(id, checker.start());
        }
    }

    fn observe(&mut self, message: ProbeFinished, ctx: &mut Context<Self>) -> NextProbe {
        let Some(identity) = self.identities.get(&message.backend) else {
            return NextProbe::Never;
        };
        let Some(member) = self.members.get_mut(identity) else {
            return NextProbe::Never;
        };
        let Some(pool) = self.config.pools.get(&identity.0) else {
            return NextProbe::Never;
        };
        let ProbeReport {
            ok,
            detail,
            took,
            addresses,
            ours,
        } = message.report;
        if ours {
            warn!(
                "cannot probe {}: {detail}; its health stays as it was",
                identity.1
            );
            return NextProbe::Soon;
        }
        let now = Instant::now();
        if !addresses.is_empty() {
            member.backend.set_addresses(&addresses);
        }
        let first = !member.health.is_decided();
        let thresholds = Thresholds {
            rise: pool.health_check.rise,
            fall: pool.health_check.fall,
        };
        let transition = member.health.observe(ok, thresholds);
        if transition.is_some() {
            member.since = now;
        }
        match transition.map(|transition| transition.to) {
            Some(HealthStatus::Up) => info!("backend {} is up: {detail}", identity.1),
            Some(_) => warn!("backend {} is down: {detail}", identity.1),
            None => {}
        }
        member.backend.set_last_probe(ProbeRecord {
            ok,
            detail,
            took,
            at: now,
        });
        let changing = member.health.is_changing();
        let pool = Arc::clone(&identity.0);
        if transition.is_some() {
            let identity = identity.clone();
            self.warm_up(&identity, now);
        }
        if first || transition.is_some() {
            self.publish_soon(ctx);
        }
        if first && !self.retiring.is_empty() {
            // Lost only if the checker is gone, which is what is asked for.
            self.retire(false)
                .iter()
                .for_each(|checker| checker.do_send(StopChecker));
        }
        if transition.is_some() {
            self.warn_if_none_is_up(&pool);
        }
        if changing {
            NextProbe::Soon
        } else {
            NextProbe::Usual
        }
    }

    fn warn_if_none_is_up(&self, pool: &Arc<str>) {
        let mut members = self.members.iter().filter(|((name, _), _)| name == pool);
        if members.all(|(_, member)| !member.health.is_up()) {
            warn!("no backend of pool {pool} is up: requests are tried at all of them");
        }
    }
}

fn new_member(handle: &RegistryHandle, config: &BackendConfig, health: Health, now: Instant) -> Member {
    let backend = handle.new_backend(config.url.clone());
    if let Some(address) = literal_address(&config.url) {
        backend.set_addresses(&[address]);
    }
    let health = if config.probed { health } else { Health::unprobed() };
    Member {
        backend,
        weight: config.weight,
        priority: config.priority,
        max_connections: config.max_connections,
        warming_since: None,
        health,
        since: now,
        probed: config.probed,
    }
}

/// When the last snapshot was published, and how long it took to build.
#[derive(Default)]
struct Publishing {
    scheduled: bool,
    last: Option<(Instant, Duration)>,
}

impl Publishing {
    /// How long to wait for the next one: building snapshots may take a fifth of the time at most.
    fn wait(&self) -> Duration {
        let Some((at, took)) = self.last else {
            return Duration::ZERO;
        };
        (took * 4).max(SHORTEST_PAUSE).saturating_sub(at.elapsed())
    }
}

impl Actor for BackendRegistry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.start_checkers(ctx);
    }
}
