//! Every message: who sends it to whom, and what losing it would mean.
//!
//! | message | from -> to | if it is lost |
//! |---|---|---|
//! | [`ApplyPlan`] | ConfigWatcher -> BackendRegistry | the sender gets an error and reports the reload as failed |
//! | [`RetireRemoved`] | ConfigWatcher -> BackendRegistry | removed backends go when one that stays is up |
//! | [`ChangeLive`] | admin API -> BackendRegistry | the sender gets an error, and asks `status` |
//! | [`ChangeMembers`] | admin API -> BackendRegistry | the sender gets an error, and asks `status` |
//! | [`Pick`] | anybody -> BackendRegistry | the sender gets an error; requests use `RegistryHandle` instead |
//! | [`GetStatus`] | anybody -> BackendRegistry | the sender gets an error |
//! | [`ProbeFinished`] | HealthChecker -> BackendRegistry | one result is missing; the next probe brings another |
//! | [`AddressesResolved`] | HealthChecker -> BackendRegistry | the next probe resolves again |
//! | [`ConnectFailed`] | request path -> BackendRegistry | the next probe resolves again |
//! | [`FailedInARow`] | request path -> BackendRegistry | the next tick finds it, half a second later |
//! | [`CheckerEnded`] | a checker's guard -> BackendRegistry | cannot be: a new registry starts all checkers anyway |
//! | [`ResolveNow`] | BackendRegistry -> HealthChecker | the next probe resolves again |
//! | [`StopChecker`] | BackendRegistry -> HealthChecker | it is gone already, which is what was asked for |
//! | [`Reload`] | signals, admin API -> ConfigWatcher | a signal is logged as lost; a command gets an error |
//! | [`Stop`] | signals, admin API -> ConfigWatcher | as above; a second signal ends the process at once |

use std::{net::SocketAddr, time::Duration};

use actix::Message;
use lb_core::{
    config::ReloadPlan,
    live::Wish,
    pool::{Lease, NoBackend, Tried},
    roster::{MemberChange, MemberRefusal, NextProbe, ProbeReport},
    status::{LiveReport, PoolStatus, ReloadReport},
};

/// Carry a plan out that was made from the running configuration.
#[derive(Debug, Message)]
#[rtype(result = "Applied")]
pub struct ApplyPlan {
    /// What to change. It was shown as it is.
    pub plan: ReloadPlan,
}

/// A configuration was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, actix::MessageResponse)]
pub struct Applied {
    /// Its number; the configuration of the start has 1.
    pub generation: u64,
}

/// Let go of backends that a reload removed and that served on until the added ones were known.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct RetireRemoved;

/// Change something of a backend beside the file, and tell how it is then.
#[derive(Debug, Clone, Message)]
#[rtype(result = "LiveReport")]
pub struct ChangeLive {
    /// The backend, as it was typed.
    pub url: String,
    /// Only in this pool; else in every pool that has it.
    pub pool: Option<String>,
    /// What to change; `None`: nothing.
    pub change: Option<Wish>,
    /// For how long; `None`: until somebody takes it back.
    pub lasts: Option<Duration>,
}

/// Add or remove a backend beside the file.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<LiveReport, MemberRefusal>")]
pub struct ChangeMembers(pub MemberChange);

/// Choose a backend, by the same function as [`RegistryHandle::pick`](crate::RegistryHandle::pick).
#[derive(Debug, Message)]
#[rtype(result = "Result<Lease, NoBackend>")]
pub struct Pick {
    /// What the request has tried already.
    pub tried: Tried,
}

/// Tell the state of all pools.
#[derive(Debug, Message)]
#[rtype(result = "Vec<PoolStatus>")]
pub struct GetStatus;

/// A probe has ended.
#[derive(Debug, Message)]
#[rtype(result = "NextProbe")]
pub struct ProbeFinished {
    /// The backend's number.
    pub backend: u64,
    /// What came out.
    pub report: ProbeReport,
}

/// A name was resolved between two probes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AddressesResolved {
    /// The backend's number.
    pub backend: u64,
    /// Its addresses; never empty.
    pub addresses: Vec<SocketAddr>,
}

/// A request could not connect to a backend.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ConnectFailed {
    /// The backend's number.
    pub backend: u64,
}

/// As many requests in a row have failed at a backend as its pool's rules allow.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FailedInARow {
    /// The backend's number.
    pub backend: u64,
}

/// A checker is gone though nobody stopped it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CheckerEnded {
    /// Its backend's number.
    pub backend: u64,
}

/// Resolve the backend's name again without waiting for the next probe.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ResolveNow;

/// End, with any probe that is under way.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopChecker;

/// Read the configuration file again, and apply it or only tell what that would change.
#[derive(Debug, Message)]
#[rtype(result = "ReloadReport")]
pub struct Reload {
    /// How far to go.
    pub mode: ReloadMode,
}

/// How far a reload goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadMode {
    /// To its end: the configuration serves.
    Apply,
    /// Up to the plan: nothing changes.
    DryRun,
}

/// Stop the balancer gracefully.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Stop {
    /// Who asks, for the log: `SIGTERM`, `--stop`.
    pub reason: String,
}
