//! What is simulated: a pool, how its backends behave, and the load. Checked values only; who reads them from a command
//! line refuses what makes no sense.

use std::{sync::Arc, time::Duration};

use super::{Load, Nanos, ServiceTime, Span, nanos, spans::Spans};
use lb_core::config::PoolConfig;

/// One run of the model, the strategy left open.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The pool's name.
    pub name: Arc<str>,
    /// The pool as configured; its strategy is replaced by the one that runs.
    pub pool: PoolConfig,
    /// How each of its backends behaves, in the same order.
    pub backends: Vec<BackendModel>,
    /// How long a request takes at a healthy backend.
    pub service: ServiceTime,
    /// When requests come.
    pub load: Load,
    /// How long they come. What is in flight then still ends.
    pub duration: Duration,
    /// The part of requests, 0 to 1, that must not be sent twice, such as POST.
    pub unsafe_share: f64,
    /// How many clients there are; a client always has the same key. At least 1.
    pub clients: u64,
    /// What all chance comes from.
    pub seed: u64,
}

/// How one backend behaves. A healthy one by [`BackendModel::new`].
#[derive(Debug, Clone, PartialEq)]
pub struct BackendModel {
    /// Requests that it works on at the same time, at least 1. Others wait at it, first come, first served.
    pub slots: u32,
    /// How many may wait; to more it refuses the connection.
    pub queue: u32,
    /// Times when it takes so many times longer.
    pub slow: Vec<(Span, f64)>,
    /// Times when it answers that part of requests (0 to 1) with 503.
    pub failing: Vec<(Span, f64)>,
    /// Times when it is dead: connections are refused, what it was working on is lost.
    pub dead: Vec<Span>,
    /// Times when it stands still: it takes connections and answers nothing, later it goes on.
    pub frozen: Vec<Span>,
    /// Its dying and coming back in turn.
    pub flap: Option<Flap>,
    /// What it is like after it came back.
    pub cold: Option<Cold>,
}

/// A backend that comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flap {
    /// It is up for so long, at first, …
    pub up: Duration,
    /// … then dead for so long, and so on. The two together are longer than 0.
    pub down: Duration,
    /// While this lasts.
    pub span: Span,
}

/// A backend that is slow at first: caches to fill, code to compile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cold {
    /// How long, after every time it was dead; after the begin if it never is.
    pub lasts: Duration,
    /// How many times longer it takes at first; this falls in a straight line to 1.
    pub factor: f64,
}

impl BackendModel {
    /// A healthy backend.
    pub fn new(slots: u32) -> Self {
        Self {
            slots,
            queue: Self::QUEUE,
            slow: Vec::new(),
            failing: Vec::new(),
            dead: Vec::new(),
            frozen: Vec::new(),
            flap: None,
            cold: None,
        }
    }

    /// Requests that wait at a backend unless told otherwise: between the 128 to 511 of application servers' listen
    /// backlogs and the 4,096 of Linux.
    pub const QUEUE: u32 = 1000;

    /// Requests that it works on at the same time unless told otherwise.
    pub const SLOTS: u32 = 8;

    /// When it is dead. It flaps until `end` at most, because that has no end of its own.
    pub(super) fn dead_spans(&self, end: Nanos) -> Spans {
        let fixed = self.dead.iter().map(|span| within(*span, Nanos::MAX));
        let mut all: Vec<(Nanos, Nanos)> = fixed.collect();
        if let Some(flap) = &self.flap {
            let (from, until) = within(flap.span, end);
            let (up, down) = (nanos(flap.up), nanos(flap.down));
            let mut at = from.saturating_add(up);
            while at < until && up + down > 0 {
                all.push((at, at.saturating_add(down).min(until)));
                at = at.saturating_add(up + down);
            }
        }
        Spans::new(all)
    }

    /// When it stands still.
    pub(super) fn frozen_spans(&self) -> Spans {
        Spans::new(self.frozen.iter().map(|span| within(*span, Nanos::MAX)))
    }

    /// How many times longer than usual it takes then, its being cold left aside.
    pub(super) fn slowness(&self, at: Nanos) -> f64 {
        let slow = self.slow.iter().filter(|(span, _)| span.contains(at));
        slow.map(|(_, factor)| factor).product()
    }

    /// The chance of a request to fail then.
    pub(super) fn chance_to_fail(&self, at: Nanos) -> f64 {
        let failing = self.failing.iter().filter(|(span, _)| span.contains(at));
        1.0 - failing.map(|(_, share)| 1.0 - share).product::<f64>()
    }
}

fn within(span: Span, end: Nanos) -> (Nanos, Nanos) {
    (nanos(span.from), span.until.map_or(end, nanos).min(end))
}

impl Scenario {
    /// Healthy backends for every backend of the pool: what weight 1 stands for are `slots` slots if no backend weighs
    /// more, and a backend of twice the smallest weight has twice the slots, because that is what weights are for.
    pub fn healthy(pool: &PoolConfig, slots: u32) -> Vec<BackendModel> {
        let weights = || {
            pool.backends
                .iter()
                .map(|backend| u32::from(backend.weight.get()))
        };
        let least = weights().min().unwrap_or(1);
        weights()
            .map(|weight| BackendModel::new((slots * weight + least / 2) / least))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_flapping_backend_is_up_first_and_dies_in_turn() {
        let model = BackendModel {
            flap: Some(Flap {
                up: SECOND * 2,
                down: SECOND,
                span: Span {
                    from: SECOND,
                    until: Some(SECOND * 8),
                },
            }),
            ..BackendModel::new(1)
        };
        let dead = model.dead_spans(nanos(SECOND * 100));
        let seconds: Vec<u64> = (0..12).filter(|&at| dead.contains(at * nanos(SECOND))).collect();
        assert_eq!(seconds, [3, 6]);
    }

    #[test]
    fn troubles_of_one_backend_add_up() {
        let model = BackendModel {
            slow: vec![(Span::ALWAYS, 2.0), (Span::ALWAYS, 3.0)],
            failing: vec![(Span::ALWAYS, 0.5), (Span::ALWAYS, 0.5)],
            ..BackendModel::new(1)
        };
        assert_eq!((model.slowness(0), model.chance_to_fail(0)), (6.0, 0.75));
    }
}
