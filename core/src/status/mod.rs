//! What a running balancer tells about itself: `status --json`, the table of `status` and `demo`, and tests all read
//! this one report. Field names are part of the interface: they are added to, never renamed.

mod outcomes;
mod pools;

pub use self::{
    outcomes::{LiveBackend, LiveReport, ReloadReport, RemovedBackend, StopReport},
    pools::{
        BackendStatus, HealthStatus, LiveStatus, PoolStatus, ProbeStatus, RemovedStatus, ResponseCounts,
        RouteStatus,
    },
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The state of a whole instance.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
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
    /// Where the admin API listens beside the control socket; none without `admin`.
    #[serde(default)]
    pub admin: Option<String>,
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
    /// Responses that clients were sent since the start, backends' and the balancer's own.
    #[serde(default)]
    pub responses: ResponseCounts,
    /// The errors among the balancer's own, by status code and reason.
    #[serde(default)]
    pub errors: Vec<ErrorCount>,
    /// Panics caught since the start; anything but 0 is a defect of simple-lb.
    pub panics: u64,
    /// Actors that ended unexpectedly and were started again.
    pub actor_restarts: u64,
    /// Lines of the log that were dropped since the start, because nobody read it or it could not be written.
    #[serde(default)]
    pub log_lines_dropped: u64,
    /// The access log.
    #[serde(default)]
    pub access_log: AccessLogStatus,
    /// Every pool with its backends, in the order of the file.
    pub pools: Vec<PoolStatus>,
    /// Every route, in the order of the file; none where the file has none and everything goes to one pool.
    #[serde(default)]
    pub routes: Vec<RouteStatus>,
}

/// The access log of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AccessLogStatus {
    /// Where it is written, `-` for stdout; `None` while it is off.
    pub path: Option<String>,
    /// Lines written since the start.
    pub lines: u64,
    /// Lines that were dropped since the start, because they were not taken in time or could not be written.
    pub lines_dropped: u64,
    /// Why lines are dropped now, if they are.
    pub error: Option<String>,
}

/// How often clients were sent an error of the balancer's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorCount {
    /// The status code.
    pub status: u16,
    /// The reason, as clients get it.
    pub reason: String,
    /// How many.
    pub count: u64,
}
