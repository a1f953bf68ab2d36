//! Connections to backends, per worker.

mod backends;
mod clients;
mod connect;
mod guarded;
mod idle;
mod uploads;

pub use clients::UpstreamClients;
pub(crate) use connect::connect;
pub use guarded::{Fault, OMITTED_LENGTH};
pub(crate) use idle::{IdlePool, Sending, UpstreamConnection};
pub use uploads::Pulse;
