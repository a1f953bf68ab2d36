//! How a pool judges its backends: by probes, and by what requests meet there.

use std::{fmt, sync::Arc, time::Duration};

use super::{Share, StatusRanges};
use crate::config::{ByteSize, format_duration};

/// How a backend is probed.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthCheck {
    /// What a probe is.
    pub kind: CheckKind,
    /// The port to connect to; `None`: that of the backend's URL.
    pub port: Option<u16>,
    /// The method of an HTTP probe.
    pub method: CheckMethod,
    /// Path and query of the probe; begins with `/`.
    pub path: Arc<str>,
    /// The `Host` of the probe; `None`: the backend's.
    pub host: Option<Arc<str>>,
    /// More header lines, each a name and a value.
    pub headers: Arc<[(Arc<str>, Arc<str>)]>,
    /// From the end of one probe to the start of the next.
    pub interval: Duration,
    /// The same while the backend's state is about to change: some probes in a row have disagreed with it.
    /// Never longer than `interval`.
    pub fast_interval: Duration,
    /// How long a probe may take in all: resolve, connect, answer.
    pub timeout: Duration,
    /// Good probes in a row that bring a backend back; at least 1.
    pub rise: u32,
    /// Bad probes in a row that take it out; at least 1.
    pub fall: u32,
    /// Answers that count as alive.
    pub status: StatusRanges,
    /// What the body of such an answer must hold; `None`: it is not read.
    pub body: Option<BodyMatch>,
    /// How much of the body is read at most.
    pub max_body: ByteSize,
    /// Each pause is longer or shorter by a random part of at most this share, so that probes spread out.
    pub jitter: Share,
}

impl Default for HealthCheck {
    /// Without `health_check`: `GET /` every 5 s, and any answer below 500 is alive.
    fn default() -> Self {
        Self {
            kind: CheckKind::Http,
            port: None,
            method: CheckMethod::Get,
            path: "/".into(),
            host: None,
            headers: Arc::new([]),
            interval: Duration::from_secs(5),
            fast_interval: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            rise: 2,
            fall: 3,
            status: StatusRanges::new(vec![(100, 499)]).unwrap_or_default(),
            body: None,
            // Health pages are short; what is longer is a page for people, and says early what it has to say.
            max_body: ByteSize::kib(64),
            jitter: Share::percent(10).unwrap_or_default(),
        }
    }
}

/// What a probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckKind {
    /// A request over a new connection.
    Http,
    /// A connection, nothing more.
    Tcp,
}

impl fmt::Display for CheckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
        })
    }
}

/// The method of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckMethod {
    /// GET
    Get,
    /// HEAD
    Head,
    /// OPTIONS
    Options,
    /// POST, without a body
    Post,
}

impl CheckMethod {
    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Post => "POST",
        }
    }
}

impl fmt::Display for CheckMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a body must hold. Two are the same if they were written the same.
#[derive(Debug, Clone)]
pub struct BodyMatch {
    text: Arc<str>,
    is_regex: bool,
    regex: regex::bytes::Regex,
}

/// A compiled expression of a health check may take this much memory; no sensible one comes near.
const REGEX_SIZE: usize = 1024 * 1024;

impl BodyMatch {
    /// A text that must be in it.
    ///
    /// # Errors
    /// When it is far too long.
    pub fn contains(text: &str) -> Result<Self, regex::Error> {
        Self::build(text, false, &regex::escape(text))
    }

    /// An expression that must match somewhere in it.
    ///
    /// # Errors
    /// When it is none, or needs too much memory.
    pub fn regex(text: &str) -> Result<Self, regex::Error> {
        Self::build(text, true, text)
    }

    fn build(text: &str, is_regex: bool, expression: &str) -> Result<Self, regex::Error> {
        let regex = regex::bytes::RegexBuilder::new(expression)
            .size_limit(REGEX_SIZE)
            .build()?;
        Ok(Self {
            text: text.into(),
            is_regex,
            regex,
        })
    }

    /// Whether a body holds it.
    pub fn is_in(&self, body: &[u8]) -> bool {
        self.regex.is_match(body)
    }
}

impl PartialEq for BodyMatch {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.is_regex) == (&other.text, other.is_regex)
    }
}

impl fmt::Display for BodyMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.is_regex { "regex" } else { "contains" };
        write!(f, "{{{key}: {:?}}}", self.text)
    }
}

