//! What the front for HTTP/1.1 asks of a lane.

use std::future::Future;

use lb_wire::RequestHead;

use super::{Client, OpenTunnel};
use crate::proxy::Transport;

/// Carries requests of HTTP/1.1 to backends. One a worker thread.
pub trait Lane: 'static {
    /// Carries one request. Its head is at the front of the client's unused bytes, and its lines are in the worker's table until
    /// the task waits. Returns when its response has gone out, or never will.
    fn carry<S: Transport>(&self, client: &mut Client<S>, head: &RequestHead) -> impl Future<Output = Next>;
}

/// What comes after a request.
pub enum Next {
    /// Another one.
    Request,
    /// The end, gently, because the client may still be sending.
    Close,
    /// The end.
    Drop,
    /// The end, so that the client sees that its response is broken.
    Reset,
    /// Bytes, both ways.
    Tunnel(Box<OpenTunnel>),
}
