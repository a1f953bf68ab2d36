//! Pools as the request path sees them: immutable snapshots over backends whose counters outlive them.

mod addresses;
mod ask;
mod backend;
mod counter;
mod evidence;
mod identity;
mod judging;
mod lease;
mod linger;
mod pick;
mod queue;
mod route;
mod snapshot;
mod state;
mod tier;
mod trouble;

#[cfg(test)]
mod tests;

pub use addresses::{Addresses, SKIPPED_FOR};
pub use ask::{Ask, NoBackend, Tried};
pub use backend::{Backend, BackendCounts, ProbeRecord};
pub use evidence::{AnswerHead, AnswerKind};
pub use identity::Identity;
pub use judging::{JUDGING_PAUSE, judge};
pub use lease::{Lease, Outcome};
pub use pick::Pool;
pub use pick::tier_loads;
pub use queue::{Queue, Ticket};
pub use route::{Destination, Route, Terms};
pub use snapshot::{Member, Snapshot};
pub use state::PoolState;
