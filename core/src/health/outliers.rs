//! Which backends of a pool are unlike the others, from what they did in one interval.
//!
//! **Failures.** One rule for pools of every size: a backend is ejected whose share of failed requests is high while the
//! others' is low. The others are measured by the better half of the pool, so that several bad backends do not hide each
//! other as they do behind a mean and its deviations (Envoy's `success_rate`, which with five backends cannot see two);
//! and where the majority fails, it is the requests or something that all backends need, and nobody is ejected for
//! it. High is what lies `min_gap` above the worst of that half, the median, and is `factor` times as much. And it must be beyond chance:
//! less likely than [`CHANCE`] if the backend and the better half failed equally often, by Chernoff's bound on both sides at
//! once, which holds for every share and volume (H. Chernoff, "A measure of asymptotic efficiency", 1952; W. Hoeffding,
//! "Probability inequalities for sums of bounded random variables", 1963). It is that bound that lets one rule serve two
//! backends and two hundred: it asks for more failures where there is less to compare with.
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
    /// Requests that ended with a status that counts as a failure, or by the backend's fault without a whole response.
    pub errors: u64,
    /// Answers whose time counts.
    pub timed: u64,
    /// The sum of their times, as logarithms.
    pub logs: u64,
    /// The sum of the squares of these.
    pub log_squares: u64,
}

/// Responses of which a mean time says something.
const LEAST_TIMED: u64 = 10;

/// How many times the typical time a mean can be: for times spread exponentially it is 1.8.
const MOST_OVER_TYPICAL: f64 = 4.0;

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
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            good: self.good.wrapping_sub(before.good),
            errors: self.errors.wrapping_sub(before.errors),
            timed: self.timed.wrapping_sub(before.timed),
            logs: self.logs.wrapping_sub(before.logs),
            log_squares: self.log_squares.wrapping_sub(before.log_squares),
        }
    }

    /// The mean time of good responses; `None` with too few to tell. From the moments of the logarithms, as if times were spread
    /// log-normally, which is near enough and lets a few very slow ones count for a little.
    pub(crate) fn mean_time(&self) -> Option<Duration> {
        if self.timed < LEAST_TIMED {
            return None;
        }
        let variance = self.variance_of_mean() * self.timed as f64;
        let natural = variance * (std::f64::consts::LN_2 / STEPS as f64).powi(2);
        Some(time_of(self.mean_log()).mul_f64((natural / 2.0).exp().min(MOST_OVER_TYPICAL)))
    }

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            good: self.good + other.good,
            errors: self.errors + other.errors,
            timed: self.timed + other.timed,
            logs: self.logs + other.logs,
            log_squares: self.log_squares + other.log_squares,
        }
    }

    fn volume(&self) -> u64 {
        self.good + self.errors
    }

    /// The share of requests that failed; of none, nothing.
    fn failed(&self) -> f64 {
        self.errors as f64 / self.volume().max(1) as f64
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

/// Backends that fail far more of their requests than the others.
pub(super) fn by_failures(traffic: &[Traffic], rule: &SuccessRateRule) -> Vec<Outlier> {
    let enough = |(_, traffic): &(usize, &Traffic)| traffic.volume() >= u64::from(rule.min_volume.max(1));
    let mut hosts: Vec<_> = traffic.iter().enumerate().filter(enough).collect();
    if hosts.len() < rule.min_hosts.max(2) as usize {
        return Vec::new();
    }
    hosts.sort_by(|(_, one), (_, other)| one.failed().total_cmp(&other.failed()));
    // With an even number, of the two in the middle the better one is the measure.
    let better = &hosts[..hosts.len().div_ceil(2)];
    let usual = better.last().map_or(0.0, |(_, host)| host.failed());
    let better = better
        .iter()
        .fold(Traffic::default(), |all, (_, host)| all.plus(**host));
    let outlier = |(index, host): &(usize, &Traffic)| {
        let gap = host.failed() - usual;
        let high = gap >= rule.min_gap.as_fraction() && host.failed() >= rule.factor.get() * usual;
        (high && gap > 0.0 && beyond_chance(host, &better)).then(|| Outlier {
            index: *index,
            why: Why::SuccessRate {
                permille: permille(1.0 - host.failed()),
                usual_permille: permille(1.0 - usual),
            },
            by: gap,
        })
    };
    hosts.iter().filter_map(outlier).collect()
}

fn permille(rate: f64) -> u16 {
    (rate * 1000.0).round() as u16
}

/// Whether two fail too differently for chance, if in truth they failed equally often. Of all shares that they could have
/// in common, the one that makes it likeliest is that of both together.
fn beyond_chance(host: &Traffic, others: &Traffic) -> bool {
    let failures = (host.errors + others.errors) as f64;
    let common = failures / (host.volume() + others.volume()) as f64;
    let exponent = |traffic: &Traffic| traffic.volume() as f64 * divergence(traffic.failed(), common);
    exponent(host) + exponent(others) > CHANCE
}

/// How far a share that was seen is from the one that was expected (Kullback and Leibler's divergence).
fn divergence(seen: f64, expected: f64) -> f64 {
    let part = |seen: f64, expected: f64| {
        if seen > 0.0 {
            seen * (seen / expected).ln()
        } else {
            0.0
        }
    };
    part(seen, expected) + part(1.0 - seen, 1.0 - expected)
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
