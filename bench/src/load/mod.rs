//! Load and backends in one thread, so that they can share the core that the balancer does not have. They must cost
//! less than any balancer: one event loop, one read and one write a message on each side, answers made before,
//! nothing parsed but where a message ends.

mod backend;
mod client;
mod engine;
mod http;
mod hub;
mod plan;

pub(crate) use backend::{KIB64, MIB1, SMALL};
pub(crate) use engine::{BACKENDS, Engine};
pub(crate) use plan::{Load, LoadExchange, Pace, Sample};
