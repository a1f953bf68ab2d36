//! Pools as the request path sees them: immutable snapshots over backends whose counters outlive them.

mod backend;
mod lease;
mod pick;
mod report;
mod route;
mod snapshot;

#[cfg(test)]
mod tests;

pub use backend::{Backend, BackendCounts, ProbeRecord};
pub use lease::{Lease, Outcome};
pub use pick::{Ask, NoBackend, Pool, Tried};
pub use route::{Destination, Route, Terms};
pub use snapshot::{Member, PoolState, Snapshot};
