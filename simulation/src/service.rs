//! How long a backend works on a request when nothing is wrong with it.

use std::time::Duration;

use super::{Nanos, nanos, random::Random};

/// A distribution of service times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServiceTime {
    /// The mean, the tail left aside.
    pub mean: Duration,
    /// How times spread around it.
    pub shape: Shape,
    /// The part of requests, 0 to 1, that takes ten times as long or more: a Pareto tail.
    pub tail: f64,
}

/// How service times spread around their mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// Always the same.
    Constant,
    /// Many short ones, few long ones: what the textbooks of queueing have.
    Exponential,
    /// The logarithm is normal with this deviation. Measured services mostly look so, with 0.3 to 1.
    LogNormal {
        /// The deviation of the logarithm; 0: constant.
        sigma: f64,
    },
    /// A heavy tail: the chance of a time above x falls as x to the power of minus alpha.
    Pareto {
        /// Above 1, or there is no mean; at 2 and below the variance is infinite.
        alpha: f64,
    },
}

/// A request of the tail takes so many times its time at least.
const TAIL_FROM: f64 = 10.0;
/// And at most: somebody gives up.
const TAIL_TO: f64 = 1000.0;
/// How the tail thins out between the two.
const TAIL_ALPHA: f64 = 1.5;

impl Default for ServiceTime {
    /// 10 ms, log-normal with 0.7: one request in a hundred takes four times the mean.
    fn default() -> Self {
        Self {
            mean: Duration::from_millis(10),
            shape: Shape::LogNormal { sigma: 0.7 },
            tail: 0.0,
        }
    }
}

impl ServiceTime {
    /// The mean, its tail included.
    pub fn mean_seconds(&self) -> f64 {
        // The mean of a Pareto distribution that is cut at `TAIL_TO`.
        let whole = TAIL_ALPHA * TAIL_FROM / (TAIL_ALPHA - 1.0);
        let cut = TAIL_FROM.powf(TAIL_ALPHA) * TAIL_TO.powf(1.0 - TAIL_ALPHA) / (TAIL_ALPHA - 1.0);
        self.mean.as_secs_f64() * (1.0 + self.tail * (whole - cut - 1.0))
    }

    /// One service time.
    pub(super) fn draw(&self, random: &mut Random) -> Nanos {
        let factor = match self.shape {
            Shape::Constant => 1.0,
            Shape::Exponential => random.exponential(),
            Shape::LogNormal { sigma } => (sigma * random.normal() - sigma * sigma / 2.0).exp(),
            Shape::Pareto { alpha } => (alpha - 1.0) / alpha * pareto(random, alpha),
        };
        let tail = if self.tail > 0.0 && random.unit() < self.tail {
            (TAIL_FROM * pareto(random, TAIL_ALPHA)).min(TAIL_TO)
        } else {
            1.0
        };
        // At least a nanosecond, so that time goes on.
        (nanos(self.mean) as f64 * factor * tail).max(1.0) as Nanos
    }
}

/// At least 1.
fn pareto(random: &mut Random, alpha: f64) -> f64 {
    (1.0 - random.unit()).powf(-1.0 / alpha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distribution_has_the_mean_it_says() {
        let shapes = [
            Shape::Constant,
            Shape::Exponential,
            Shape::LogNormal { sigma: 0.7 },
            Shape::Pareto { alpha: 3.0 },
        ];
        for shape in shapes {
            for tail in [0.0, 0.01] {
                let service = ServiceTime {
                    shape,
                    tail,
                    ..ServiceTime::default()
                };
                let mut random = Random::new(1, 1);
                let sum: u64 = (0..400_000).map(|_| service.draw(&mut random)).sum();
                let mean = sum as f64 / 400_000.0 / 1e9;
                let error = (mean / service.mean_seconds() - 1.0).abs();
                assert!(error < 0.03, "{service:?}: {mean}");
            }
        }
    }

    #[test]
    fn a_log_normal_time_has_the_percentile_that_the_default_promises() {
        let (service, mut random) = (ServiceTime::default(), Random::new(1, 1));
        let mut times: Vec<u64> = (0..100_000).map(|_| service.draw(&mut random)).collect();
        times.sort_unstable();
        let p99 = times[99_000] as f64 / 1e6;
        assert!((38.0..42.0).contains(&p99), "{p99} ms");
    }
}
