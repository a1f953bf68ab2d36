//! Connections to backends, per worker.

mod connect;
mod idle;
mod patience;

pub(crate) use connect::{Connected, Loop, connect};
pub(crate) use idle::{IdlePool, Sending, UpstreamConnection};
