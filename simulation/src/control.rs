//! The part that the registry and its health checkers have in the real balancer: probes go out on schedule, their results
//! go to [`Health`], what requests met is judged, and a change makes a new [`Pool`].

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Nanos, Scenario,
    report::{Event, Happening, Report},
};
use lb_core::{
    config::{BackendConfig, HealthCheck, PoolConfig, StrategyConfig},
    health::{Admin, Health, Judge, Ruling, Thresholds},
    pool::{Backend, Member, Pool, PoolState, judge},
};

pub(super) struct Control {
    base: Instant,
    name: Arc<str>,
    config: Arc<PoolConfig>,
    members: Vec<Member>,
    judge: Judge,
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
        let numbered = (1..).zip(&config.backends);
        let members: Vec<Member> = numbered
            .map(|(id, backend)| member(id, (&config, backend), base))
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
            judge: Judge::default(),
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
            self.pool.queue().call();
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

    /// How a backend is probed; `None`: it is not.
    pub(super) fn check(&self, index: usize) -> Option<&HealthCheck> {
        self.config.backends[index].check(&self.config.health_check)
    }

    /// Takes the result of a probe; returns when to ask again, if at all. `luck`, from 0 to 1, becomes the jitter.
    pub(super) fn probed(&mut self, now: Nanos, index: usize, (ok, luck): (bool, f64)) -> Option<Duration> {
        let check = self.check(index)?;
        let thresholds = Thresholds {
            rise: check.rise,
            fall: check.fall,
        };
        let (interval, fast, jitter) = (check.interval, check.fast_interval, check.jitter.as_fraction());
        let clock = self.clock(now);
        let member = &mut self.members[index];
        let before = member.health.status();
        let transition = member.health.observe(ok, thresholds);
        member.note_change(before, clock);
        if let Some(transition) = transition {
            self.changed = true;
            self.warm_up(index, clock);
            self.note(now, index, Happening::Health { to: transition.to });
            self.judge(now);
        }
        let pause = if self.members[index].health.is_changing() {
            fast
        } else {
            interval
        };
        Some(pause.mul_f64(1.0 + jitter * (2.0 * luck - 1.0)))
    }

    /// Whether anybody can be ejected, so that [`Control::judge`] is worth its time.
    pub(super) fn judges(&self) -> bool {
        self.config.ejection.is_some()
    }

    /// Judges the backends by what requests met there.
    pub(super) fn judge(&mut self, now: Nanos) {
        let clock = self.clock(now);
        let mut members: Vec<&mut Member> = self.members.iter_mut().collect();
        let rulings = judge(
            &mut self.judge,
            self.config.ejection.as_ref(),
            &mut members,
            clock,
        );
        for ruling in rulings {
            let (Ruling::Ejected { id, .. } | Ruling::Spared { id, .. } | Ruling::Returned { id, .. }) =
                ruling;
            let index = id as usize - 1;
            let what = match ruling {
                Ruling::Ejected {
                    why, length, count, ..
                } => Happening::Ejected {
                    why: why.to_string(),
                    seconds: length.as_secs_f64(),
                    count,
                },
                Ruling::Spared { why, .. } => Happening::Spared { why: why.to_string() },
                Ruling::Returned { after, .. } => {
                    self.warm_up(index, clock);
                    Happening::Returned {
                        after_seconds: after.as_secs_f64(),
                    }
                }
            };
            self.changed |= !matches!(what, Happening::Spared { .. });
            self.note(now, index, what);
        }
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
    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    /// The same, at the end.
    pub(super) fn into_events(self) -> Vec<Event> {
        self.events
    }
}

/// A backend as it is at a balancer's start.
fn member(id: u64, (pool, config): (&PoolConfig, &BackendConfig), now: Instant) -> Member {
    let backend = Backend::new(id, config.url.clone(), 1);
    let rules = pool.ejection.as_ref();
    backend.set_failures_limit(rules.and_then(|rules| rules.consecutive).unwrap_or(0));
    let probed = config.check(&pool.health_check).is_some();
    let mut health = if probed {
        Health::at_start()
    } else {
        Health::unprobed()
    };
    health.set_admin(Admin::configured(config.drain, config.maintenance), probed);
    Member {
        probed,
        ..Member::new(Arc::new(backend), config, health, now)
    }
}
