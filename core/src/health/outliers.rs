//! Which backends of a pool are unlike the others, from what they did in one interval.
//!
//! **Success rate**, after Envoy's outlier detection: below the mean of the pool's rates by more than `factor`
//! standard deviations. That alone takes out healthy backends: in a pool without errors one failed request has a
//! deviation of its own to lie beyond, and in one with errors somebody always is the worst. So a rate must also be
//! `min_gap` below the mean, and so many errors must be beyond chance: less likely than [`CHANCE`] if the backend
//! failed no more often than the others do, by Chernoff's bound, which holds for every rate and volume (H. Chernoff,
//! "A measure of asymptotic efficiency", 1952; W. Hoeffding, "Probability inequalities for sums of bounded random
//! variables", 1963).
//!
//! **Latency**: a mean of times is the time of the slowest few. The mean of their logarithms is not: one request of
//! 30 s among a hundred of 1 ms moves it by a tenth. A backend is slow if its typical time (the geometric mean) is
//! `factor` times the median of the pool's, at least `floor` above it, and further from it than [`DEVIATIONS`] standard
//! errors.

use std::time::Duration;

use super::ejection::Why;
use crate::config::{LatencyRule, SuccessRateRule};

/// How unlikely errors must be, as a natural logarithm: one in a billion. Ten thousand backends are judged a billion
/// times in twelve days.
const CHANCE: f64 = 20.7;

/// Standard errors that a typical latency must be away from the pool's: one in a billion, were logarithms of times
/// spread normally.
const DEVIATIONS: f64 = 6.0;

/// What a backend's requests add up to since it is counted. Of two of these the difference counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Requests that ended well for their backend, whatever they were told below 500.
    pub good: u64,
    /// Requests that ended with an answer from 500 on, or by the backend's fault without a whole one.
    pub errors: u64,
    /// Answers whose time counts.
    pub timed: u64,
    /// The sum of their times, as logarithms.
    pub logs: u64,
    /// The sum of the squares of these.
    pub log_squares: u64,
}

/// Steps of the logarithm to an octave.
const STEPS: u64 = 64;

/// A time as steps of a logarithm to base 2, linear within an octave: an integer, so that it can be added atomically.
pub(crate) fn log_of(time: Duration) -> u64 {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
    let octave = u64::from(micros.ilog2());
    let within = if octave >= 6 {
        micros >> (octave - 6)
    } else {
        micros << (6 - octave)
    };
    octave * STEPS + (within & (STEPS - 1))
}

fn time_of(log: f64) -> Duration {
    let octaves = (log / STEPS as f64).clamp(0.0, 60.0);
    let micros = octaves.floor().exp2() * (1.0 + octaves.fract());
    Duration::from_micros(micros as u64)
}

impl Traffic {
    /// What was added since `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            good: self.good.wrapping_sub(before.good),
            errors: self.errors.wrapping_sub(before.errors),
            timed: self.timed.wrapping_sub(before.timed),
            logs: self.logs.wrapping_sub(before.logs),
            log_squares: self.log_squares.wrapping_sub(before.log_squares),
        }
    }

    fn volume(&self) -> u64 {
        self.good + self.errors
    }

    fn rate(&self) -> f64 {
        self.good as f64 / self.volume() as f64
    }

    fn mean_log(&self) -> f64 {
        self.logs as f64 / self.timed as f64
    }

    /// The variance of the mean of logarithms.
    fn variance_of_mean(&self) -> f64 {
        let count = self.timed as f64;
        let variance = self.log_squares as f64 / count - self.mean_log().powi(2);
        variance.max(0.0) / count
    }
}

/// An outlier: which of those that were given, why, and by how much, to compare it with others of its kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outlier {
    pub(super) index: usize,
    pub(super) why: Why,
    pub(super) by: f64,
}

/// Backends with far more errors than the others.
pub(super) fn by_success_rate(traffic: &[Traffic], rule: &SuccessRateRule) -> Vec<Outlier> {
    let enough = |(_, traffic): &(usize, &Traffic)| traffic.volume() >= u64::from(rule.min_volume.max(1));
    let hosts: Vec<_> = traffic.iter().enumerate().filter(enough).collect();
    if hosts.len() < rule.min_hosts.max(2) as usize {
        return Vec::new();
    }
    let count = hosts.len() as f64;
    let mean = hosts.iter().map(|(_, host)| host.rate()).sum::<f64>() / count;
    let squares = hosts.iter().map(|(_, host)| (host.rate() - mean).powi(2));
    let deviation = (squares.sum::<f64>() / count).sqrt();
    let all_errors: u64 = hosts.iter().map(|(_, host)| host.errors).sum();
    let all_volume: u64 = hosts.iter().map(|(_, host)| host.volume()).sum();
    let outlier = |(index, host): &(usize, &Traffic)| {
        let gap = mean - host.rate();
        let others = (
            (all_errors - host.errors) as f64,
            (all_volume - host.volume()) as f64,
        );
        let far = gap > rule.factor.get() * deviation && gap >= rule.min_gap.as_fraction();
        (far && beyond_chance(host, others)).then(|| Outlier {
            index: *index,
            why: Why::SuccessRate {
                permille: permille(host.rate()),
                mean_permille: permille(mean),
            },
            by: gap,
        })
    };
    hosts.iter().filter_map(outlier).collect()
}

fn permille(rate: f64) -> u16 {
    (rate * 1000.0).round() as u16
}

/// Whether a backend's errors are too many to be chance, if it failed as often as `(errors, requests)` of others.
fn beyond_chance(host: &Traffic, (errors, requests): (f64, f64)) -> bool {
    let volume = host.volume() as f64;
    let seen = host.errors as f64 / volume;
    // One error more than there were, so that a pool without any has a rate to compare with.
    let expected = (errors + 1.0) / (requests + 2.0);
    if seen <= expected {
        return false;
    }
    let good = if seen < 1.0 {
        (1.0 - seen) * ((1.0 - seen) / (1.0 - expected)).ln()
    } else {
        0.0
    };
    volume * (seen * (seen / expected).ln() + good) > CHANCE
}

/// Backends that are far slower than the others.
pub(super) fn by_latency(traffic: &[Traffic], rule: &LatencyRule) -> Vec<Outlier> {
    let enough = |(_, traffic): &(usize, &Traffic)| traffic.timed >= u64::from(rule.min_volume.max(1));
    let mut hosts: Vec<_> = traffic.iter().enumerate().filter(enough).collect();
    if hosts.len() < rule.min_hosts.max(2) as usize {
        return Vec::new();
    }
    hosts.sort_by(|(_, one), (_, other)| one.mean_log().total_cmp(&other.mean_log()));
    // The lower one of two in the middle: of two backends the quicker one is the measure.
    let median = hosts[(hosts.len() - 1) / 2].1;
    let typical = time_of(median.mean_log());
    let outlier = |(index, host): &(usize, &Traffic)| {
        let gap = host.mean_log() - median.mean_log();
        let error = (host.variance_of_mean() + median.variance_of_mean()).sqrt();
        let own = time_of(host.mean_log());
        let far = own.as_secs_f64() > rule.factor.get() * typical.as_secs_f64()
            && own >= typical + rule.floor
            && gap > DEVIATIONS * error;
        far.then_some(Outlier {
            index: *index,
            why: Why::Latency {
                typical: own,
                median: typical,
            },
            by: gap,
        })
    };
    hosts.iter().filter_map(outlier).collect()
}
