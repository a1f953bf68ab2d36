//! Connections to backends, per worker.

mod clients;
mod connect;
mod idle;

pub use clients::UpstreamClients;
pub(crate) use connect::connect;
pub(crate) use idle::{IdlePool, UpstreamConnection};
