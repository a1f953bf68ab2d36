//! Counting a run, as a whole and in the parts of its timeline. Only one part is under way at a time, so memory does not
//! grow with requests.

use std::mem;

use super::{
    Nanos,
    histogram::Histogram,
    report::{Errors, Latency, Point},
};

/// Parts of the timeline: as many as a plot has room for.
pub(super) const POINTS: u64 = 120;

/// How a request ended for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Answered,
    Refused,
    Broken,
    TimedOut,
    Failed,
}

pub(super) struct Tally {
    all: Histogram,
    errors: Errors,
    /// How long a part is.
    length: Nanos,
    part: Part,
    points: Vec<Point>,
}

/// The part of the timeline that is under way.
struct Part {
    latencies: Histogram,
    errors: u64,
    attempts: Vec<u64>,
}

impl Tally {
    /// For a run of that length and that many backends.
    pub(super) fn new(end: Nanos, backends: usize) -> Self {
        let shown = if backends <= Point::MOST_BACKENDS {
            backends
        } else {
            0
        };
        Self {
            all: Histogram::new(),
            errors: Errors::default(),
            length: end.div_ceil(POINTS).max(1),
            part: Part {
                latencies: Histogram::new(),
                errors: 0,
                attempts: vec![0; shown],
            },
            points: Vec::new(),
        }
    }

    /// An attempt goes to a backend.
    pub(super) fn attempt(&mut self, now: Nanos, backend: usize) {
        self.go_to(now);
        if let Some(attempts) = self.part.attempts.get_mut(backend) {
            *attempts += 1;
        }
    }

    /// A request that came at `arrived` ends.
    pub(super) fn end(&mut self, now: Nanos, arrived: Nanos, ended: Ended) {
        self.go_to(now);
        match ended {
            Ended::Answered => {
                let micros = (now - arrived) / 1000;
                self.all.record(micros);
                self.part.latencies.record(micros);
                return;
            }
            Ended::Refused => self.errors.refused += 1,
            Ended::Broken => self.errors.broken += 1,
            Ended::TimedOut => self.errors.timed_out += 1,
            Ended::Failed => self.errors.failed += 1,
        }
        self.part.errors += 1;
    }

    /// Latencies, errors and the timeline.
    pub(super) fn finish(mut self) -> (Latency, Errors, u64, Vec<Point>) {
        while (self.points.len() as u64) < POINTS {
            self.close();
        }
        let quantile = |part| self.all.quantile(part).unwrap_or(0);
        let latency = Latency {
            mean_micros: self.all.mean(),
            p50_micros: quantile(0.5),
            p90_micros: quantile(0.9),
            p99_micros: quantile(0.99),
            p999_micros: quantile(0.999),
            max_micros: self.all.max(),
        };
        (latency, self.errors, self.all.count(), self.points)
    }

    /// What comes after the end of the timeline belongs to the whole only.
    fn go_to(&mut self, now: Nanos) {
        while (self.points.len() as u64) < POINTS && now >= (self.points.len() as u64 + 1) * self.length {
            self.close();
        }
    }

    fn close(&mut self) {
        let backends = self.part.attempts.len();
        let latencies = &mut self.part.latencies;
        self.points.push(Point {
            at_seconds: (self.points.len() as u64 * self.length) as f64 / 1e9,
            answered: latencies.count(),
            errors: mem::take(&mut self.part.errors),
            p50_micros: latencies.quantile(0.5),
            p99_micros: latencies.quantile(0.99),
            attempts: mem::replace(&mut self.part.attempts, vec![0; backends]),
        });
        latencies.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_whole_add_up() {
        let mut tally = Tally::new(POINTS * 1_000_000, 2);
        tally.attempt(0, 1);
        tally.end(500_000, 0, Ended::Answered);
        tally.attempt(2_100_000, 0);
        tally.end(2_500_000, 2_100_000, Ended::Broken);
        tally.end(POINTS * 2_000_000, 0, Ended::TimedOut);
        let (latency, errors, answered, points) = tally.finish();
        assert_eq!(
            (latency.max_micros, answered, errors.broken, errors.timed_out),
            (500, 1, 1, 1)
        );
        assert_eq!(points.len() as u64, POINTS);
        assert_eq!((points[0].answered, points[0].p99_micros), (1, Some(500)));
        assert_eq!(points[0].attempts, [0, 1]);
        assert_eq!((points[2].errors, points[2].at_seconds), (1, 0.002));
        assert_eq!(points[2].attempts, [1, 0]);
        let late: u64 = points.iter().map(|point| point.errors).sum();
        assert_eq!(late, 1, "what ends after the timeline counts in the whole only");
    }
}
