//! Connections to backends, per worker.

mod clients;
mod connect;

pub use clients::UpstreamClients;
