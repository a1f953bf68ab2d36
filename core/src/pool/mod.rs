//! Pools as the request path sees them: immutable snapshots over backends whose counters outlive them.

mod backend;
mod evidence;
mod judging;
mod lease;
mod pick;
mod report;
mod snapshot;

#[cfg(test)]
mod tests;

pub use backend::{Backend, BackendCounts, ProbeRecord};
pub use evidence::{AnswerHead, AnswerKind};
pub use judging::judge;
pub use lease::{Lease, Outcome};
pub use pick::{Ask, NoBackend, Pool, Tried};
pub use snapshot::{Member, PoolState, Route, Snapshot};
