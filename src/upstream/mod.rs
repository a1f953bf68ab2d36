//! Connections to backends, per worker.

mod clients;
mod connect;
mod guarded;
mod uploads;

pub use clients::UpstreamClients;
pub use guarded::{Fault, OMITTED_LENGTH};
