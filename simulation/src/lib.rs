//! A model of a pool under load, without a network: which strategy is right for it, and what happens if a backend dies?
//!
//! The balancer in it is the real one: picks, leases, queues, retries and health are the code of `lb-core`. Only what it has to
//! do with is modelled: when requests come ([`Load`]), how long they take ([`ServiceTime`]), and how each backend behaves
//! ([`BackendModel`]). Time is a number that jumps from event to event, and all chance comes from one seed, so that a run
//! is quick and can be repeated to the last bit. Different strategies see the same requests, with the same work, at
//! the same times; they differ by what they do with them.
//!
//! What the model leaves out: the time on the wire, the balancer's own work, sticky cookies, and that several balancers see
//! only their own part of the load.

mod agenda;
mod capacity;
mod control;
mod engine;
mod histogram;
mod load;
mod random;
mod report;
mod scenario;
mod service;
mod spans;
mod station;
mod tally;
mod worker;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use engine::run;
pub use load::{Change, Load};
pub use report::{BackendReport, Errors, Event, Happening, Latency, Point, Report};
pub use scenario::{BackendModel, Cold, Flap, Scenario};
pub use service::{ServiceTime, Shape};
pub use spans::Span;

/// A time of the simulation: nanoseconds since its begin. Half a millennium fits.
type Nanos = u64;

fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}
