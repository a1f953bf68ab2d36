//! What a run came to. Field names are part of the interface of `simulate --json`: they are added to, never renamed.

use serde::Serialize;

use lb_core::status::HealthStatus;

/// One strategy's run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The strategy's name.
    pub strategy: String,
    /// Requests that came.
    pub requests: u64,
    /// Requests that got a whole answer without error.
    pub answered: u64,
    /// Requests that ended otherwise.
    pub errors: Errors,
    /// Attempts after the first of a request.
    pub retries: u64,
    /// From a request's arrival to its answer's end, retries included, of those that were answered without error.
    pub latency: Latency,
    /// Every backend, in the order of the file.
    pub backends: Vec<BackendReport>,
    /// The run in equal parts of its time.
    pub timeline: Vec<Point>,
    /// Changes of health, in order; the first [`Report::EVENTS`].
    pub events: Vec<Event>,
}

impl Report {
    /// More changes of health than that tell nobody anything.
    pub const EVENTS: usize = 10_000;

    /// Requests without a good answer, as a part of all, 0 to 1.
    pub fn error_share(&self) -> f64 {
        self.errors.all() as f64 / self.requests.max(1) as f64
    }
}

/// How requests ended that did not end well, as their clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Errors {
    /// No backend took it: 502, or 503 if there was none to ask.
    pub refused: u64,
    /// The backend died before its answer: 502.
    pub broken: u64,
    /// No answer in time: 504.
    pub timed_out: u64,
    /// The backend's own answer was an error: 503.
    pub failed: u64,
}

impl Errors {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.refused + self.broken + self.timed_out + self.failed
    }
}

/// Latencies in microseconds, exact to a thousandth.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Latency {
    /// The mean.
    pub mean_micros: f64,
    /// Half of the requests took no longer.
    pub p50_micros: u64,
    /// 9 of 10.
    pub p90_micros: u64,
    /// 99 of 100.
    pub p99_micros: u64,
    /// 999 of 1,000.
    pub p999_micros: u64,
    /// All.
    pub max_micros: u64,
}

/// One backend in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackendReport {
    /// Its URL.
    pub url: String,
    /// Its weight.
    pub weight: u16,
    /// Attempts sent to it.
    pub attempts: u64,
    /// The part of all attempts that this is, 0 to 1.
    pub share: f64,
    /// The part of its slots that worked, 0 to 1.
    pub utilisation: f64,
    /// Attempts that failed at it.
    pub failures: u64,
    /// How often it was ejected.
    pub ejections: u64,
}

/// A part of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Its begin, in seconds since that of the run.
    pub at_seconds: f64,
    /// Requests that were answered without error in it.
    pub answered: u64,
    /// Requests that ended with an error in it.
    pub errors: u64,
    /// Half of the requests answered in it had taken no longer; `None` if there was none.
    pub p50_micros: Option<u64>,
    /// 99 of 100.
    pub p99_micros: Option<u64>,
    /// Attempts at each backend in it, in the order of the file; empty for pools of more than
    /// [`Point::MOST_BACKENDS`].
    pub attempts: Vec<u64>,
}

impl Point {
    /// Of larger pools nobody could read a backend's line.
    pub const MOST_BACKENDS: usize = 32;
}

/// Something happened to a backend's health.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// When, in seconds since the begin.
    pub at_seconds: f64,
    /// The backend, counted from 0 in the order of the file.
    pub backend: usize,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen to a backend's health.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Happening {
    /// Probes changed its health.
    Health {
        /// To this.
        to: HealthStatus,
    },
    /// What requests met there has had it ejected.
    Ejected {
        /// What for.
        why: String,
        /// For how long.
        seconds: f64,
        /// How many ejections it has against it, with this one.
        count: u32,
    },
    /// It deserved that, but too many others were out.
    Spared {
        /// What for it would have been.
        why: String,
    },
    /// Its ejection ended.
    Returned {
        /// How long it was.
        after_seconds: f64,
    },
}
