//! One backend as the model has it: slots that work and a queue before them, first come, first served.
//!
//! Because nobody overtakes, everything about an attempt is known when it arrives: it begins when the first slot is
//! free (J. Kiefer, J. Wolfowitz, "On the theory of queues with many servers", 1955), and ends when its work is done
//! or the backend dies, whichever comes first. So an attempt is one event and not three, and what a backend has to
//! remember is bounded by its slots and its queue.
//!
//! A backend does not notice that its balancer has given up: it works on what it has taken. That is how most servers are,
//! and what makes an overload last.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use super::{BackendModel, Nanos, nanos, spans::Spans};

/// A failing answer comes in that part of the usual time: errors are quick, which is why a failing backend attracts
/// requests under strategies that look at load or latency only.
const FAILING_TAKES: f64 = 0.1;

#[derive(Debug)]
pub(super) struct Station {
    model: BackendModel,
    dead: Spans,
    frozen: Spans,
    /// How often it has died: what it was working on before is gone.
    deaths: usize,
    /// When each slot that works is free.
    free_at: BinaryHeap<Reverse<Nanos>>,
    /// When each that waits begins.
    begins: VecDeque<Nanos>,
    busy: Nanos,
    end: Nanos,
}

/// What becomes of an attempt, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// No connection.
    Refused,
    /// A whole answer; with a status of 503 if not `ok`.
    Answered { at: Nanos, ok: bool },
    /// The connection breaks before the answer.
    Broken { at: Nanos },
}

/// An attempt as its backend sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    /// How long it takes at a healthy backend.
    pub(super) takes: Nanos,
    /// A number from 0 to 1; below the chance to fail it fails.
    pub(super) luck: f64,
}

impl Station {
    /// Work is counted as utilisation until `end`.
    pub(super) fn new(model: BackendModel, end: Nanos) -> Self {
        Self {
            dead: model.dead_spans(end),
            frozen: model.frozen_spans(),
            model,
            deaths: 0,
            free_at: BinaryHeap::new(),
            begins: VecDeque::new(),
            busy: 0,
            end,
        }
    }

    /// Takes an attempt that arrives now.
    pub(super) fn take(&mut self, now: Nanos, work: Work) -> Fate {
        if self.dead.contains(now) {
            return Fate::Refused;
        }
        let Some(begin) = self.place(now) else {
            return Fate::Refused;
        };
        let ok = work.luck >= self.model.chance_to_fail(begin);
        let factor = self.slowness(begin) * if ok { 1.0 } else { FAILING_TAKES };
        let done = self
            .frozen
            .pause(begin, ((work.takes as f64 * factor) as Nanos).max(1));
        let death = self.dead.next_begin(now).unwrap_or(Nanos::MAX);
        self.free_at.push(Reverse(done));
        if begin > now {
            self.begins.push_back(begin);
        }
        self.busy += done.min(death).min(self.end).saturating_sub(begin);
        if death <= done {
            Fate::Broken { at: death }
        } else {
            Fate::Answered { at: done, ok }
        }
    }

    /// When an answer to a probe would come; `None` when nothing listens. A probe waits as requests do, and costs the
    /// backend nothing: what it sees is whether the process lives and gets round to answering.
    pub(super) fn probe(&mut self, now: Nanos) -> Option<Nanos> {
        if self.dead.contains(now) {
            return None;
        }
        self.forget(now);
        let begin = if self.free_at.len() < self.slots() {
            now
        } else {
            self.free_at.peek().map_or(now, |Reverse(free)| (*free).max(now))
        };
        let done = self.frozen.pause(begin, 1);
        let death = self.dead.next_begin(now).unwrap_or(Nanos::MAX);
        (done < death).then_some(done)
    }

    /// The part of its slots that worked until the end, 0 to 1.
    pub(super) fn utilisation(&self) -> f64 {
        self.busy as f64 / (self.slots() as f64 * self.end.max(1) as f64)
    }

    /// When the next attempt begins; `None` when too many wait already. Takes a slot.
    fn place(&mut self, now: Nanos) -> Option<Nanos> {
        self.forget(now);
        if self.free_at.len() < self.slots() {
            return Some(now);
        }
        if self.begins.len() >= self.model.queue as usize {
            return None;
        }
        self.free_at.pop().map(|Reverse(free)| free.max(now))
    }

    /// Lets go of what is over.
    fn forget(&mut self, now: Nanos) {
        let deaths = self.dead.ended(now);
        if deaths > self.deaths {
            self.deaths = deaths;
            self.free_at.clear();
            self.begins.clear();
        }
        while self.free_at.peek().is_some_and(|Reverse(free)| *free <= now) {
            self.free_at.pop();
        }
        while self.begins.front().is_some_and(|begin| *begin <= now) {
            self.begins.pop_front();
        }
    }

