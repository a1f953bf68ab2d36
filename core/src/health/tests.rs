//! What backends are ejected for, for how long, and for what never.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod envoy;
mod judging;
mod properties;
mod terms;

use std::time::{Duration, Instant};

use super::*;
use crate::config::{EjectionRules, Factor, LatencyRule, Share};

const T: Thresholds = Thresholds { rise: 2, fall: 3 };

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A pool of simulated backends with its judge and its clock.
struct Bench {
    judge: Judge,
    rules: EjectionRules,
    spread: Spread,
    backends: Vec<Simulated>,
    start: Instant,
    now: Instant,
}

struct Simulated {
    health: Health,
    era: u32,
    in_a_row: u32,
    reached: Option<u32>,
    traffic: Traffic,
}

impl Bench {
    fn new(backends: usize) -> Self {
        Self::with(backends, EjectionRules::default())
    }

    fn with(backends: usize, rules: EjectionRules) -> Self {
        let start = Instant::now();
        let fresh = || Simulated {
            health: Health::unprobed(),
            era: 0,
            in_a_row: 0,
            reached: None,
            traffic: Traffic::default(),
        };
        Self {
            judge: Judge::default(),
            rules,
            spread: Spread::Everywhere,
            backends: (0..backends).map(|_| fresh()).collect(),
            start,
            now: start,
        }
    }

    /// So many failures in a row at a backend.
    fn fail(&mut self, backend: usize, failures: u32) {
        let limit = self.rules.consecutive.unwrap_or(u32::MAX);
        let backend = &mut self.backends[backend];
        let before = backend.in_a_row;
        backend.in_a_row += failures;
        backend.traffic.errors += u64::from(failures);
        if before < limit && backend.in_a_row >= limit {
            backend.reached = Some(limit);
        }
    }

    fn succeed(&mut self, backend: usize) {
        let backend = &mut self.backends[backend];
        backend.in_a_row = 0;
        backend.traffic.good += 1;
    }

    /// So many good requests and errors, in no order.
    fn serve(&mut self, backend: usize, (good, errors): (u64, u64)) {
        self.backends[backend].traffic.good += good;
        self.backends[backend].traffic.errors += errors;
    }

    /// Good answers, each after that long.
    fn answer(&mut self, backend: usize, answers: u64, time: Duration) {
        let traffic = &mut self.backends[backend].traffic;
        let log = log_of(time);
        traffic.good += answers;
        traffic.timed += answers;
        traffic.logs += answers * log;
        traffic.log_squares += answers * log * log;
    }

    fn pass(&mut self, time: Duration) -> Vec<Ruling> {
        self.now += time;
        self.judge()
    }

    fn judge(&mut self) -> Vec<Ruling> {
        let mut subjects: Vec<Subject<'_>> = self
            .backends
            .iter_mut()
            .enumerate()
            .map(|(index, backend)| Subject {
                id: index as u64,
                health: &mut backend.health,
                era: backend.era,
                in_a_row: backend.in_a_row,
                reached: backend.reached.take(),
                traffic: backend.traffic,
            })
            .collect();
        let standards = Standards {
            rules: Some(&self.rules),
            spread: self.spread,
        };
        let rulings = self.judge.judge(standards, &mut subjects, self.now);
        for ruling in &rulings {
            if let Ruling::Returned { id, .. } = ruling {
                self.backends[*id as usize].in_a_row = 0;
            }
        }
        rulings
    }

    fn out(&self) -> Vec<usize> {
        let out = |(index, backend): (usize, &Simulated)| {
            (backend.health.status() == HealthStatus::Ejected).then_some(index)
        };
        self.backends.iter().enumerate().filter_map(out).collect()
    }
}

fn go_down(health: &mut Health) {
    for _ in 0..3 {
        health.observe(false, T);
    }
}

/// How long each ejection is, in seconds.
fn lengths(rulings: &[Ruling]) -> Vec<(u64, u64)> {
    let length = |ruling: &Ruling| match ruling {
        Ruling::Ejected { id, length, .. } => Some((*id, length.as_secs())),
        _ => None,
    };
    rulings.iter().filter_map(length).collect()
}

fn returns(rulings: &[Ruling]) -> Vec<(u64, Return)> {
    let returned = |ruling: &Ruling| match ruling {
        Ruling::Returned { id, how, .. } => Some((*id, *how)),
        _ => None,
    };
    rulings.iter().filter_map(returned).collect()
}
