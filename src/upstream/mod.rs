//! Connections to backends, per worker.

mod connect;
mod idle;

pub(crate) use connect::{Connected, OwnListener, connect};
pub(crate) use idle::{IdlePool, Sending, UpstreamConnection};
