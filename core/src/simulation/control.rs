//! The part that the registry and its health checkers have in the real balancer: probes go out on schedule, their results
//! go to [`Health`], and a change makes a new [`Pool`].

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Nanos, Scenario,
    report::{Event, Happening, Report},
};
use crate::{
    config::{PoolConfig, StrategyConfig},
    health::{Health, Thresholds},
    pool::{Backend, Member, Pool, PoolState},
};

pub(super) struct Control {
    base: Instant,
    name: Arc<str>,
    config: Arc<PoolConfig>,
    members: Vec<Member>,
    state: Arc<PoolState>,
    pool: Pool,
    /// Whether something changed since the pool was built.
    changed: bool,
    events: Vec<Event>,
}

impl Control {
    /// Every backend is there and up, as at the start of a balancer.
    pub(super) fn new(scenario: &Scenario, strategy: StrategyConfig, base: Instant) -> Self {
        let config = Arc::new(PoolConfig {
            strategy,
            ..scenario.pool.clone()
        });
        let members: Vec<Member> = (1..)
            .zip(&config.backends)
            .map(|(id, backend)| Member {
                backend: Arc::new(Backend::new(id, backend.url.clone(), 1)),
                weight: backend.weight,
                priority: backend.priority,
                max_connections: backend.max_connections,
                warming_since: None,
                health: if backend.probed {
                    Health::at_start()
                } else {
                    Health::unprobed()
                },
                since: base,
                probed: backend.probed,
                live: Default::default(),
            })
            .collect();
        let state = Arc::<PoolState>::default();
        let name = Arc::clone(&scenario.name);
        Self {
            pool: Pool::new(
                Arc::clone(&name),
                Arc::clone(&config),
                members.clone(),
                Arc::clone(&state),
            ),
            base,
            name,
            config,
            members,
            state,
            changed: false,
            events: Vec::new(),
        }
    }

    /// What the balancer's clock shows.
    pub(super) fn clock(&self, now: Nanos) -> Instant {
        self.base + Duration::from_nanos(now)
    }

    /// The newest pool. Changes at one moment make one pool, however many there are.
    pub(super) fn pool(&mut self) -> &Pool {
        if self.changed {
            self.changed = false;
            self.pool = Pool::new(
                Arc::clone(&self.name),
                Arc::clone(&self.config),
                self.members.clone(),
                Arc::clone(&self.state),
            );
        }
        &self.pool
    }

    /// The place of a backend in the file.
    pub(super) fn index_of(&self, backend: &Backend) -> usize {
        backend.id() as usize - 1
    }

    /// All backends, in the order of the file.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Takes the result of a probe; returns when to ask again. `luck`, from 0 to 1, becomes the jitter.
    pub(super) fn probed(&mut self, now: Nanos, index: usize, ok: bool, luck: f64) -> Duration {
        let check = &self.config.health_check;
        let thresholds = Thresholds {
            rise: check.rise,
            fall: check.fall,
        };
        let clock = self.clock(now);
        let member = &mut self.members[index];
        if let Some(transition) = member.health.observe(ok, thresholds) {
            member.since = clock;
            self.changed = true;
            self.warm_up(index, clock);
            let to = transition.to;
            self.note(now, index, Happening::Health { to });
        }
        let check = &self.config.health_check;
        let pause = if self.members[index].health.is_changing() {
            check.fast_interval
        } else {
            check.interval
        };
        pause.mul_f64(1.0 + check.jitter.as_fraction() * (2.0 * luck - 1.0))
    }

    /// Begins the slow start of a backend that has just come up beside others that serve.
    fn warm_up(&mut self, index: usize, now: Instant) {
        let serves = |(other, member): (usize, &Member)| other != index && member.health.is_up();
        let others_serve = self.members.iter().enumerate().any(serves);
        let member = &mut self.members[index];
        member.warming_since = (others_serve && member.health.is_up()).then_some(now);
    }

    fn note(&mut self, now: Nanos, backend: usize, what: Happening) {
        if self.events.len() < Report::EVENTS {
            self.events.push(Event {
                at_seconds: now as f64 / 1e9,
                backend,
                what,
            });
        }
    }

    /// What happened to the backends' health.
    pub(super) fn into_events(self) -> Vec<Event> {
        self.events
    }
}
