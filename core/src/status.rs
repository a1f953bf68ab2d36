//! What a running balancer tells about itself: `status --json`, the table of `status` and `demo`, and tests all read
//! this one report. Field names are part of the interface: they are added to, never renamed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of a whole instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The program's version.
    pub version: String,
    /// The process id.
    pub pid: u32,
    /// The configuration's path.
    pub config: String,
    /// How many configurations have been applied; 1 after the start.
    pub generation: u64,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// Whether a stop has begun.
    pub stopping: bool,
    /// The addresses listened on, with the real port where 0 was configured.
    pub listeners: Vec<String>,
    /// Threads that forward requests.
    pub workers: usize,
    /// Which lane carries HTTP/1.1: `handler` or `wire`.
    pub lane: String,
    /// The limit of open files (`RLIMIT_NOFILE`).
    pub open_files_limit: u64,
    /// Clients' connections that are open.
    #[serde(default)]
    pub connections: u64,
    /// Requests that are being answered now.
    pub in_flight: u64,
    /// Requests taken since the start.
    pub requests: u64,
    /// Panics caught since the start; anything but 0 is a defect of simple-lb.
    pub panics: u64,
    /// Actors that ended unexpectedly and were started again.
    pub actor_restarts: u64,
    /// Lines of the log that were dropped since the start, because nobody read it or it could not be written.
    #[serde(default)]
    pub log_lines_dropped: u64,
    /// Every pool with its backends, in the order of the file.
    pub pools: Vec<PoolStatus>,
    /// Every route, in the order of the file; none where the file has none and everything goes to one pool.
    #[serde(default)]
    pub routes: Vec<RouteStatus>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// Which requests it means: `host a.example, path /v1`, or `every request`.
    pub when: String,
    /// What becomes of them: a pool, several with their weights, `redirect 301 …`, `respond 200`.
    pub then: String,
    /// Requests that took it.
    pub requests: u64,
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolStatus {
    /// Its name.
    pub name: String,
    /// Its strategy.
    pub strategy: String,
    /// Requests that wait for a place at its backends.
    #[serde(default)]
    pub waiting: u64,
    /// Its backends, in the order of the file.
    pub backends: Vec<BackendStatus>,
}

/// One backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackendStatus {
    /// `http://host:port`.
    pub url: String,
    /// Its weight, 1-256.
    pub weight: u16,
    /// Its health.
    pub health: HealthStatus,
    /// Since when it has that health, seconds ago.
    pub since_seconds: u64,
    /// Requests sent to it, retries included.
    pub requests: u64,
    /// Requests it holds now.
    pub in_flight: u64,
    /// Requests that failed at it: no connection, no whole answer, too slow.
    pub failures: u64,
    /// Time to the head of its answers, all together; divided by `answers` it is the mean.
    pub latency_micros_total: u64,
    /// Answers whose head arrived.
    pub answers: u64,
    /// The last probe, if there was one.
    pub last_probe: Option<ProbeStatus>,
    /// Why it has that health, where that is more than its probes.
    #[serde(default)]
    pub reason: Option<String>,
    /// When that ends by itself, in seconds.
    #[serde(default)]
    pub until_seconds: Option<u64>,
    /// How many ejections it has against it; good behaviour takes them off again.
    #[serde(default)]
    pub ejections: u32,
    /// While it drains: how many seconds ago nothing was in flight any more, which is when the drain was done.
    #[serde(default)]
    pub drained_seconds: Option<u64>,
    /// What was changed live and holds instead of the file's word.
    #[serde(default)]
    pub live: Vec<LiveStatus>,
}

/// A live change of a backend. Displays as `draining`, `weight 10`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveStatus {
    /// `order` or `weight`.
    pub kind: String,
    /// What holds: `draining`, `maintenance`, `serving`, or a number.
    pub value: String,
    /// What the file says.
    pub file: String,
    /// How long it has held, in seconds.
    pub since_seconds: u64,
    /// When it ends by itself, in seconds; none: when somebody takes it back.
    pub until_seconds: Option<u64>,
}

impl fmt::Display for LiveStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind.as_str() {
            "order" => f.write_str(&self.value),
            kind => write!(f, "{kind} {}", self.value),
        }
    }
}

/// A probe's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeStatus {
    /// Whether the backend passed.
    pub ok: bool,
    /// `200 OK`, `connection refused`, `timed out after 2s`, …
    pub detail: String,
    /// How long it took.
    pub millis: u64,
    /// How long ago it ended.
    pub ago_seconds: u64,
}

/// A backend's health as others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Gets requests.
    Up,
    /// Gets none (unless all are down).
    Down,
    /// Added by a reload and not probed yet: gets none (unless no backend is up).
    Pending,
    /// Its probes are good, but requests met too many errors: gets none for a time (unless no backend is up).
    Ejected,
    /// By order: gets no new requests, and finishes what it has.
    Draining,
    /// By order: gets nothing, and is not probed.
    Maintenance,
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Pending => "pending",
            Self::Ejected => "ejected",
            Self::Draining => "draining",
            Self::Maintenance => "maintenance",
        })
    }
}

/// What a reload did, or why it did nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// Whether the new configuration serves now.
    pub applied: bool,
    /// Whether only the plan was asked for: then nothing has changed, and no problem means that a reload would be applied.
    #[serde(default)]
    pub dry_run: bool,
    /// The generation that serves now.
    pub generation: u64,
    /// A line a change: `+ http://localhost:9004`, `- …`, `~ http://localhost:9001 weight 1 -> 3`.
    pub changes: Vec<String>,
    /// Why it was refused, a line a problem; empty when applied.
    pub problems: Vec<String>,
    /// Backends that were added and their first probe's result, or other remarks.
    pub notes: Vec<String>,
    /// The file that was read, with all links resolved; none where it could not be read.
    #[serde(default)]
    pub file: Option<String>,
}

/// How a stop went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StopReport {
    /// Requests that were in flight when the stop began, or came after it, and were finished.
    pub finished: u64,
    /// Requests that had to be cut when `shutdown_timeout` was over.
    pub cut: u64,
}

/// What became of a live change that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveReport {
    /// Whether it is in force now.
    pub applied: bool,
    /// Why it was refused, line by line; empty when applied.
    pub problems: Vec<String>,
    /// The backends that it concerns, as they are now: one a pool.
    pub backends: Vec<LiveBackend>,
    /// What a person should know of it.
    pub warnings: Vec<String>,
}

/// One backend of a pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveBackend {
    /// The pool's name.
    pub pool: String,
    /// How it is.
    #[serde(flatten)]
    pub backend: BackendStatus,
}
