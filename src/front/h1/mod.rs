//! The front for HTTP/1.1: one task serves a client's connection with all its requests.
//!
//! A head is parsed in place, in the worker's buffer, and refused where two readers could differ; what is said without a
//! backend is said here. Everything else is the lane's, which reads the body from the client and writes the response to it.

mod admit;
mod backlog;
mod client;
mod downstream;
mod leaving;
pub(crate) mod own_response;
mod seam;
mod service;
mod streamed;
mod tunnel;

pub(crate) use self::{
    admit::admit,
    backlog::{Backlog, nudge, poll_send},
    client::Client,
    leaving::Leaving,
    seam::Next,
    tunnel::OpenTunnel,
};
pub use self::{seam::Lane, service::service, streamed::Streamed};