    fn slots(&self) -> usize {
        self.model.slots.max(1) as usize
    }

    fn slowness(&self, at: Nanos) -> f64 {
        let slow = if self.model.slow.is_empty() {
            1.0
        } else {
            self.model.slowness(at)
        };
        let Some(cold) = &self.model.cold else {
            return slow;
        };
        let since = if self.dead.is_empty() {
            Some(0)
        } else {
            self.dead.last_end(at)
        };
        let warm = since.map_or(1.0, |since| {
            (at.saturating_sub(since) as f64 / nanos(cold.lasts).max(1) as f64).min(1.0)
        });
        slow * (1.0 + (cold.factor - 1.0) * (1.0 - warm))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Cold, Span};

    fn ms(millis: u64) -> Nanos {
        nanos(Duration::from_millis(millis))
    }

    fn span(from: u64, until: u64) -> Span {
        Span {
            from: Duration::from_millis(from),
            until: Some(Duration::from_millis(until)),
        }
    }

    /// What becomes of attempts of 10 ms that come at these times: `20` answered at 20 ms, `f20` with an error, `x20` broken
    /// off at 20 ms, `-` refused.
    fn fates(model: BackendModel, arrivals: &[u64]) -> String {
        let mut station = Station::new(model, ms(1000));
        let work = Work {
            takes: ms(10),
            luck: 0.5,
        };
        let fates = arrivals.iter().map(|&at| match station.take(ms(at), work) {
            Fate::Refused => "-".to_owned(),
            Fate::Answered { at, ok: true } => (at / ms(1)).to_string(),
            Fate::Answered { at, ok: false } => format!("f{}", at / ms(1)),
            Fate::Broken { at } => format!("x{}", at / ms(1)),
        });
        fates.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn slots_work_side_by_side_and_others_wait_in_their_order() {
        assert_eq!(fates(BackendModel::new(1), &[0, 1, 2, 50]), "10 20 30 60");
        assert_eq!(fates(BackendModel::new(2), &[0, 1, 2, 3, 50]), "10 11 20 21 60");
    }

    #[test]
    fn a_full_queue_refuses() {
        let model = BackendModel {
            queue: 1,
            ..BackendModel::new(1)
        };
        assert_eq!(fates(model, &[0, 1, 2, 10, 11]), "10 20 - 30 -");
    }

    #[test]
    fn the_dead_refuse_and_lose_what_they_had() {
        let model = BackendModel {
            dead: vec![span(15, 40)],
            ..BackendModel::new(1)
        };
        assert_eq!(fates(model, &[0, 1, 2, 20, 40, 41]), "10 x15 x15 - 50 60");
    }

    #[test]
    fn the_frozen_take_everything_and_answer_later() {
        let model = BackendModel {
            frozen: vec![span(5, 100)],
            ..BackendModel::new(1)
        };
        assert_eq!(fates(model.clone(), &[0, 50]), "105 115");
        let mut station = Station::new(model, ms(1000));
        assert_eq!(station.probe(ms(1)), Some(ms(1) + 1));
        assert_eq!(station.probe(ms(50)), Some(ms(100) + 1));
    }

    #[test]
    fn the_slow_take_longer_and_the_failing_are_quick() {
        let slow = BackendModel {
            slow: vec![(span(20, 100), 3.0)],
            ..BackendModel::new(1)
        };
        assert_eq!(fates(slow, &[0, 20]), "10 50");
        let failing = BackendModel {
            failing: vec![(span(20, 100), 0.6)],
            ..BackendModel::new(1)
        };
        assert_eq!(fates(failing, &[0, 20]), "10 f21");
    }

    #[test]
    fn a_backend_that_came_back_is_cold_and_warms_up() {
        let model = BackendModel {
            dead: vec![span(100, 200)],
            cold: Some(Cold {
                lasts: Duration::from_millis(200),
                factor: 5.0,
            }),
            ..BackendModel::new(1)
        };
        assert_eq!(fates(model.clone(), &[0, 200, 300, 500]), "10 250 330 510");
        let never_dead = BackendModel {
            dead: Vec::new(),
            ..model
        };
        assert_eq!(fates(never_dead, &[0]), "50", "after the begin if it never dies");
    }

    #[test]
    fn utilisation_counts_what_was_worked_on_until_the_end() {
        let mut station = Station::new(BackendModel::new(2), ms(100));
        for at in [0, 95] {
            station.take(
                ms(at),
                Work {
                    takes: ms(10),
                    luck: 1.0,
                },
            );
        }
        assert_eq!(station.utilisation(), 15.0 / 200.0);
    }
}
