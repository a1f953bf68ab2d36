//! When requests come: an open loop, as users of the Internet are. Nobody waits for an earlier answer before sending the
//! next request, so a slow pool does not get less to do; a closed loop would hide exactly the waiting that matters
//! (B. Schroeder et al., "Open Versus Closed: A Cautionary Tale", NSDI 2006).
//!
//! Arrivals are a Poisson process whose rate follows a curve, by thinning (P. Lewis, G. Shedler, "Simulation of
//! Nonhomogeneous Poisson Processes by Thinning", 1979): candidates come at the highest rate there is, and each stays
//! with the chance that the curve has at its time.

use std::time::Duration;

use super::{Nanos, Span, nanos, random::Random};

/// A rate and what changes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Requests a second, above 0.
    pub rate: f64,
    /// What changes it; the factors of all that hold at a time are multiplied.
    pub curve: Vec<Change>,
}

/// A change of the rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// The rate times `factor` while the span lasts.
    Step {
        /// 0 or more.
        factor: f64,
        /// When.
        span: Span,
    },
    /// From the rate to the rate times `factor` in a straight line, which then stays.
    Ramp {
        /// 0 or more.
        factor: f64,
        /// The begin of the change.
        from: Duration,
        /// Its end, after `from`.
        until: Duration,
    },
    /// Up and down in a sine, as days go.
    Wave {
        /// How far from the rate at most, as a share of it, 0 to 1.
        share: f64,
        /// From one high to the next, longer than 0.
        period: Duration,
    },
}

impl Change {
    fn factor_at(&self, at: Nanos) -> f64 {
        match *self {
            Self::Step { factor, span } if span.contains(at) => factor,
            Self::Step { .. } => 1.0,
            Self::Ramp { factor, from, until } => {
                let (from, until) = (nanos(from), nanos(until));
                let done = at.clamp(from, until.max(from)).saturating_sub(from) as f64;
                1.0 + (factor - 1.0) * done / (until.saturating_sub(from)).max(1) as f64
            }
            Self::Wave { share, period } => {
                let turn = at as f64 / nanos(period).max(1) as f64;
                1.0 + share * (std::f64::consts::TAU * turn).sin()
            }
        }
    }

    fn highest(&self) -> f64 {
        match *self {
            Self::Step { factor, .. } | Self::Ramp { factor, .. } => factor.max(1.0),
            Self::Wave { share, .. } => 1.0 + share,
        }
    }
}

impl Load {
    /// Requests a second at that time.
    pub(super) fn rate_at(&self, at: Nanos) -> f64 {
        self.rate
            * self
                .curve
                .iter()
                .map(|change| change.factor_at(at))
                .product::<f64>()
    }

    /// How long `requests` take to come with this seed; at most `longest`.
    pub fn time_for(&self, requests: u64, seed: u64, longest: Duration) -> Duration {
        let before = usize::try_from(requests.saturating_sub(1)).unwrap_or(usize::MAX);
        let last = Arrivals::new(self, seed, longest).nth(before);
        // A nanosecond more, so that the last one is still within.
        last.map_or(longest, |at| Duration::from_nanos(at + 1).min(longest))
    }
}

/// The times of all arrivals, in order.
#[derive(Debug)]
pub(super) struct Arrivals<'a> {
    load: &'a Load,
    highest: f64,
    random: Random,
    at: f64,
    end: Nanos,
}

/// The stream of random numbers that decides arrivals and nothing else.
const STREAM: u64 = 1;

impl<'a> Arrivals<'a> {
    /// Arrivals before `end`.
    pub(super) fn new(load: &'a Load, seed: u64, end: Duration) -> Self {
        Self {
            load,
            highest: load.rate * load.curve.iter().map(Change::highest).product::<f64>(),
            random: Random::new(seed, STREAM),
            at: 0.0,
            end: nanos(end),
        }
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        loop {
            self.at += self.random.exponential() / self.highest * 1e9;
            let at = self.at as Nanos;
            if at >= self.end {
                return None;
            }
            // A flat curve needs no second number.
            if self.load.curve.is_empty() || self.random.unit() * self.highest < self.load.rate_at(at) {
                return Some(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn counts(curve: Vec<Change>) -> Vec<usize> {
        let load = Load { rate: 1000.0, curve };
        let mut counts = vec![0; 10];
        for at in Arrivals::new(&load, 1, SECOND * 10) {
            counts[(at / nanos(SECOND)) as usize] += 1;
        }
        counts
    }

    #[track_caller]
    fn assert_near(counts: &[usize], expected: [f64; 10]) {
        // Five deviations of a Poisson variable.
        let near =
            |(&count, expected): (&usize, f64)| (count as f64 - expected).abs() <= 5.0 * expected.sqrt();
        assert!(
            counts.iter().zip(expected).all(near),
            "{counts:?} instead of {expected:?}"
        );
    }

    #[test]
    fn arrivals_follow_the_rate() {
        assert_near(&counts(Vec::new()), [1000.0; 10]);
    }

    #[test]
    fn arrivals_follow_steps_ramps_and_waves() {
        let span = Span {
            from: SECOND * 2,
            until: Some(SECOND * 4),
        };
        let spike = counts(vec![Change::Step { factor: 3.0, span }]);
        assert_near(&spike, [1e3, 1e3, 3e3, 3e3, 1e3, 1e3, 1e3, 1e3, 1e3, 1e3]);
        let ramp = Change::Ramp {
            factor: 3.0,
            from: SECOND * 2,
            until: SECOND * 4,
        };
        assert_near(
            &counts(vec![ramp]),
            [1e3, 1e3, 1.5e3, 2.5e3, 3e3, 3e3, 3e3, 3e3, 3e3, 3e3],
        );
        let wave = Change::Wave {
            share: 1.0,
            period: SECOND * 4,
        };
        let mean = 2.0 / std::f64::consts::PI * 1e3;
        let (high, low) = (1e3 + mean, 1e3 - mean);
        assert_near(
            &counts(vec![wave]),
            [high, high, low, low, high, high, low, low, high, high],
        );
    }

    #[test]
    fn the_time_for_a_number_of_requests_holds_exactly_these() {
        let load = Load {
            rate: 500.0,
            curve: vec![Change::Wave {
                share: 0.5,
                period: SECOND,
            }],
        };
        let time = load.time_for(1234, 3, SECOND * 100);
        assert_eq!(Arrivals::new(&load, 3, time).count(), 1234);
        assert_eq!(
            load.time_for(1_000_000, 3, SECOND),
            SECOND,
            "no longer than the longest"
        );
    }
}