/// When a backend is ejected for what requests meet there.
#[derive(Debug, Clone, PartialEq)]
pub struct EjectionRules {
    /// Failures in a row, at least 1; `None`: nobody counts them.
    pub consecutive: Option<u32>,
    /// Answers that are failures, within 500-599.
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
            // What a server says when it cannot do its work. A 500 may be the fault of one page.
            statuses: StatusRanges::new(vec![(502, 504)]).unwrap_or_default(),
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

/// When a success rate is too low.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SuccessRateRule {
    /// Standard deviations below the mean.
    pub factor: Factor,
    /// Backends with enough requests that there must be to compare; at least 2.
    pub min_hosts: u32,
    /// Requests in an interval that are enough.
    pub min_volume: u32,
    /// How far below the mean it must be in any case.
    pub min_gap: Share,
}

impl Default for SuccessRateRule {
    /// As Envoy; and a gap, because a hundredth of errors is no reason to lose a backend.
    fn default() -> Self {
        Self {
            factor: Factor(1.9),
            min_hosts: 5,
            min_volume: 100,
            min_gap: Share::percent(5).unwrap_or_default(),
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
            // Of two, one cannot be unlike the others.
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

impl fmt::Display for AllDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Try => "try",
            Self::Fail => "fail",
        })
    }
}

/// A setting of a mapping: its name in the file, and its value as a person reads it.
pub type Part = (&'static str, String);

impl HealthCheck {
    /// Its settings in the order of the file.
    pub fn parts(&self) -> Vec<Part> {
        let Self {
            kind,
            port,
            method,
            path,
            host,
            headers,
            interval,
            fast_interval,
            timeout,
            rise,
            fall,
            status,
            body,
            max_body,
            jitter,
        } = self;
        vec![
            ("type", kind.to_string()),
            ("port", shown(port.as_ref(), "the backend's")),
            ("method", method.to_string()),
            ("path", path.to_string()),
            ("host", shown(host.as_ref(), "the backend's")),
            ("headers", shown_headers(headers)),
            ("interval", format_duration(*interval)),
            ("fast_interval", format_duration(*fast_interval)),
            ("timeout", format_duration(*timeout)),
            ("rise", rise.to_string()),
            ("fall", fall.to_string()),
            ("status", status.to_string()),
            ("body", shown(body.as_ref(), "any")),
            ("max_body", max_body.to_string()),
            ("jitter", jitter.to_string()),
        ]
    }
}

fn shown<T: fmt::Display>(value: Option<&T>, none: &str) -> String {
    value.map_or(none.to_owned(), ToString::to_string)
}

fn shown_headers(headers: &[(Arc<str>, Arc<str>)]) -> String {
    if headers.is_empty() {
        return "none".to_owned();
    }
    let shown = headers.iter().map(|(name, value)| format!("{name}: {value:?}"));
    format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
}

impl EjectionRules {
    /// Its settings, each with its name in the file and its value.
    pub fn parts(&self) -> Vec<Part> {
        let Self {
            consecutive,
            statuses,
            base,
            max,
            max_share,
            interval,
            success_rate,
            latency,
        } = self;
        let mut parts = vec![
            (
                "consecutive",
                consecutive.map_or("none".to_owned(), |number| number.to_string()),
            ),
            ("statuses", statuses.to_string()),
            ("base", format_duration(*base)),
            ("max", format_duration(*max)),
            ("max_share", max_share.to_string()),
            ("interval", format_duration(*interval)),
        ];
        match success_rate {
            None => parts.push(("success_rate", "off".to_owned())),
            Some(rule) => parts.extend([
                ("success_rate.factor", rule.factor.to_string()),
                ("success_rate.min_hosts", rule.min_hosts.to_string()),
                ("success_rate.min_volume", rule.min_volume.to_string()),
                ("success_rate.min_gap", rule.min_gap.to_string()),
            ]),
        }
        match latency {
            None => parts.push(("latency", "off".to_owned())),
            Some(rule) => parts.extend([
                ("latency.factor", rule.factor.to_string()),
                ("latency.min_hosts", rule.min_hosts.to_string()),
                ("latency.min_volume", rule.min_volume.to_string()),
                ("latency.floor", format_duration(rule.floor)),
            ]),
        }
        parts
    }
}
