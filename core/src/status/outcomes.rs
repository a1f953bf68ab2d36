//! What became of a command: a reload, a stop, a live change.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::BackendStatus;

/// What a reload did, or why it did nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StopReport {
    /// Requests that were in flight when the stop began, or came after it, and were finished.
    pub finished: u64,
    /// Requests that had to be cut when `shutdown_timeout` was over.
    pub cut: u64,
}

/// What became of a live change that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveReport {
    /// Whether it is in force now.
    pub applied: bool,
    /// Why it was refused, line by line; empty when applied.
    pub problems: Vec<String>,
    /// The backends that it concerns, as they are now: one a pool.
    pub backends: Vec<LiveBackend>,
    /// What a person should know of it.
    pub warnings: Vec<String>,
    /// The backends that are not there any more.
    #[serde(default)]
    pub removed: Vec<RemovedBackend>,
}

/// A backend that was removed live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedBackend {
    /// The pool's name.
    pub pool: String,
    /// `http://host:port`.
    pub url: String,
    /// Requests and tunnels there, which finish.
    pub in_flight: u64,
    /// Whether the file has it, so that it comes back with a restart.
    pub in_file: bool,
}

/// One backend of a pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveBackend {
    /// The pool's name.
    pub pool: String,
    /// How it is.
    #[serde(flatten)]
    pub backend: BackendStatus,
}
