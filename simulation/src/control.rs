//! The part that the registry and its health checkers have in the real balancer: probes go out on schedule, their results
//! and what requests met go to a [`Roster`], and what comes out of it makes a new pool.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Nanos, Scenario,
    report::{Event, Happening, Report},
};
use lb_core::{
    config::{Config, HealthCheck, PoolConfig, StrategyConfig},
    health::Ruling,
    pool::{Backend, Identity, Member, Pool, Snapshot},
    roster::{self, BackendFactory, NextProbe, ProbeReport, ProbeVerdict, Roster},
};

pub(super) struct Control {
    base: Instant,
    name: Arc<str>,
    roster: Roster,
    snapshot: Snapshot,
    pool: Arc<Pool>,
    /// Whether something changed since the pool was built.
    changed: bool,
    events: Vec<Event>,
}

impl Control {
    /// Every backend is there and up, as at the start of a balancer.
    pub(super) fn new(scenario: &Scenario, strategy: StrategyConfig, base: Instant) -> Self {
        let pool = PoolConfig {
            strategy,
            ..scenario.pool.clone()
        };
        let config = Arc::new(Config::of_pool(Arc::clone(&scenario.name), pool.clone()));
        let factory = Arc::new(BackendFactory::new(1));
        let roster = Roster::new(config, factory, base);
        let snapshot = roster.snapshot(None);
        let empty = || Pool::new("".into(), Arc::new(pool), Vec::new(), Arc::default());
        Self {
            pool: snapshot
                .default_pool()
                .map_or_else(|| Arc::new(empty()), Arc::clone),
            base,
            name: Arc::clone(&scenario.name),
            roster,
            snapshot,
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
            self.snapshot = self.roster.snapshot(Some(&self.snapshot));
            if let Some(pool) = self.snapshot.default_pool() {
                self.pool = Arc::clone(pool);
            }
            self.pool.queue().call();
        }
        &self.pool
    }

    /// Retries so far.
    pub(super) fn retries(&self) -> u64 {
        self.pool.retry_budget().retries()
    }

    /// The place of a backend in the file.
    pub(super) fn index_of(&self, backend: &Backend) -> usize {
        backend.id() as usize - 1
    }

    /// All backends, in the order of the file.
    pub(super) fn members(&self) -> &[Member] {
        self.roster.members(&self.name)
    }

    /// How a backend is probed; `None`: it is not.
    pub(super) fn check(&self, index: usize) -> Option<&HealthCheck> {
        self.roster.check_of(number(index))
    }

    /// Takes the result of a probe; returns when to ask again, if at all. `luck`, from 0 to 1, becomes the jitter.
    pub(super) fn probed(
        &mut self,
        now: Nanos,
        index: usize,
        verdict: ProbeVerdict,
        luck: f64,
    ) -> Option<Duration> {
        let report = ProbeReport {
            verdict,
            detail: String::new(),
            took: Duration::ZERO,
            addresses: Vec::new(),
            passed: None,
            failed: Vec::new(),
        };
        let probed = self.roster.probed(number(index), report, self.clock(now));
        self.carry_out(now, probed.events);
        let check = self.check(index)?;
        let pause = match probed.next {
            NextProbe::Usual => check.interval,
            NextProbe::Soon => check.fast_interval,
            NextProbe::Never => return None,
        };
        Some(pause.mul_f64(1.0 + check.jitter.as_fraction() * (2.0 * luck - 1.0)))
    }

    /// Whether anybody can be ejected, so that judging is worth its time.
    pub(super) fn judges(&self) -> bool {
        let pool = self.roster.config().pools.get(&self.name);
        pool.is_some_and(|pool| pool.ejection.is_some())
    }

    /// Judges the backends by what requests met there.
    pub(super) fn judge(&mut self, now: Nanos) {
        let events = self.roster.judge(self.clock(now));
        self.carry_out(now, events);
    }

    /// A request has made a backend's row of failures full; returns after how long [`Control::judge_again`] is due.
    pub(super) fn failed_in_a_row(&mut self, now: Nanos, backend: u64) -> Option<Duration> {
        let events = self.roster.failed_in_a_row(backend, self.clock(now));
        let pause = events.iter().find_map(|event| match event {
            roster::Event::JudgeAgain { after, .. } => Some(*after),
            _ => None,
        });
        self.carry_out(now, events);
        pause
    }

    /// The pause after a judgement that a request asked for is over.
    pub(super) fn judge_again(&mut self, now: Nanos) {
        let events = self.roster.judge_again(&self.name, self.clock(now));
        self.carry_out(now, events);
    }

    fn carry_out(&mut self, now: Nanos, events: Vec<roster::Event>) {
        for event in events {
            match event {
                roster::Event::Publish(_) => self.changed = true,
                roster::Event::Transition { backend, probed, .. } => {
                    self.note(now, &backend, Happening::Health { to: probed });
                }
                roster::Event::Ruled { backend, ruling, .. } => self.note(now, &backend, happening(&ruling)),
                // The model probes by a schedule of its own, nobody changes anything live, and `failed_in_a_row` has looked.
                _ => {}
            }
        }
    }

    fn note(&mut self, now: Nanos, backend: &Identity, what: Happening) {
        let index = self
            .roster
            .member(backend)
            .map(|member| self.index_of(&member.backend));
        let Some(backend) = index.filter(|_| self.events.len() < Report::EVENTS) else {
            return;
        };
        self.events.push(Event {
            at_seconds: now as f64 / 1e9,
            backend,
            what,
        });
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

/// The number of the backend at this place of the file: a factory's numbers begin at 1.
fn number(index: usize) -> u64 {
    index as u64 + 1
}

fn happening(ruling: &Ruling) -> Happening {
    match ruling {
        Ruling::Ejected {
            why, length, count, ..
        } => Happening::Ejected {
            why: why.to_string(),
            seconds: length.as_secs_f64(),
            count: *count,
        },
        Ruling::Spared { why, .. } => Happening::Spared { why: why.to_string() },
        Ruling::Returned { after, .. } => Happening::Returned {
            after_seconds: after.as_secs_f64(),
        },
    }
}
