//! When a backend is ejected for what requests meet there, and what happens when no backend is left.

use std::{fmt, time::Duration};

use super::{Share, StatusRanges};

/// When a backend is ejected for what requests meet there.
#[derive(Debug, Clone, PartialEq)]
pub struct EjectionRules {
    /// Failures in a row, at least 1; `None`: nobody counts them.
    pub consecutive: Option<u32>,
    /// Responses that count as failures where backends are compared, within 500-599.
    pub statuses: StatusRanges,
    /// How long the first ejection lasts; the n-th lasts n times as long.
    pub base: Duration,
    /// The longest; not shorter than `base`.
    pub max: Duration,
    /// The largest share of those that could serve which may be out at once.
    pub max_share: Share,
    /// How long is counted before backends are compared.
    pub interval: Duration,
    /// Whether and how their success rates are compared.
    pub success_rate: Option<SuccessRateRule>,
    /// Whether and how their latencies are compared.
    pub latency: Option<LatencyRule>,
}

impl Default for EjectionRules {
    fn default() -> Self {
        Self {
            // As Envoy; two or three can be the bad luck of one moment.
            consecutive: Some(5),
            // A 500 may be the fault of one page; but a page fails at all backends alike, and they are compared.
            statuses: StatusRanges::new(vec![(500, 599)]).unwrap_or_default(),
            // Envoy has 30 s; a restart takes less, and who fails again is out for longer.
            base: Duration::from_secs(10),
            max: Duration::from_secs(300),
            // Envoy has 10 %, which is nobody in a pool of nine; beyond a half the rest is in danger.
            max_share: Share::percent(50).unwrap_or_default(),
            interval: Duration::from_secs(10),
            success_rate: Some(SuccessRateRule::default()),
            // A slow backend is less work for the strategies that look at latency; taking it out is for those who want it.
            latency: None,
        }
    }
}

/// When a success rate is too low, compared with the better half of the pool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SuccessRateRule {
    /// How many times the median share of failures.
    pub factor: Factor,
    /// Backends with enough requests that there must be to compare; at least 2.
    pub min_hosts: u32,
    /// Requests in an interval that are enough.
    pub min_volume: u32,
    /// How far above the median share of failures it must be in any case.
    pub min_gap: Share,
}

impl Default for SuccessRateRule {
    fn default() -> Self {
        Self {
            // Where all fail often, one that fails somewhat more often is no gain to lose.
            factor: Factor(2.0),
            // One can be compared with another.
            min_hosts: 2,
            // What is too few for a verdict is told by chance; below this, a share is hardly one.
            min_volume: 20,
            // A backend is a part of what the pool can carry: it has to fail a fifth more to be worth less than nothing.
            min_gap: Share::percent(20).unwrap_or_default(),
        }
    }
}

/// When a latency is too high.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyRule {
    /// Times the median of the pool.
    pub factor: Factor,
    /// Backends with enough answers that there must be to compare; at least 2.
    pub min_hosts: u32,
    /// Answers in an interval that are enough.
    pub min_volume: u32,
    /// How much longer than the median it must be in any case.
    pub floor: Duration,
}

impl Default for LatencyRule {
    fn default() -> Self {
        Self {
            // Unlike hardware differs by less.
            factor: Factor(5.0),
            // Of two that differ, nobody knows which one is unlike the others.
            min_hosts: 3,
            min_volume: 100,
            // What no person notices is no reason.
            floor: Duration::from_millis(100),
        }
    }
}

/// A factor above 0, 1000 at most.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Factor(f64);

impl Factor {
    /// The largest.
    pub const MAX: f64 = 1000.0;

    /// `None` for what is no number above 0, or more than [`Factor::MAX`].
    pub fn new(value: f64) -> Option<Self> {
        (value > 0.0 && value <= Self::MAX).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What happens to requests when no backend of a pool is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AllDown {
    /// They are tried at all of them: one that may fail is better than one that certainly does.
    #[default]
    Try,
    /// They are refused at once.
    Fail,
}
