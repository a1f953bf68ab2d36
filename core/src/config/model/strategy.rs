//! How a pool chooses: the strategy with its options, and when backends of a lower priority serve.

use std::{fmt, sync::Arc, time::Duration};

use super::super::units::format_duration;
use crate::strategy::Algorithm;

/// A strategy with its options. Displays as it could be written in the file.
#[derive(Debug, Clone, PartialEq)]
pub enum StrategyConfig {
    /// `round-robin`, also `weighted`: in turn, by weight.
    RoundRobin,
    /// `random`: by chance, in proportion to weights.
    Random,
    /// `least-connections`: the fewest requests in flight for its weight.
    LeastConnections,
    /// `power-of-two`: of two drawn by chance, the one with fewer requests in flight for its weight.
    PowerOfTwo,
    /// `least-time`, also `intelligent`: of two drawn by chance, the one that will have answered first.
    LeastTime(LeastTimeConfig),
    /// `hash`: by a part of the request.
    Hash(HashConfig),
    /// `first`: the first that is not full.
    First,
}

/// The name of `least-time` that stands for the ejection of outliers, too.
const INTELLIGENT: &str = "intelligent";

/// Options of `least-time`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeastTimeConfig {
    /// How long latencies are remembered.
    pub decay: Duration,
    /// Written as `intelligent`, which stands for this strategy together with the ejection of outliers, on by default.
    pub intelligent: bool,
}

impl LeastTimeConfig {
    /// 10 s, as in finagle and linkerd: long enough to bridge pauses, short enough to forget yesterday's trouble.
    pub const DEFAULT_DECAY: Duration = Duration::from_secs(10);
}

/// Options of `hash`.
#[derive(Debug, Clone, PartialEq)]
pub struct HashConfig {
    /// What requests are told apart by.
    pub key: HashKey,
    /// Nobody holds more than so many times its share of all requests in flight; `None`: no bound.
    pub bounded_load: Option<LoadFactor>,
}

/// The part of a request that decides where it goes. Displays as it is written in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashKey {
    /// The client's address; behind a trusted proxy, the one that the proxy names.
    Client,
    /// Path and query, as they came.
    Uri,
    /// The first value of a header, by its lower-case name.
    Header(Arc<str>),
    /// The value of a cookie.
    Cookie(Arc<str>),
    /// The value of a query parameter, as it came.
    Query(Arc<str>),
}

impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Uri => f.write_str("uri"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
            Self::Query(name) => write!(f, "query {name}"),
        }
    }
}

/// A multiple of a fair share, from 1.01 to 10.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct LoadFactor(f64);

impl LoadFactor {
    /// `None` below 1.01, which leaves no room, and above 10, which is no bound.
    pub fn new(factor: f64) -> Option<Self> {
        (1.01..=10.0).contains(&factor).then_some(Self(factor))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for LoadFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StrategyConfig {
    /// Every strategy that there is, with its default options.
    pub fn every() -> Vec<Self> {
        vec![
            Self::RoundRobin,
            Self::Random,
            Self::LeastConnections,
            Self::PowerOfTwo,
            Self::LeastTime(LeastTimeConfig {
                decay: LeastTimeConfig::DEFAULT_DECAY,
                intelligent: false,
            }),
            Self::Hash(HashConfig {
                key: HashKey::Client,
                bounded_load: None,
            }),
            Self::First,
        ]
    }

    /// Every name that a strategy has in the file.
    pub fn names() -> Vec<&'static str> {
        let every = Self::every().into_iter();
        every
            .flat_map(|strategy| [Some(strategy.name()), strategy.other_name()])
            .flatten()
            .collect()
    }

    /// The strategy of this name, with its default options.
    pub fn named(name: &str) -> Option<Self> {
        let mut every = Self::every().into_iter();
        let named = every.find(|strategy| strategy.name() == name || strategy.other_name() == Some(name))?;
        Some(match named {
            Self::LeastTime(options) => Self::LeastTime(LeastTimeConfig {
                intelligent: name == INTELLIGENT,
                ..options
            }),
            named => named,
        })
    }

    fn other_name(&self) -> Option<&'static str> {
        match self {
            Self::RoundRobin => Some("weighted"),
            Self::LeastTime(_) => Some(INTELLIGENT),
            _ => None,
        }
    }

    /// Its name in the file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Random => "random",
            Self::LeastConnections => "least-connections",
            Self::PowerOfTwo => "power-of-two",
            Self::LeastTime(options) if options.intelligent => INTELLIGENT,
            Self::LeastTime(_) => "least-time",
            Self::Hash(_) => "hash",
            Self::First => "first",
        }
    }

    /// What it is told apart by, if it hashes.
    pub fn hash_key(&self) -> Option<&HashKey> {
        match self {
            Self::Hash(options) => Some(&options.key),
            Self::RoundRobin
            | Self::Random
            | Self::LeastConnections
            | Self::PowerOfTwo
            | Self::LeastTime(_)
            | Self::First => None,
        }
    }

    /// How long latencies are remembered, if they count.
    pub fn decay(&self) -> Option<Duration> {
        match self {
            Self::LeastTime(options) => Some(options.decay),
            Self::RoundRobin
            | Self::Random
            | Self::LeastConnections
            | Self::PowerOfTwo
            | Self::Hash(_)
            | Self::First => None,
        }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::RoundRobin => Algorithm::RoundRobin,
            Self::Random => Algorithm::Random,
            Self::LeastConnections => Algorithm::LeastConnections,
            Self::PowerOfTwo => Algorithm::PowerOfTwo,
            Self::LeastTime(_) => Algorithm::LeastTime,
            Self::Hash(options) => Algorithm::Hash {
                bounded_load: options.bounded_load.map(LoadFactor::get),
            },
            Self::First => Algorithm::First,
        }
    }
}

impl fmt::Display for StrategyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::LeastTime(options) => {
                write!(f, "{{name: {name}, decay: {}}}", format_duration(options.decay))
            }
            Self::Hash(HashConfig { key, bounded_load }) => {
                write!(f, "{{name: {name}, key: {key}")?;
                match bounded_load {
                    Some(factor) => write!(f, ", bounded_load: {factor}}}"),
                    None => f.write_str("}"),
                }
            }
            _ => f.write_str(name),
        }
    }
}

/// When backends of a lower priority serve. Displays as it could be written in the file.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Failover {
    /// `whole`: when no backend of a higher priority is left that may get the request.
    #[default]
    Whole,
    /// `gradual`: as soon as those above are too few, for the share that they lack.
    Gradual {
        /// How many times the load of now those above could carry if all of them were up.
        overprovisioning: LoadFactor,
    },
}

impl Failover {
    /// 1.4 as in Envoy: up to 28 % of a tier may fail before others have to help.
    pub const DEFAULT_OVERPROVISIONING: f64 = 1.4;
}

impl fmt::Display for Failover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole"),
            Self::Gradual { overprovisioning } => {
                write!(f, "{{mode: gradual, overprovisioning: {overprovisioning}}}")
            }
        }
    }
}

/// Who serves first: 0 before 1, and so on, and backups after all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Priority(u8);

impl Priority {
    /// The last that can be written.
    pub const MAX: u8 = 100;

    /// After all others.
    pub const BACKUP: Self = Self(u8::MAX);

    /// `None` above [`Priority::MAX`].
    pub fn new(value: u8) -> Option<Self> {
        (value <= Self::MAX).then_some(Self(value))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BACKUP => f.write_str("backup"),
            Self(number) => number.fmt(f),
        }
    }
}
